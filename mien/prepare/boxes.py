"""The stage that says who is where in each stored picture: from a detector, from a side-car, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from mien.config import Config
from mien.data.tables import NO_BOXES
from mien.media.frames import FrameReader
from mien.perception.detector import Detector
from mien.perception.tracking import KeyFrame, track_through
from mien.prepare.sidecar import boxes_at, read_sidecar
from mien.types import BoxTable, Detections

FRAMES_AT_ONCE = 8


class BoxSettings(Config):
    """Where boxes come from."""

    source: Literal["detector", "sidecar", "none"] = "detector"
    detector: str = "centernet"
    min_score: float | None = Field(None, ge=0, le=1)
    """Detections below are not kept; None takes the detector's own threshold."""
    every: int = Field(1, ge=1)
    """Detect in every n-th picture, and follow the persons through those between."""


def detect_boxes(
    reader: FrameReader,
    detector: Detector,
    *,
    settings: BoxSettings,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> BoxTable:
    """The persons that `detector` finds in a video's stored pictures, numbered through the video."""
    min_score = detector.threshold if settings.min_score is None else settings.min_score
    numbers = range(0, len(reader), settings.every)
    keys: list[KeyFrame] = []
    for start in range(0, len(numbers), FRAMES_AT_ONCE):
        chosen = numbers[start : start + FRAMES_AT_ONCE]
        found = detector.detect(np.stack([reader.decode(i) for i in chosen]))
        keys += [KeyFrame(frame=i, persons=_above(d, min_score)) for i, d in zip(chosen, found, strict=True)]
        on_fraction((start + len(chosen)) / len(numbers))
    return _to_source(track_through(keys, num_frames=len(reader)), reader)


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


def _above(found: Detections, min_score: float) -> Detections:
    keep = found.score >= min_score
    return Detections(xyxy=found.xyxy[keep], score=found.score[keep])


def _to_source(boxes: BoxTable, reader: FrameReader) -> BoxTable:
    info = reader.info
    scale = np.array([info.source_width / info.width, info.source_height / info.height] * 2, np.float32)
    return BoxTable(
        frame=boxes.frame, xyxy=boxes.xyxy * scale, score=boxes.score, track=boxes.track, speaking=boxes.speaking
    )
