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

    Steps of at most `every` frames are halved until the key frames at both ends show the same persons in the same
    places (who scores `min_score` in one is in the other, IoU ≥ 0.8, with 0.7 of it or more), and every picture between
    resembles one of the two. So what is still costs a look every `every` frames, and comings and goings are found to
    the frame.

    `look` finds the persons in a picture, `sketches` are the video's (mien.perception.shots).
    """
    seen = {shot[0]: look(shot[0])}
    for start, end in pairwise(_steps(shot, every)):
        ahead = [end]  # further ends, the nearest last
        while ahead:
            if ahead[-1] not in seen:
                seen[ahead[-1]] = look(ahead[-1])
            if _is_settled(start, ahead[-1], seen=seen, sketches=sketches, min_score=min_score):
                yield KeyFrame(frame=start, persons=seen.pop(start))
                start = ahead.pop()
            else:
                ahead.append((start + ahead[-1]) // 2)
    yield KeyFrame(frame=shot[-1], persons=seen[shot[-1]])


def _steps(shot: range, every: int) -> list[int]:
    """Frames from the first to the last, as far apart as `every` allows, about evenly.

    For range(10) and every = 4: 0, 3, 6, 9.
    """
    length = shot[-1] - shot[0]
    count = -(-length // every)
    return [shot[0] + length * i // count for i in range(count + 1)] if count else [shot[0]]


def _is_settled(
    start: int, end: int, *, seen: dict[int, Detections], sketches: UInt8[np.ndarray, "f h w"], min_score: float
) -> bool:
    if end - start < 2:
        return True
    return _same_persons(seen[start], seen[end], min_score) and _largest_change(sketches[start : end + 1]) <= SAME_LOOK


def _same_persons(before: Detections, after: Detections, min_score: float) -> bool:
    """Whether everybody seen clearly in one is in the other, in about the same place."""
    for here, there in ((before, after), (after, before)):
        clear, visible = here.xyxy[here.score >= min_score], there.xyxy[there.score >= STILL_SEEN * min_score]
        if len(link(list(clear), visible, min_iou=SAME_PLACE_IOU)) < len(clear):
            return False
    return True


def _largest_change(sketches: UInt8[np.ndarray, "f h w"]) -> float:
    """How far the picture furthest from both the first and the last is from the nearer of the two, in grey levels."""
    between = sketches[1:-1].astype(np.int16)
    to_ends = [np.abs(between - end).mean(axis=(1, 2)) for end in (sketches[0], sketches[-1])]
    return float(np.minimum(*to_ends).max())
