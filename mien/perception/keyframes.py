"""Key frames: the pictures of a shot in which persons are looked for; between them, they are known well enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import UInt8

from mien.perception.tracking import KeyFrame, link
from mien.types import Detections

SAME_PLACE_IOU = 0.8  # of a person's boxes in two key frames that need none between
STILL_SEEN = 0.7  # of the least score: who is this faint in the other key frame has not come or gone
SAME_LOOK = 8.0  # mean grey levels by which a picture between may differ from the nearer-looking key frame


def find_key_frames(
    shot: range,
    look: Callable[[int], Detections],
    *,
    sketches: UInt8[np.ndarray, "f h w"],
    every: int,
    min_score: float,
) -> Iterator[KeyFrame]:
    """The shot's first picture, its last, and as many between as it takes, each once, in order.

    Steps of at most `every` frames are halved until one of these holds. The key frames at both ends show the same
    persons in the same places (who scores `min_score` in one is in the other, IoU ≥ 0.8, with 0.7 of it or more), and
    every picture between resembles one of the two. Or the key frame half-way shows everyone half-way. So what is still
    costs a look every `every` frames, a steady walk or pan two, and comings and goings are found to the frame.

    `look` finds the persons in a picture, `sketches` are the video's (mien.perception.shots).
    """
    seen: dict[int, Detections] = {}

    def at(frame: int) -> Detections:
        if frame not in seen:
            seen[frame] = look(frame)
        return seen[frame]

    for start, last in pairwise(_steps(shot, every)):
        ends = [last]  # further ends, the nearest last
        while ends:
            middle, end = (start + ends[-1]) // 2, ends[-1]
            if _is_settled(at(start), at(end), sketches[start : end + 1], min_score):
                known = [start]
            elif _is_foretold(at(start), at(middle), at(end), min_score):
                known = [start, middle]
            else:
                ends.append(middle)
                continue
            yield from (KeyFrame(frame=frame, found=seen.pop(frame)) for frame in known)
            start = ends.pop()
    yield KeyFrame(frame=shot[-1], found=at(shot[-1]))


def _steps(shot: range, every: int) -> list[int]:
    """Frames from the first to the last, as far apart as `every` allows, about evenly.

    For range(10) and every = 4: 0, 3, 6, 9.
    """
    length = shot[-1] - shot[0]
    count = -(-length // every)
    return [shot[0] + length * i // count for i in range(count + 1)] if count else [shot[0]]


def _is_settled(before: Detections, after: Detections, sketches: UInt8[np.ndarray, "f h w"], min_score: float) -> bool:
    """Whether nothing happens in between; `sketches` are of both key frames and all pictures between."""
    if len(sketches) == 2:
        return True
    return _same_persons(before, after, min_score) and _largest_change(sketches) <= SAME_LOOK


def _same_persons(before: Detections, after: Detections, min_score: float) -> bool:
    """Whether everybody seen clearly in one is in the other, in about the same place."""
    for here, there in ((before, after), (after, before)):
        clear, visible = here.xyxy[here.score >= min_score], there.xyxy[there.score >= STILL_SEEN * min_score]
        if len(link(list(clear), visible, min_iou=SAME_PLACE_IOU)) < len(clear):
            return False
    return True


def _is_foretold(before: Detections, between: Detections, after: Detections, min_score: float) -> bool:
    """Whether all who are seen clearly half-way are where a steady movement would have them."""
    a, b, c = (found.xyxy[found.score >= min_score] for found in (before, between, after))
    steady = [(a[j] + c[i]) / 2 for i, j in link(list(a), c).items()]
    return len(a) == len(b) == len(c) == len(link(steady, b, min_iou=SAME_PLACE_IOU))


def _largest_change(sketches: UInt8[np.ndarray, "f h w"]) -> float:
    """How far the picture furthest from both the first and the last is from the nearer of the two, in grey levels."""
    between = sketches[1:-1].astype(np.int16)
    to_ends = [np.abs(between - end).mean(axis=(1, 2)) for end in (sketches[0], sketches[-1])]
    return float(np.minimum(*to_ends).max())
