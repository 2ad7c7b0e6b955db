"""What `mien prepare` made: all of a folder's bytes, and a video that was given up."""

from __future__ import annotations

from pathlib import Path

from mien.prepare.video import PreparedVideo
from mien.prepare.videos import NamedVideo
from mien.types import Skipped


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def give_up(video: NamedVideo, reason: str) -> PreparedVideo:
    return PreparedVideo(name=video.name, failure=Skipped(what=video.name, reason=reason))
