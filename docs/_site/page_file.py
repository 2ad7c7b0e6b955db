"""A page that is made, written only where it changed: Sphinx reads anew what is newer than the last build."""

from __future__ import annotations

from pathlib import Path


def write_changed(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
