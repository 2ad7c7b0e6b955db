"""What is kept of a video for the index and the card, beside its clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt64

from mien.config import Config
from mien.prepare.clips import RULES, PeopleCount, Unfit
from mien.prepare.frames import is_cut_off
from mien.prepare.origin import Origin
from mien.types import Clip, Sentence, VideoInfo


class VideoSummary(Config):
    """One video in numbers; lies in the metadata of its clips."""

    num_frames: int
    seconds: float
    num_pixels: int
    """Of a picture of the source."""
    is_cut_off: bool = False
    """Whether only a part of it decoded."""
    lacks_sidecar: bool = False
    """Whether its boxes were to come from a side-car, and there is none."""
    num_sentences: int
    num_words: int
    speech_s: float
    num_clips: int
    left_out: dict[str, int]
    people: PeopleCount
    language: str
    words_from: str
    source: str
    license: str
    models: dict[str, str]
    hashes: tuple[int, ...]
    """Perceptual, of a few pictures; see mien.prepare.duplicates."""

    def hash_array(self) -> UInt64[np.ndarray, "_"]:
        return np.array(self.hashes, np.uint64)


def summarise(
    info: VideoInfo,
    *,
    sentences: Sequence[Sentence],
    clips: Sequence[Clip],
    unfit: Sequence[Unfit],
    people: PeopleCount,
    lacks_sidecar: bool = False,
    origin: Origin,
    language: str,
    words_from: str,
    models: dict[str, str],
    hashes: Sequence[int],
) -> VideoSummary:
    """The summary of a prepared video."""
    by_rule = Counter(u.rule for u in unfit)
    return VideoSummary(
        num_frames=info.num_frames,
        seconds=info.num_frames / info.fps,
        num_pixels=info.source_width * info.source_height,
        is_cut_off=is_cut_off(info),
        lacks_sidecar=lacks_sidecar,
        num_sentences=len(sentences),
        num_words=sum(len(s.text.split()) for s in sentences),
        speech_s=sum(s.end_s - s.start_s for s in sentences),
        num_clips=len(clips),
        left_out={rule: by_rule[rule] for rule in RULES if rule in by_rule},
        people=people,
        language=language,
        words_from=words_from,
        source=origin.source,
        license=origin.license,
        models=models,
        hashes=tuple(int(h) for h in hashes),
    )
