"""What a folder has in it, in a few words: for messages that it is not the release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

NUM_TOLD = 8


def contents(folder: Path) -> str:
    """The names of what is in a folder: "nothing" where it is empty, or not there."""
    return first_few(sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [])


def first_few(names: Sequence[str]) -> str:
    """The first eight of `names`, and whether there are more: "a, b, …"."""
    return ", ".join(names[:NUM_TOLD]) + (", …" if len(names) > NUM_TOLD else "") or "nothing"
