"""What is fetched from the Hugging Face hub, and the library that reads it; an error says what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.errors import MienError

HUB = "hf:"
"""Stands before a hub id."""


def told_name(name: str) -> str:
    """A model's or file's name, for whoever reads a result: of a path only its last part, its folders are private."""
    return name if name.startswith(HUB) else Path(name).name


def fetch_folder(name: str, *, files: Sequence[str]) -> Path:
    """The folder with those of `files` that OWNER/NAME or OWNER/NAME@REVISION has, from the cache if they are there.

    The folder has the name of the commit they are of. Raises MienError where they cannot be had.
    """
    from huggingface_hub import snapshot_download

    hub_id, _, revision = name.partition("@")
    with fetching(name):
        return Path(snapshot_download(hub_id, revision=revision or None, allow_patterns=list(files)))


@contextmanager
def fetching(name: str) -> Iterator[None]:
    """Around what fetches `name`: whatever fails there is told by a MienError that names it."""
    try:
        yield
    except Exception as error:  # the hub client's errors have no common ancestor
        cause = str(error).strip().partition("\n")[0]  # advice and addresses follow
        raise MienError(
            f"{name} is not a folder here, and could not be fetched from the hub: {type(error).__name__}: {cause}"
        ) from error


def import_transformers(name: str) -> Any:
    """The library that `name` is read by, imported only when asked for: it takes seconds."""
    try:
        import transformers
    except ImportError:
        raise MienError(f"{name} needs the library transformers: pip install 'mien[hf]'") from None
    return transformers
