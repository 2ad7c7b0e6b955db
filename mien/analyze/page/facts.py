"""What an analysis says of itself, as the page needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.types import Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """A sentence of the subtitles."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The video, what is said in it, where its shots begin, and what it was analysed with."""

    video: str
    path: Path
    duration_s: float
    width: int
    height: int
    fps: float
    step_s: float
    shots_s: tuple[float, ...]
    utterances: tuple[Utterance, ...]
    models: Mapping[str, str]
    settings: Mapping[str, str]
    skipped: tuple[Skipped, ...]
    is_picture: bool
