"""Persons followed through a video: boxes of some frames joined into tracks, and carried to the frames between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from mien.types import BoxTable, Detections

MIN_IOU = 0.3  # of a person's boxes in two detected frames; below, it is someone else, or the picture was cut


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFrame:
    """A frame in which persons were looked for, and who was found."""

    frame: int
    persons: Detections


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """One person in one frame."""

    frame: int
    xyxy: Float32[np.ndarray, "4"]
    score: float
    track: int


def track_through(keys: Sequence[KeyFrame], *, num_frames: int) -> BoxTable:
    """Everyone in every frame, given who is in the `keys` (in order of frame, the first one frame 0).

    A person keeps the track of the box in the previous key frame that overlaps most (greedily, IoU ≥ 0.3). Between two
    key frames, joined boxes move linearly; one that is not joined stays until half-way to the other key frame.
    """
    rows: list[_Seen] = []
    before: list[_Seen] = []
    num_tracks = 0
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        linked = link([seen.xyxy for seen in before], key.persons.xyxy)
        now = []
        for i, (xyxy, score) in enumerate(zip(key.persons.xyxy, key.persons.score, strict=True)):
            earlier = before[linked[i]] if i in linked else None
            track = earlier.track if earlier else num_tracks
            num_tracks += earlier is None
            now.append(_Seen(frame=key.frame, xyxy=xyxy, score=float(score), track=track))
            if earlier:
                rows += _between(earlier, now[-1])
            elif before or rows or key.frame:
                first = _half_way(keys, key)
                rows += [_moved(now[-1], frame) for frame in range(first, key.frame)]
        joined = set(linked.values())
        rows += [
            _moved(seen, frame)
            for j, seen in enumerate(before)
            if j not in joined
            for frame in range(seen.frame + 1, _half_way(keys, key))
        ]
        rows += now
        before = now
        if following is None:
            rows += [_moved(seen, frame) for seen in now for frame in range(key.frame + 1, num_frames)]
    rows.sort(key=lambda seen: (seen.frame, seen.track))
    return BoxTable(
        frame=np.array([seen.frame for seen in rows], np.int32),
        xyxy=np.array([seen.xyxy for seen in rows], np.float32).reshape(-1, 4),
        score=np.array([seen.score for seen in rows], np.float32),
        track=np.array([seen.track for seen in rows], np.int32),
        speaking=np.zeros(len(rows), np.bool_),
    )


def link(before: Sequence[Float32[np.ndarray, "4"]], now: Float32[np.ndarray, "n 4"]) -> dict[int, int]:
    """For boxes of `now`, the box of `before` that is the same person: pairs of greatest overlap first."""
    if not len(before) or not len(now):
        return {}
    overlap = iou(now, np.stack(before))
    pairs: dict[int, int] = {}
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        i, j = divmod(int(flat), len(before))
        if overlap[i, j] < MIN_IOU:
            break
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box of `a` with every box of `b`."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])  # n m 2
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)  # n m
    area_a, area_b = (np.prod(x[:, 2:] - x[:, :2], axis=1) for x in (a, b))
    return shared / np.maximum(area_a[:, None] + area_b[None] - shared, np.finfo(shared.dtype).tiny)


def _between(earlier: _Seen, later: _Seen) -> list[_Seen]:
    """The frames strictly between two sights of a person."""
    steps = later.frame - earlier.frame
    return [
        _Seen(
            frame=earlier.frame + step,
            xyxy=earlier.xyxy + (later.xyxy - earlier.xyxy) * np.float32(step / steps),
            score=earlier.score + (later.score - earlier.score) * step / steps,
            track=earlier.track,
        )
        for step in range(1, steps)
    ]


def _moved(seen: _Seen, frame: int) -> _Seen:
    return _Seen(frame=frame, xyxy=seen.xyxy, score=seen.score, track=seen.track)


def _half_way(keys: Sequence[KeyFrame], key: KeyFrame) -> int:
    """The first frame that is nearer to `key` than to the key frame before it."""
    previous = max((k.frame for k in keys if k.frame < key.frame), default=-1)
    return (previous + key.frame) // 2 + 1
