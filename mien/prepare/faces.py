"""The stage that says where each person's face is in each stored picture, and that which says who speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from mien.config import Config
from mien.media.frames import FrameReader
from mien.perception.detector import Detector
from mien.perception.faces import face_table
from mien.perception.speaking import frames_to_watch, speaking_rows, watch_mouths
from mien.prepare.looking import look_at_key_frames
from mien.types import BoxTable, FaceTable, MienError, Sentence

LONGEST_MISS_S = 0.5  # a face not found for so long is taken to have stayed; heads turn away sooner than persons go


class FaceSettings(Config):
    """Where faces come from."""

    source: Literal["detector", "none"] = "none"
    detector: str = "centerface"
    min_score: float | None = Field(None, ge=0, le=1)
    """A face is followed from where it scores this; None takes the detector's own threshold."""
    every: int = Field(4, ge=1)
    """Detect at least in every n-th picture of a shot, in more where faces come, go or move; between, these glide."""


def detect_faces(
    reader: FrameReader,
    detector: Detector,
    boxes: BoxTable,
    *,
    settings: FaceSettings,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> FaceTable:
    """The faces that `detector` finds in a video's stored pictures, in source pixels, with the persons of `boxes`.

    It looks at key frames as the stage of boxes does; between, boxes and landmarks move linearly, never across a cut.
    """
    if detector.finds != "faces":
        raise MienError(f"{detector.id} finds {detector.finds}, not faces; take centerface")
    min_score = detector.threshold if settings.min_score is None else settings.min_score
    shots = look_at_key_frames(reader, detector, every=settings.every, min_score=min_score, on_fraction=on_fraction)
    info = reader.info
    return face_table(
        shots,
        boxes,
        scale=info.source_per_stored,
        max_gap=round(LONGEST_MISS_S * info.fps),
        min_score=min_score,
    )


def mark_speakers(
    reader: FrameReader,
    boxes: BoxTable,
    faces: FaceTable,
    sentences: Sequence[Sentence],
    *,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> BoxTable:
    """`boxes` with `speaking` true for whoever is likely to say each sentence, in the frames of that sentence.

    Only pictures in which it is in question who speaks are looked at. See mien.perception.speaking for the rules.
    """
    info = reader.info
    wanted = frames_to_watch(boxes, sentences, fps=info.fps)

    def picture(i: int) -> np.ndarray:
        on_fraction((i + 1) / len(reader))
        return reader.decode(i)

    motion = watch_mouths(boxes, faces, picture, wanted, scale=info.stored_per_source)
    rows = speaking_rows(boxes, motion, sentences, fps=info.fps)
    return replace(boxes, speaking=rows)
