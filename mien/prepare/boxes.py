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
from mien.perception.shots import find_shots
from mien.perception.tracking import KeyFrame, track_shots
from mien.prepare.sidecar import boxes_at, read_sidecar
from mien.types import BoxTable, Detections

THUMBNAIL = 32  # pixels of the short side: libjpeg decodes 256 to it at an eighth, fastest of all
LONGEST_MISS_S = 0.5  # a person not found for so long is taken to have stayed


class BoxSettings(Config):
    """Where boxes come from."""

    source: Literal["detector", "sidecar", "none"] = "detector"
    detector: str = "centernet"
    min_score: float | None = Field(None, ge=0, le=1)
    """Detections below are not kept; None takes the detector's own threshold."""
    every: int = Field(4, ge=1)
    """Detect in every n-th picture of a shot, and in its last; in those between, persons move linearly."""


def detect_boxes(
    reader: FrameReader,
    detector: Detector,
    *,
    settings: BoxSettings,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> BoxTable:
    """The persons that `detector` finds in a video's stored pictures, numbered through the video.

    It looks at every n-th picture of a shot and at the shot's first and last; between them, persons move linearly.
    """
    min_score = detector.threshold if settings.min_score is None else settings.min_score
    thumbnails = np.stack([reader.decode(i, min_short_side=THUMBNAIL) for i in range(len(reader))])
    shots = [sorted({*shot[:: settings.every], shot[-1]}) for shot in find_shots(thumbnails)]
    num_keys, num_done = sum(len(shot) for shot in shots), 0
    keys: list[list[KeyFrame]] = []
    for shot in shots:
        keys.append([])
        for i in shot:
            (found,) = detector.detect(reader.decode(i)[None])
            keys[-1].append(KeyFrame(frame=i, persons=_above(found, min_score)))
            num_done += 1
            on_fraction(num_done / num_keys)
    max_gap = max(settings.every, round(LONGEST_MISS_S * reader.info.fps))
    return _to_source(track_shots(keys, max_gap=max_gap), reader)


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
