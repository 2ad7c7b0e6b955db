"""The stage that says who is where in each stored picture: from a detector, from a side-car, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from mien.config import Config
from mien.data.tables import NO_BOXES
from mien.media.frames import FrameReader
from mien.perception.detector import Detector
from mien.perception.tracking import track_shots
from mien.prepare.looking import look_at_key_frames
from mien.prepare.sidecar import boxes_at, read_sidecar
from mien.types import BoxTable, MienError

LONGEST_MISS_S = 2.0  # a person not found for so long is taken to have stayed


class BoxSettings(Config):
    """Where boxes come from."""

    source: Literal["detector", "sidecar", "none"] = "detector"
    detector: str = "centernet"
    min_score: float | None = Field(None, ge=0, le=1)
    """Who never scores so much is nobody; None takes the detector's own threshold. Fainter boxes serve to follow those
    who do, and where such a person comes or goes they are kept, with their score."""
    every: int = Field(12, ge=1)
    """Detect at least in every n-th picture of a shot, in more where persons come, go or move; between, these glide.

    With 1, detect in every picture.
    """


def detect_boxes(
    reader: FrameReader,
    detector: Detector,
    *,
    settings: BoxSettings,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> BoxTable:
    """The persons that `detector` finds in a video's stored pictures, numbered through the video.

    It looks at key frames, `settings.every` apart at most. Boxes scored below the threshold serve to follow persons.
    """
    if detector.finds != "persons":
        raise MienError(f"{detector.id} finds {detector.finds}, not persons; take centernet, or --faces for faces")
    min_score = detector.threshold if settings.min_score is None else settings.min_score
    shots = look_at_key_frames(reader, detector, every=settings.every, min_score=min_score, on_fraction=on_fraction)
    max_gap = round(LONGEST_MISS_S * reader.info.fps)
    return _to_source(track_shots(shots, max_gap=max_gap, min_score=min_score), reader)


def annotated_boxes(reader: FrameReader, sidecar: Path | None) -> BoxTable:
    """The persons that a side-car tells of; nobody where there is none."""
    if sidecar is None:
        return NO_BOXES
    info = reader.info
    return boxes_at(
        read_sidecar(sidecar),
        np.array(reader.times_s),
        fps=info.fps,
        width=info.source_width,
        height=info.source_height,
    )


def _to_source(boxes: BoxTable, reader: FrameReader) -> BoxTable:
    return replace(boxes, xyxy=boxes.xyxy * np.array(reader.info.source_per_stored * 2, np.float32))
