"""Faces followed through a video, each given to the person whose box holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float32, Int32
from scipy.optimize import linear_sum_assignment

from mien.perception.tracking import NOBODY, KeyFrame, find_tracks, spread
from mien.types import BoxTable, FaceTable

HEAD_SIDES = 0.5  # where in a person's box a face's middle is likeliest: half-way across,
HEAD_DOWN = 0.2  # and a fifth down, from a twelfth of somebody standing to a half of a close-up


def face_table(
    shots: Sequence[Sequence[KeyFrame]],
    boxes: BoxTable,
    *,
    scale: tuple[float, float],
    max_gap: int,
    min_score: float,
) -> FaceTable:
    """The faces seen in key frames, in all frames of each shot, in the pixels of `boxes`, with their persons' numbers.

    A face that no person's box holds keeps the number of its person while it can be followed, or has a number of its
    own, after the persons', the same in every frame.

    `scale` are the pixels of `boxes`, across and down, that a pixel of the key frames is. Between key frames, boxes,
    landmarks and scores move linearly; faces are followed as persons are (mien.perception.tracking).
    """
    parts = [
        spread(track, keys, [_columns(key) for key in keys])
        for keys in shots
        for track in find_tracks(keys, max_gap=max_gap, min_score=min_score)
    ]
    frame = np.concatenate([np.zeros(0, np.int32), *(frames for frames, _ in parts)])
    columns = np.concatenate([np.zeros((0, 15), np.float32), *(columns for _, columns in parts)])
    own_track = np.repeat(np.arange(len(parts), dtype=np.int32), [len(frames) for frames, _ in parts])
    order = np.lexsort((own_track, frame))
    frame, columns, own_track = frame[order], columns[order], own_track[order]
    xyxy = columns[:, :4] * np.array(scale * 2, np.float32)
    return FaceTable(
        frame=frame,
        xyxy=xyxy,
        landmarks=columns[:, 5:].reshape(-1, 5, 2) * np.array(scale, np.float32),
        score=columns[:, 4],
        track=with_own_numbers(
            persons_of(frame, xyxy, own_track, boxes),
            frame,
            own_track,
            first=int(boxes.track.max(initial=NOBODY)) + 1,
        ),
    )


def persons_of(
    frame: Int32[np.ndarray, "n"], xyxy: Float32[np.ndarray, "n 4"], own_track: Int32[np.ndarray, "n"], boxes: BoxTable
) -> Int32[np.ndarray, "n"]:
    """The person each face belongs to, -1 where there is none; faces are sorted by frame.

    In each frame, a face may belong to a person whose box holds its middle, and those of a frame are paired so that
    faces are as near as they can be to where heads are. A face then belongs to the person it is paired with most often
    through its own track, in every frame that has this person's box; in others, to the one it is paired with there. No
    two faces of a frame belong to one person: the one with the higher count does.
    """
    paired = np.full(len(frame), NOBODY, np.int32)
    for of_faces, of_boxes in _frames(frame, boxes.frame):
        for i, j in pair(xyxy[of_faces], boxes.xyxy[of_boxes]):
            paired[of_faces.start + i] = boxes.track[of_boxes.start + j]
    usual, count = _most_often(own_track, paired)
    person = np.full(len(frame), NOBODY, np.int32)
    for of_faces, of_boxes in _frames(frame, boxes.frame):
        present = set(boxes.track[of_boxes].tolist())
        rows = range(of_faces.start, of_faces.stop)
        wanted = {i: usual[i] if usual[i] in present else paired[i] for i in rows}
        taken: set[int] = {NOBODY}
        for i in sorted(rows, key=lambda i: (wanted[i] != usual[i], -count[i], i)):
            if int(wanted[i]) not in taken:
                person[i] = wanted[i]
                taken.add(int(wanted[i]))
    return person


def with_own_numbers(
    person: Int32[np.ndarray, "n"], frame: Int32[np.ndarray, "n"], own_track: Int32[np.ndarray, "n"], *, first: int
) -> Int32[np.ndarray, "n"]:
    """`person`, and for faces that are nobody's a number that stays with their own track; faces are sorted by frame.

    It is the person whom the track belongs to most often, where no other face of the frame is that one's; else one from
    `first` on, in the order in which such tracks begin.
    """
    usual, _ = _most_often(own_track, person)
    found, taken = person.copy(), set(zip(frame.tolist(), person.tolist(), strict=True))
    numbers: dict[int, int] = {}
    for i in np.flatnonzero(person == NOBODY).tolist():
        wanted = int(usual[i])
        if wanted == NOBODY or (int(frame[i]), wanted) in taken:
            wanted = first + numbers.setdefault(int(own_track[i]), len(numbers))
        found[i] = wanted
        taken.add((int(frame[i]), wanted))
    return found


def pair(faces: Float32[np.ndarray, "f 4"], persons: Float32[np.ndarray, "p 4"]) -> list[tuple[int, int]]:
    """Faces and persons that belong together, by number: as many as can, then as well as they can."""
    if not len(faces) or not len(persons):
        return []
    middle = (faces[:, None, :2] + faces[:, None, 2:]) / 2  # f 1 2
    inside = ((persons[:, :2] <= middle) & (middle <= persons[:, 2:])).all(axis=2)  # f p
    sides = persons[:, 2:] - persons[:, :2]
    inside &= (sides >= 1).all(axis=1)  # what is thinner than a pixel holds nothing
    place = (middle - persons[:, :2]) / np.maximum(sides, 1)  # f p 2: 0 to 1 inside
    away = np.abs(place - [HEAD_SIDES, HEAD_DOWN]).sum(axis=2)  # at most 1.3 inside
    cost = np.where(inside, away, 10.0)  # 10: a pair outside costs more than four faces' worst places gain
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(cost), strict=True) if inside[i, j]]


def _columns(key: KeyFrame) -> Float32[np.ndarray, "n 15"]:
    found = key.found
    assert found.landmarks is not None, "faces come with landmarks"
    return np.concatenate([found.xyxy, found.score[:, None], found.landmarks.reshape(-1, 10)], axis=1)


def _frames(a: Int32[np.ndarray, "n"], b: Int32[np.ndarray, "m"]) -> Iterator[tuple[slice, slice]]:
    """The rows of each frame of `a`, in `a` and in `b`; both sorted."""
    for frame in np.unique(a):
        yield slice(*np.searchsorted(a, [frame, frame + 1])), slice(*np.searchsorted(b, [frame, frame + 1]))


def _most_often(
    own_track: Int32[np.ndarray, "n"], paired: Int32[np.ndarray, "n"]
) -> tuple[Int32[np.ndarray, "n"], Int32[np.ndarray, "n"]]:
    """For each row, the person its track is paired with most often, -1 if with none, and how often."""
    usual, count = np.full(len(paired), NOBODY, np.int32), np.zeros(len(paired), np.int32)
    for track in np.unique(own_track):
        rows = own_track == track
        persons, times = np.unique(paired[rows & (paired != NOBODY)], return_counts=True)
        if len(persons):
            usual[rows], count[rows] = persons[times.argmax()], times.max()
    return usual, count
