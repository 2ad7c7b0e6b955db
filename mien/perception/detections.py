"""Detections as a list: chosen rows of it, those in the picture, and each thing once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from mien.perception.letterbox import Letterbox
from mien.perception.tracking import iou
from mien.types import Detections


def choose(found: Detections, rows: Int[np.ndarray, "m"]) -> Detections:
    """The detections of these numbers, in this order."""
    landmarks = None if found.landmarks is None else found.landmarks[rows]
    return Detections(xyxy=found.xyxy[rows], score=found.score[rows], landmarks=landmarks)


def highest_first(found: Detections) -> Detections:
    return choose(found, np.argsort(-found.score, kind="stable"))


def without_doubles(found: Detections, *, same_iou: float) -> Detections:
    """Of those that overlap by `same_iou` or more only the one with the higher score; `found` has highest first."""
    overlap = iou(found.xyxy, found.xyxy)
    kept: list[int] = []
    for i in range(len(found.score)):
        if (overlap[i, kept] < same_iou).all():
            kept.append(i)
    return choose(found, np.array(kept, np.int64))


def in_frame(found: Detections, letterbox: Letterbox) -> Detections:
    """What was found in a network's input, in pixels of the frame; what lies wholly outside the frame is no more."""
    landmarks = None if found.landmarks is None else letterbox.points_to_frame(found.landmarks)
    moved = Detections(xyxy=letterbox.to_frame(found.xyxy), score=found.score, landmarks=landmarks)
    has_area = (moved.xyxy[:, 2:] > moved.xyxy[:, :2]).all(axis=1)
    return choose(moved, np.flatnonzero(has_area))
