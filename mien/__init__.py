"""mien: emotion representations learnt from communication."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.errors import MienError

if TYPE_CHECKING:
    from mien.face_moments import classify_faces
    from mien.inference import Mien
    from mien.perception.picture_faces import find_faces

__version__ = "0.1.0.dev0"
__all__ = ["Mien", "MienError", "__version__", "classify_faces", "find_faces"]

_WHERE = {"Mien": "inference", "classify_faces": "face_moments", "find_faces": "perception.picture_faces"}


def __getattr__(name: str) -> Any:
    """`mien.Mien` and its like, imported when first asked for: torch takes seconds, `mien --help` must not."""
    if name in _WHERE:
        return getattr(import_module(f"mien.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'mien' has no attribute {name!r}")
