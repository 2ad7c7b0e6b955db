"""Who speaks: the motion of persons' mouths, and whose it is that goes with a sentence.

A mouth is seen to move where its part of the face changes from one picture to the next by more than any small shift of
it explains: so neither walking, nor nodding, nor the camera counts. Sound is not listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from mien.media.sampling import frame_range
from mien.perception.tracking import NOBODY
from mien.types import BoxTable, FaceTable, Sentence

FACE_SIDE = 48  # pixels of the square that faces and heads are laid into
FACE_MARKS = np.array([[16, 18], [32, 18], [24, 27], [18, 36], [30, 36]], np.float64)
"""Where the five landmarks come to lie in it."""
MOUTH_OF_FACE = (slice(30, 44), slice(15, 33))  # rows and columns of the mouth in it,
MOUTH_OF_HEAD = (slice(32, 44), slice(12, 36))  # where only a box is known
SLACK = 4  # pixels a mouth may shift without having moved
FLAT = 6.0  # grey levels of contrast below which a mouth's part shows compression more than a mouth
HEAD_WIDTH, HEAD_HEIGHT = 0.5, 0.45  # of a person's box, at most: the head's side where no face is found
MIN_CONFIDENCE = 0.55
"""Below, nobody is said to speak: confidence is the liveliest mouth's motion over its and the next one's."""
MIN_SHARE = 0.5  # of the pictures of the one seen most: who is seen less does not count


@dataclass(frozen=True, kw_only=True, slots=True)
class MouthMotion:
    """How much a person's mouth moved since the picture before, one number a row of a BoxTable, NaN where unknown.

    By the landmarks of the face, and by where a head is in the person's box. The two do not compare.
    """

    by_face: Float32[np.ndarray, "n"]
    by_head: Float32[np.ndarray, "n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speaker:
    """Who is likely to speak in a stretch of frames without a cut (half-open); `track` is -1 where that is open."""

    start_frame: int
    end_frame: int
    track: int
    confidence: float
    """0.5 to 1; 0 where of somebody's mouth too little was seen to compare it."""
    num_visible: int


def speaking_rows(
    boxes: BoxTable, motion: MouthMotion, sentences: Sequence[Sentence], *, fps: float
) -> Bool[np.ndarray, "n"]:
    """The column `speaking`: true for the likely speaker of each sentence, in the frames of that sentence."""
    rows = np.zeros(len(boxes), np.bool_)
    for sentence in sentences:
        for speaker in find_speakers(boxes, motion, sentence, fps=fps):
            in_time = (boxes.frame >= speaker.start_frame) & (boxes.frame < speaker.end_frame)
            rows |= in_time & (boxes.track == speaker.track) & (speaker.track != NOBODY)
    return rows


def find_speakers(
    boxes: BoxTable,
    motion: MouthMotion,
    sentence: Sentence,
    *,
    fps: float,
    min_confidence: float = MIN_CONFIDENCE,
) -> list[Speaker]:
    """The likely speaker of a sentence, once for each stretch without a cut; empty where nobody is visible.

    Whoever is visible alone speaks, with confidence 1. Of several, the one whose mouth moves most (the median of the
    sentence's pictures), if by enough. Faces are compared if all have one, else heads. Persons seen in less than half
    of the pictures in which the one seen most is seen do not count.
    """
    return [
        _speaker_of(boxes, motion, rows, min_confidence=min_confidence)
        for rows in _stretches(boxes, _frames_of(sentence, fps))
    ]


def frames_to_watch(boxes: BoxTable, sentences: Sequence[Sentence], *, fps: float) -> Bool[np.ndarray, "f"]:
    """Whether mouths must be watched in a frame: where something is said, by one of several.

    One for each frame up to the last of `boxes`.
    """
    count = np.bincount(boxes.frame, weights=boxes.track != NOBODY)
    spoken = np.zeros(len(count), np.bool_)
    for sentence in sentences:
        frames = _frames_of(sentence, fps)
        spoken[frames.start : frames.stop] = True
    return spoken & (count > 1)


# ── watching mouths ──────────────────────────────────────────────────────────────────────────────


def watch_mouths(
    boxes: BoxTable,
    faces: FaceTable,
    picture: Callable[[int], UInt8[np.ndarray, "h w 3"]],
    wanted: Bool[np.ndarray, "f"],
    *,
    scale: tuple[float, float],
) -> MouthMotion:
    """The mouth motion of everyone with a track in the `wanted` frames, from `picture(frame)` and the one before it.

    `scale` are the pixels of a picture, across and down, that a pixel of the tables is.
    """
    by_face = np.full(len(boxes), np.nan, np.float32)
    by_head = np.full(len(boxes), np.nan, np.float32)
    face_of = {(f, t): i for i, (f, t) in enumerate(zip(faces.frame.tolist(), faces.track.tolist(), strict=True))}
    before: dict[int, tuple[np.ndarray | None, np.ndarray]] = {}
    last = -2
    for frame in np.flatnonzero(wanted | np.append(wanted[1:], False)).tolist():
        grey = cv2.cvtColor(picture(frame), cv2.COLOR_RGB2GRAY)
        now: dict[int, tuple[np.ndarray | None, np.ndarray]] = {}
        for row in range(*np.searchsorted(boxes.frame, [frame, frame + 1])):
            track = int(boxes.track[row])
            if track == NOBODY:
                continue
            face = face_of.get((frame, track))
            laid = None if face is None else lay_face(grey, faces.landmarks[face] * np.array(scale, np.float32))
            now[track] = laid, lay_head(grey, boxes.xyxy[row] * np.array(scale * 2, np.float32))
            if last == frame - 1 and track in before:
                face_before, head_before = before[track]
                by_head[row] = mouth_motion(head_before, now[track][1], mouth=MOUTH_OF_HEAD)
                if face_before is not None and laid is not None:
                    by_face[row] = mouth_motion(face_before, laid, mouth=MOUTH_OF_FACE)
        before, last = now, frame
    return MouthMotion(by_face=by_face, by_head=by_head)


def mouth_motion(
    before: UInt8[np.ndarray, "48 48"], after: UInt8[np.ndarray, "48 48"], *, mouth: tuple[slice, slice]
) -> float:
    """How much the mouth changed beyond a shift, as a share of its contrast: 0 if not at all, about 1 if wholly."""
    rows, columns = mouth
    around = before[rows.start - SLACK : rows.stop + SLACK, columns.start - SLACK : columns.stop + SLACK]
    here = after[mouth]
    squares = cv2.matchTemplate(around, here, cv2.TM_SQDIFF).min()  # at the best of all shifts
    return float(np.sqrt(max(0.0, float(squares)) / here.size) / (here.std() + FLAT))


def lay_face(grey: UInt8[np.ndarray, "h w"], landmarks: Float[np.ndarray, "5 2"]) -> UInt8[np.ndarray, "48 48"]:
    """The face turned, scaled and moved so that its landmarks lie as nearly as they can where they do in all."""
    here, there = (points[:, 0] + 1j * points[:, 1] for points in (landmarks.astype(np.float64), FACE_MARKS))
    centred = here - here.mean()
    size = (np.abs(centred) ** 2).sum()
    turn = (centred.conj() @ (there - there.mean())) / size if size > 0 else 1.0 + 0j  # least squares
    move = there.mean() - turn * here.mean()
    return _warp(grey, turn, move)


def lay_head(grey: UInt8[np.ndarray, "h w"], xyxy: Float[np.ndarray, "4"]) -> UInt8[np.ndarray, "48 48"]:
    """The square at the upper middle of a person's box, where a head is likeliest."""
    x0, y0, x1, y1 = xyxy.astype(np.float64).tolist()
    side = max(1.0, min(HEAD_WIDTH * (x1 - x0), HEAD_HEIGHT * (y1 - y0)))
    turn = FACE_SIDE / side + 0j
    return _warp(grey, turn, -turn * complex((x0 + x1) / 2 - side / 2, y0))


def _warp(grey: UInt8[np.ndarray, "h w"], turn: complex, move: complex) -> UInt8[np.ndarray, "48 48"]:
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    return cv2.warpAffine(grey, matrix, (FACE_SIDE, FACE_SIDE), borderMode=cv2.BORDER_REPLICATE)


# ── comparing persons ────────────────────────────────────────────────────────────────────────────


def _speaker_of(boxes: BoxTable, motion: MouthMotion, rows: Int[np.ndarray, "r"], *, min_confidence: float) -> Speaker:
    """Who of the persons in these rows speaks."""
    track, frame = boxes.track[rows], boxes.frame[rows]
    persons, seen = np.unique(track, return_counts=True)
    persons = persons[seen >= MIN_SHARE * seen.max()]
    lively = _liveliness(motion.by_face[rows], track, persons)
    if np.isnan(lively).any():
        lively = _liveliness(motion.by_head[rows], track, persons)
    best, confidence = NOBODY, 1.0
    if len(persons) == 1:
        best = int(persons[0])
    elif not np.isnan(lively).any():
        second, first = np.sort(lively)[-2:]
        confidence = float(first / (first + second)) if first > 0 else 0.5  # nobody moves: anyone's guess
        best = int(persons[lively.argmax()]) if confidence >= min_confidence else NOBODY
    else:
        confidence = 0.0
    return Speaker(
        start_frame=int(frame[0]),
        end_frame=int(frame[-1]) + 1,
        track=best,
        confidence=confidence,
        num_visible=len(persons),
    )


def _liveliness(
    motion: Float32[np.ndarray, "r"], track: Int[np.ndarray, "r"], persons: Int[np.ndarray, "p"]
) -> Float[np.ndarray, "p"]:
    """The median motion of each person, NaN where it is known in less than half of the person's pictures."""
    medians = np.full(len(persons), np.nan)
    for k, person in enumerate(persons):
        own = motion[track == person]
        known = own[~np.isnan(own)]
        if 2 * len(known) >= len(own) - 1 > 0:  # -1: the first picture has none before it
            medians[k] = np.median(known)
    return medians


def _stretches(boxes: BoxTable, frames: range) -> Iterator[Int[np.ndarray, "r"]]:
    """The rows of tracked persons in these frames, parted where no track goes on: at a cut, or while nobody is seen."""
    start, stop = np.searchsorted(boxes.frame, [frames.start, frames.stop])
    rows = np.arange(start, stop)[boxes.track[start:stop] != NOBODY]
    if not len(rows):
        return
    last_of = {int(track): int(frame) for track, frame in zip(boxes.track[rows], boxes.frame[rows], strict=True)}
    begin, reach = 0, last_of[int(boxes.track[rows[0]])]
    for k, row in enumerate(rows):
        if boxes.frame[row] > reach:
            yield rows[begin:k]
            begin = k
        reach = max(reach, last_of[int(boxes.track[row])])
    yield rows[begin:]


def _frames_of(sentence: Sentence, fps: float) -> range:
    start, end = frame_range(sentence.start_s, sentence.end_s, fps=fps)
    return range(max(0, start), max(0, start, end))
