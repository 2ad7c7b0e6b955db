"""Persons followed through a shot: boxes of some frames joined into tracks, and carried to the frames between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32
from scipy.optimize import linear_sum_assignment

from mien.types import BoxTable, Detections

MIN_IOU = 0.3  # of a person's boxes in two key frames; below, it is someone else
MIN_IOU_FAINT = 0.5  # where the detector is in doubt whether it sees anyone, the place must be the better known
MAX_FORECAST = 1.0  # of the time between the last two sightings: further ahead, a movement goes on no longer


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFrame:
    """A frame in which persons were looked for, and who was found."""

    frame: int
    persons: Detections


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Track:
    """One person: the key frames in which it was seen, by number, and which of the boxes there is its own."""

    keys: list[int] = field(default_factory=list)
    boxes: list[int] = field(default_factory=list)


def track_shots(shots: Sequence[Sequence[KeyFrame]], *, max_gap: int, min_score: float = 0.0) -> BoxTable:
    """Everyone in every frame from a shot's first key frame to its last; tracks are numbered through all shots.

    Between two key frames where a person was seen, its box moves linearly. Where it was seen in one of them only, it
    came or went half-way.
    """
    tracks = [find_tracks(keys, max_gap=max_gap, min_score=min_score) for keys in shots]
    return table_of(shots, tracks, min_score=min_score)


def table_of(
    shots: Sequence[Sequence[KeyFrame]], tracks: Sequence[Sequence[Track]], *, min_score: float = 0.0
) -> BoxTable:
    """The tracks of each shot in all its frames. Scores are those of the clear sightings, and move linearly between.

    So who is hard to see for a moment keeps the score of before and after: the place is what the faint boxes add.
    """
    parts = []
    for keys, of_shot in zip(shots, tracks, strict=True):
        xyxy, score = [key.persons.xyxy for key in keys], [key.persons.score[:, None] for key in keys]
        for track in of_shot:
            frames, boxes = spread(track, keys, xyxy)
            _, scores = spread(_clear(track, keys, min_score), keys, score)
            parts.append((frames, np.concatenate([boxes, scores], axis=1)))
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


def find_tracks(keys: Sequence[KeyFrame], *, max_gap: int, min_score: float = 0.0) -> list[Track]:
    """The persons of one shot, in order of appearance; `keys` in order of frame.

    As in ByteTrack (Zhang et al., ECCV 2022): boxes scored `min_score` or more are shared out among the tracks first,
    the fainter ones then among the tracks left over; they keep a track alive and never begin one. A track is open while
    it was seen in the key frame before, or at most `max_gap` frames ago: a person the detector misses for a moment is
    still the same.
    """
    tracks: list[Track] = []
    for number, key in enumerate(keys):
        open_tracks = [t for t in tracks if t.keys[-1] == number - 1 or key.frame - keys[t.keys[-1]].frame <= max_gap]
        owners = _share_out(open_tracks, keys, number, clear=key.persons.score >= min_score)
        for i, score in enumerate(key.persons.score):
            if i not in owners and score >= min_score:
                tracks.append(owners.setdefault(i, Track()))
        for i, track in owners.items():
            track.keys.append(number)
            track.boxes.append(i)
    return [_without_faint_end(track, keys, min_score) for track in tracks]


def _share_out(
    tracks: Sequence[Track], keys: Sequence[KeyFrame], number: int, *, clear: Bool[np.ndarray, "n"]
) -> dict[int, Track]:
    """Whose the boxes of key frame `number` are: by the box's number, the track; some are nobody's."""
    persons = keys[number].persons
    owners: dict[int, Track] = {}
    for boxes, min_iou in ((np.flatnonzero(clear), MIN_IOU), (np.flatnonzero(~clear), MIN_IOU_FAINT)):
        waiting = [track for track in tracks if track not in owners.values()]
        pairs = link([_expected(track, keys, number) for track in waiting], persons.xyxy[boxes], min_iou=min_iou)
        owners |= {int(boxes[i]): waiting[j] for i, j in pairs.items()}
    return owners


def _expected(track: Track, keys: Sequence[KeyFrame], number: int) -> Float32[np.ndarray, "4"]:
    """Where a track's person should be in key frame `number`, if it moves on as it last did, but not for long."""
    last = keys[track.keys[-1]]
    box = last.persons.xyxy[track.boxes[-1]]
    if len(track.keys) < 2:
        return box
    before = keys[track.keys[-2]]
    share = (keys[number].frame - last.frame) / (last.frame - before.frame)
    moved: Float32[np.ndarray, "4"] = box - before.persons.xyxy[track.boxes[-2]]
    return box + np.float32(min(share, MAX_FORECAST)) * moved


def link(
    before: Sequence[Float32[np.ndarray, "4"]], now: Float32[np.ndarray, "n 4"], *, min_iou: float = MIN_IOU
) -> dict[int, int]:
    """For boxes of `now`, by number, the box of `before` that is the same person: the greatest overlap in all."""
    if not before or not len(now):
        return {}
    overlap = iou(now, np.stack(before))
    gain = np.where(overlap >= min_iou, overlap, 0)
    return {int(i): int(j) for i, j in zip(*linear_sum_assignment(-gain), strict=True) if gain[i, j] > 0}


def iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box of `a` with every box of `b`; 0 where both are empty."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])  # n m 2
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)  # n m
    area_a, area_b = (np.prod(x[:, 2:] - x[:, :2], axis=1) for x in (a, b))
    union = area_a[:, None] + area_b[None] - shared
    return shared / np.where(union > 0, union, 1)


def spread(
    track: Track, keys: Sequence[KeyFrame], columns: Sequence[Float[np.ndarray, "_ c"]]
) -> tuple[Int32[np.ndarray, "f"], Float32[np.ndarray, "f c"]]:
    """A track's frames, from half-way before it was first seen to half-way after it was last, and columns for each.

    `columns` has a row a person for each key frame: boxes, scores, landmarks, whatever moves linearly between.
    """
    first, last = track.keys[0], track.keys[-1]
    start = (keys[first - 1].frame + keys[first].frame) // 2 + 1 if first > 0 else keys[0].frame
    end = (keys[last].frame + keys[last + 1].frame) // 2 if last + 1 < len(keys) else keys[-1].frame
    frames = np.arange(start, end + 1, dtype=np.int32)
    seen = [keys[number].frame for number in track.keys]
    known = np.stack([columns[number][i] for number, i in zip(track.keys, track.boxes, strict=True)], axis=1)  # c k
    return frames, np.stack([np.interp(frames, seen, column) for column in known], axis=1).astype(np.float32)


def _without_faint_end(track: Track, keys: Sequence[KeyFrame], min_score: float) -> Track:
    """Up to the last box that was clear: the fainter ones after it may be of nobody."""
    end = track.keys.index(_clear(track, keys, min_score).keys[-1]) + 1
    return Track(keys=track.keys[:end], boxes=track.boxes[:end])


def _clear(track: Track, keys: Sequence[KeyFrame], min_score: float) -> Track:
    """Where the track was seen clearly."""
    pairs = zip(track.keys, track.boxes, strict=True)
    seen = [(number, i) for number, i in pairs if keys[number].persons.score[i] >= min_score]
    return Track(keys=[number for number, _ in seen], boxes=[i for _, i in seen])
