"""Strips: some frames of a clip, small, and where in each of them the persons and faces are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from jaxtyping import Float32, UInt8

from mien.data.clips import ClipSettings, largest_track
from mien.data.store import FACES_FILE, Store
from mien.data.tables import rows_between
from mien.media.sampling import evenly
from mien.types import BoxTable, Clip, FaceTable, VideoInfo

JPEG_QUALITY = 78
COUNTS_FROM = ClipSettings().min_box_score
"""The score from which a box counts as a person, as where clips are read for training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonMark:
    """A person in one picture. `box` is left, top, right, bottom in per cent of the picture, cut at its borders."""

    box: tuple[float, float, float, float]
    track: int
    score: float
    counts: bool
    """Whether the score is high enough for the box to be used."""
    is_largest: bool
    """Whether this is the track whose boxes cover most over the whole clip."""
    is_speaking: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMark:
    """A face in one picture: its box as a PersonMark's, and five landmarks (x, y), in per cent of the picture."""

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    track: int
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One frame of a clip, shrunk, as JPEG, at its time in the video."""

    jpeg: bytes
    time_s: float
    persons: tuple[PersonMark, ...]
    faces: tuple[FaceMark, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """A clip to look at. `width`, `height` are the pictures' in pixels; `num_persons` the most at a time."""

    clip: Clip
    width: int
    height: int
    pictures: tuple[Picture, ...]
    num_persons: int
    has_speaker: bool
    """Whether someone in the clip is known to speak."""


def read_strip(store: Store, clip: Clip, *, count: int, area: int) -> Strip:
    """Up to `count` frames spread evenly over the clip, each shrunk to `area` pixels (so all shapes weigh the same).

    Boxes are clipped at the picture's borders; those wholly outside are left out. Raises MienError where the store's
    files are missing or damaged, or the clip reaches beyond them.
    """
    reader = store.frames(clip.video)
    table = rows_between(store.boxes(clip.video), clip.start_frame, clip.end_frame)
    faces = _faces(store, clip)
    largest = largest_track(table, clip.start_frame, clip.end_frame, min_score=COUNTS_FROM)
    size = _shrunk(reader.info, area)
    numbers = clip.start_frame + np.unique(evenly(clip.num_frames, count=min(count, clip.num_frames)))
    pictures = tuple(
        Picture(
            jpeg=_encode(reader.decode(frame, min_short_side=min(size)), width=size[0], height=size[1]),
            time_s=frame / reader.info.fps,
            persons=_persons(table, largest, frame=frame, info=reader.info),
            faces=_face_marks(faces, frame=frame, info=reader.info) if faces else (),
        )
        for frame in numbers.tolist()
    )
    counted = table.frame[table.score >= COUNTS_FROM]
    most = int(np.bincount(counted - clip.start_frame).max()) if len(counted) else 0
    return Strip(
        clip=clip,
        width=size[0],
        height=size[1],
        pictures=pictures,
        num_persons=most,
        has_speaker=bool((table.speaking & (table.score >= COUNTS_FROM)).any()),
    )


def _faces(store: Store, clip: Clip) -> FaceTable | None:
    """The faces of the clip's video; None where the store was made without them."""
    if not (store.folder(clip.video) / FACES_FILE).is_file():
        return None
    return store.faces(clip.video)


def _shrunk(info: VideoInfo, area: int) -> tuple[int, int]:
    """Width and height of a picture of at most `area` pixels."""
    scale = min(1.0, (area / (info.width * info.height)) ** 0.5)
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


def _encode(rgb: UInt8[np.ndarray, "h w 3"], *, width: int, height: int) -> bytes:
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(small), quality=JPEG_QUALITY, colorsubsampling="420"))


def _persons(table: BoxTable, largest: int | None, *, frame: int, info: VideoInfo) -> tuple[PersonMark, ...]:
    first, last = np.searchsorted(table.frame, [frame, frame + 1])
    marks = [
        PersonMark(
            box=box,
            track=int(table.track[row]),
            score=float(table.score[row]),
            counts=bool(table.score[row] >= COUNTS_FROM),
            is_largest=bool(table.track[row] == largest),
            is_speaking=bool(table.speaking[row]),
        )
        for row in range(first, last)
        if (box := _in_per_cent(table.xyxy[row], info)) is not None
    ]
    return tuple(sorted(marks, key=lambda m: m.score))  # the surest is drawn last, above the others


def _face_marks(table: FaceTable, *, frame: int, info: VideoInfo) -> tuple[FaceMark, ...]:
    first, last = np.searchsorted(table.frame, [frame, frame + 1])
    scale = 100 / np.array([info.source_width, info.source_height], np.float64)
    return tuple(
        FaceMark(
            box=box,
            landmarks=tuple((float(x), float(y)) for x, y in table.landmarks[row] * scale),
            track=int(table.track[row]),
            score=float(table.score[row]),
        )
        for row in range(first, last)
        if (box := _in_per_cent(table.xyxy[row], info)) is not None
    )


def _in_per_cent(xyxy: Float32[np.ndarray, "4"], info: VideoInfo) -> tuple[float, float, float, float] | None:
    """The part of a box that lies in the picture, in per cent of it; None if there is none."""
    share = 100 * xyxy.astype(np.float64) / np.array([info.source_width, info.source_height] * 2)
    left, top, right, bottom = share.clip(0, 100).tolist()
    return (left, top, right, bottom) if right > left and bottom > top else None
