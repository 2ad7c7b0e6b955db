"""Shots: where a video was cut, seen from small versions of its pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, UInt8

MIN_CHANGE = 18.0  # mean grey levels between two pictures; less is not a cut, whatever the rest does
TIMES_USUAL = 4.0  # a cut changes so much more than its surroundings do
SURROUNDINGS = 8  # pictures on each side, half of which may change as much again (a flash, the next cut)


def find_shots(thumbnails: UInt8[np.ndarray, "f h w 3"]) -> list[range]:
    """The frames of each shot, in order, together all frames. Hard cuts only; a fade belongs to one of its shots.

    `thumbnails` are the pictures at a sixteenth of their size or so. A cut is where a picture differs from the one
    before by 18 grey levels or more, and by four times the median change around it (so dancing does not count).
    """
    count = len(thumbnails)
    starts = [0, *(np.flatnonzero(_is_cut(changes(thumbnails))) + 1).tolist()]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True) if end > start]


def changes(thumbnails: UInt8[np.ndarray, "f h w 3"]) -> Float64[np.ndarray, "f1"]:
    """How much each picture but the first differs from the one before: the mean of absolute differences."""
    signed = thumbnails.astype(np.int16)
    return np.array([np.abs(b - a).mean() for a, b in pairwise(signed)], np.float64)


def _is_cut(change: Float64[np.ndarray, "f1"]) -> np.ndarray:
    usual = np.array(
        [np.median(change[max(0, i - SURROUNDINGS) : i + SURROUNDINGS + 1]) for i in range(len(change))], np.float64
    )
    return (change >= MIN_CHANGE) & (change >= TIMES_USUAL * usual)
