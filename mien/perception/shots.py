"""Shots: where a video was cut, and how much happens in between, seen from small versions of its pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

MIN_CHANGE = 18.0  # mean grey levels between two pictures; less is not a cut, whatever the rest does
TIMES_USUAL = 4.0  # a cut changes so much more than its surroundings do
SURROUNDINGS = 8  # pictures on each side, half of which may change as much again (a flash, the next cut)
SKETCH = (16, 12)  # width and height: a person's gesture shows, noise does not, and an hour at 8 fps takes 6 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What a video looks like from afar: its shots, and a tiny grey version of each picture."""

    shots: list[range]
    """The frames of each, in order; together all frames."""
    sketches: UInt8[np.ndarray, "f 12 16"]


def overview(thumbnails: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Overview:
    """Shots and sketches, from one pass that holds two thumbnails at a time.

    `thumbnails` are the pictures at a sixteenth of their size or so. A cut is where a picture differs from the one
    before by 18 grey levels or more, and by four times the median change around it (so dancing does not count). Only
    hard cuts are found; a fade belongs to one of its shots.
    """
    sketches: list[np.ndarray] = []
    change: list[float] = []
    before: np.ndarray | None = None
    for thumbnail in thumbnails:
        sketches.append(cv2.resize(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY), SKETCH, interpolation=cv2.INTER_AREA))
        if before is not None:
            change.append(float(cv2.absdiff(thumbnail, before).mean()))
        before = thumbnail
    count = len(sketches)
    starts = [0, *(np.flatnonzero(_is_cut(np.array(change, np.float64))) + 1).tolist()]
    return Overview(
        shots=[range(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True) if end > start],
        sketches=np.stack(sketches) if sketches else np.zeros((0, *SKETCH[::-1]), np.uint8),
    )


def _is_cut(change: Float64[np.ndarray, "f1"]) -> Bool[np.ndarray, "f1"]:
    usual = np.array(
        [np.median(change[max(0, i - SURROUNDINGS) : i + SURROUNDINGS + 1]) for i in range(len(change))], np.float64
    )
    return (change >= MIN_CHANGE) & (change >= TIMES_USUAL * usual)
