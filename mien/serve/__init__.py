"""The analysis of faces over HTTP: an API, its job queue, and the page that comes with it (docs/serve.md)."""

from mien.serve.app import create_app, serve
from mien.serve.settings import Limits, ServeSettings

__all__ = ["Limits", "ServeSettings", "create_app", "serve"]
