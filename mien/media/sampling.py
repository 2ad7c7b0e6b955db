"""Which frames to take: pure functions; the indices they return are sorted."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Int

TIME_TOLERANCE_S = 1e-6  # 0.3 * 10 is 3.0000000000000004

SampleFrames = Callable[..., Int[np.ndarray, "_"]]
"""A policy without chance: `(num_frames, *, count)` → which frames of a clip are read."""


def evenly(num_frames: int, *, count: int) -> Int[np.ndarray, "count"]:
    """`count` frames spread evenly from the first to the last; frames repeat where there are fewer.

    >>> evenly(17, count=3).tolist(), evenly(2, count=4).tolist()
    ([0, 8, 16], [0, 0, 1, 1])
    """
    return np.floor(np.linspace(0, num_frames - 1, count) + 0.5 - 1e-9).astype(np.int64)


def random_in_order(num_frames: int, *, count: int, rng: np.random.Generator) -> Int[np.ndarray, "count"]:
    """A random choice of `count` of the frames, in order, without repetition where there are enough.

    Source: EmotionCLIP, released code ("random choice of 8 of the clip's frames").
    """
    if num_frames < count:
        return evenly(num_frames, count=count)
    return np.sort(rng.choice(num_frames, size=count, replace=False))


def segment_midpoints(num_frames: int, *, count: int) -> Int[np.ndarray, "count"]:
    """The middle frame of each of `count` equal segments (the facial video sets' test protocol).

    >>> segment_midpoints(16, count=4).tolist()
    [2, 6, 10, 14]
    """
    return np.floor((np.arange(count) + 0.5) * num_frames / count).astype(np.int64)


def frame_range(start_s: float, end_s: float, *, fps: float) -> tuple[int, int]:
    """The frames i (half-open) whose time i/fps lies in [start_s, end_s).

    >>> frame_range(0.5, 1.0, fps=8), frame_range(0.51, 1.01, fps=8)
    ((4, 8), (5, 9))
    """
    return math.ceil((start_s - TIME_TOLERANCE_S) * fps), math.ceil((end_s - TIME_TOLERANCE_S) * fps)
