"""Persons followed through a shot: boxes of some frames joined into tracks, and carried to the frames between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32

from mien.types import BoxTable, Detections

MIN_IOU = 0.3  # of a person's boxes in two detected frames; below, it is someone else


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFrame:
    """A frame in which persons were looked for, and who was found."""

    frame: int
    persons: Detections


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One person's boxes in the frames where it was seen."""

    frames: list[int]
    boxes: list[Float32[np.ndarray, "5"]]
    """x0 y0 x1 y1 score."""


def track_shots(shots: Sequence[Sequence[KeyFrame]], *, max_gap: int) -> BoxTable:
    """Everyone in every frame from a shot's first key frame to its last; tracks are numbered through all shots.

    Between two key frames where a person was seen, its box moves linearly. Where it was seen in one of them only, it
    came or went half-way.
    """
    parts = [
        _fill(track, [key.frame for key in keys]) for keys in shots for track in find_tracks(keys, max_gap=max_gap)
    ]
    frame = np.concatenate([np.zeros(0, np.int32), *(frames for frames, _ in parts)])
    boxes = np.concatenate([np.zeros((0, 5), np.float32), *(boxes for _, boxes in parts)])
    number = np.repeat(np.arange(len(parts), dtype=np.int32), [len(frames) for frames, _ in parts])
    order = np.lexsort((number, frame))
    return BoxTable(
        frame=frame[order],
        xyxy=boxes[order, :4],
        score=boxes[order, 4],
        track=number[order],
        speaking=np.zeros(len(order), np.bool_),
    )


def find_tracks(keys: Sequence[KeyFrame], *, max_gap: int) -> list[Track]:
    """The persons of one shot, in order of appearance; `keys` in order of frame.

    A box belongs to the track whose last box it overlaps most, greedily, if by IoU ≥ 0.3 and at most `max_gap` frames
    later: a person the detector misses for a moment is still the same.
    """
    tracks: list[Track] = []
    for key in keys:
        open_tracks = [track for track in tracks if key.frame - track.frames[-1] <= max_gap]
        linked = link([track.boxes[-1][:4] for track in open_tracks], key.persons.xyxy)
        for i, (xyxy, score) in enumerate(zip(key.persons.xyxy, key.persons.score, strict=True)):
            if i in linked:
                track = open_tracks[linked[i]]
            else:
                track = Track(frames=[], boxes=[])
                tracks.append(track)
            track.frames.append(key.frame)
            track.boxes.append(np.append(xyxy, score))
    return tracks


def link(before: Sequence[Float32[np.ndarray, "4"]], now: Float32[np.ndarray, "n 4"]) -> dict[int, int]:
    """For boxes of `now`, by number, the box of `before` that is the same person: greatest overlap first."""
    if not before or not len(now):
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
    """Intersection over union of every box of `a` with every box of `b`; 0 where both are empty."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])  # n m 2
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)  # n m
    area_a, area_b = (np.prod(x[:, 2:] - x[:, :2], axis=1) for x in (a, b))
    union = area_a[:, None] + area_b[None] - shared
    return shared / np.where(union > 0, union, 1)


def _fill(track: Track, key_frames: Sequence[int]) -> tuple[Int32[np.ndarray, "n"], Float32[np.ndarray, "n 5"]]:
    """The track in every frame, from half-way before it was first seen to half-way after it was last."""
    first, last = key_frames.index(track.frames[0]), key_frames.index(track.frames[-1])
    start = (key_frames[first - 1] + key_frames[first]) // 2 + 1 if first > 0 else key_frames[0]
    end = (key_frames[last] + key_frames[last + 1]) // 2 if last + 1 < len(key_frames) else key_frames[-1]
    frames = np.arange(start, end + 1, dtype=np.int32)
    known = np.stack(track.boxes).T  # 5 k
    filled = [np.interp(frames, track.frames, column) for column in known]
    return frames, np.stack(filled, axis=1).astype(np.float32)
