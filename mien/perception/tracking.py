"""Persons followed through a shot: boxes of some frames joined into tracks, and carried to the frames between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32
from scipy.optimize import linear_sum_assignment

from mien.types import BoxTable, Detections

NOBODY = -1  # the track of a box that is in none
MIN_IOU = 0.3  # of a person's box with where it was expected; below, it is someone else
MIN_IOU_FAINT = 0.5  # where the detector doubts that it sees anyone, the place must be the better known
PACE_FRAMES = 8  # how far back a person's pace is taken from: at 8 fps a second, which tells walking from swaying


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFrame:
    """A frame in which persons, or faces, were looked for, and those found."""

    frame: int
    found: Detections


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
    """The tracks of each shot in all its frames.

    Scores move linearly too, but pass over the faint sightings between clear ones: of a person hard to see for a moment
    the detector still tells where, and the moments before and after tell that it is one. Faint beginnings and ends keep
    their low scores.
    """
    parts = []
    for keys, of_shot in zip(shots, tracks, strict=True):
        xyxy, score = [key.found.xyxy for key in keys], [key.found.score[:, None] for key in keys]
        for track in of_shot:
            frames, boxes = spread(track, keys, xyxy)
            _, scores = spread(_scored(track, keys, min_score), keys, score)
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


def _scored(track: Track, keys: Sequence[KeyFrame], min_score: float) -> Track:
    """The sightings whose scores count: all but the faint ones between clear ones."""
    clear = [keys[number].found.score[i] >= min_score for number, i in zip(track.keys, track.boxes, strict=True)]
    first, last = clear.index(True), len(clear) - 1 - clear[::-1].index(True)
    kept = [k for k in range(len(clear)) if clear[k] or not first < k < last]
    return Track(keys=[track.keys[k] for k in kept], boxes=[track.boxes[k] for k in kept])


def find_tracks(keys: Sequence[KeyFrame], *, max_gap: int, min_score: float = 0.0) -> list[Track]:
    """The persons of one shot, in order of first clear sight; `keys` in order of frame.

    As in ByteTrack (Zhang et al., ECCV 2022): boxes scored `min_score` or more are shared out among the tracks first,
    the fainter ones then among the tracks left over; they keep a track alive and never begin one. A track is open while
    it was seen in the key frame before, or at most `max_gap` frames ago: a person the detector misses for a moment is
    still the same. Beyond ByteTrack, which cannot look ahead, a track is led back through the faint boxes before its
    first clear one. In place of a Kalman filter, as key frames are unevenly apart: the pace of the last 8 frames.
    """
    tracks: list[Track] = []
    for number, key in enumerate(keys):
        open_tracks = [t for t in tracks if t.keys[-1] == number - 1 or key.frame - keys[t.keys[-1]].frame <= max_gap]
        owners = _share_out(open_tracks, keys, number, clear=key.found.score >= min_score)
        for i, score in enumerate(key.found.score):
            if i not in owners and score >= min_score:
                tracks.append(owners.setdefault(i, Track()))
        for i, track in owners.items():
            track.keys.append(number)
            track.boxes.append(i)
    _begin_earlier(tracks, keys)
    return tracks


def _share_out(
    tracks: Sequence[Track], keys: Sequence[KeyFrame], number: int, *, clear: Bool[np.ndarray, "n"]
) -> dict[int, Track]:
    """Whose the boxes of key frame `number` are: by the box's number, the track; some are nobody's."""
    xyxy = keys[number].found.xyxy
    owners: dict[int, Track] = {}
    for boxes, min_iou in ((np.flatnonzero(clear), MIN_IOU), (np.flatnonzero(~clear), MIN_IOU_FAINT)):
        waiting = [track for track in tracks if track not in owners.values()]
        expected = [_expected(track, keys, keys[number].frame) for track in waiting]
        owners |= {int(boxes[i]): waiting[j] for i, j in link(expected, xyxy[boxes], min_iou=min_iou).items()}
    return owners


def _expected(track: Track, keys: Sequence[KeyFrame], frame: int) -> Float32[np.ndarray, "4"]:
    """Where a track's person should be in a frame: its last box, moved on at the pace of its centre of late."""
    last = keys[track.keys[-1]].frame
    seen = [(keys[number].frame, keys[number].found.xyxy[i]) for number, i in _latest(track, keys)]
    times = np.array([time for time, _ in seen], np.float64)
    centres = np.stack([(box[:2] + box[2:]) / 2 for _, box in seen])  # k 2
    times -= times.mean()
    spreads = (times**2).sum()
    pace = times @ (centres - centres.mean(axis=0)) / spreads if spreads > 0 else np.zeros(2)  # least squares
    return seen[-1][1] + np.tile((frame - last) * pace, 2).astype(np.float32)


def _latest(track: Track, keys: Sequence[KeyFrame]) -> list[tuple[int, int]]:
    """The last two sightings, and all others of the 8 frames before the last."""
    since = keys[track.keys[-1]].frame - PACE_FRAMES
    count = max(2, sum(keys[number].frame >= since for number in track.keys[-PACE_FRAMES - 1 :]))
    return list(zip(track.keys[-count:], track.boxes[-count:], strict=True))


def _begin_earlier(tracks: Sequence[Track], keys: Sequence[KeyFrame]) -> None:
    """Lead tracks back through the faint boxes before their first clear one."""
    owned = {(number, i) for track in tracks for number, i in zip(track.keys, track.boxes, strict=True)}
    for number in reversed(range(len(keys) - 1)):
        free = [i for i in range(len(keys[number].found.score)) if (number, i) not in owned]
        begun = [track for track in tracks if track.keys[0] == number + 1]
        first = [keys[number + 1].found.xyxy[track.boxes[0]] for track in begun]
        for i, j in link(first, keys[number].found.xyxy[free], min_iou=MIN_IOU_FAINT).items():
            begun[j].keys.insert(0, number)
            begun[j].boxes.insert(0, free[i])


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
