"""Faces cut out of a store's pictures, as models of faces are fed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from mien.data.store import Store
from mien.perception.face_crop import cut_face
from mien.types import BoxTable, FaceTable

OnFrame = Callable[[int, int], None]
"""Told how many of how many pictures have been looked at."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SeenFace:
    """One face in one picture.

    frame: the number of the stored picture, shown at `time_s`. person: the face's track; below 0 where a store from
    elsewhere gives none. xyxy, landmarks: in pixels of the source. picture: the square around the face, RGB.
    """

    frame: int
    time_s: float
    person: int
    xyxy: Float32[np.ndarray, "4"]
    landmarks: Float32[np.ndarray, "5 2"]
    picture: UInt8[np.ndarray, "s s 3"]


def seen_faces(
    store: Store, video: str, *, frames: Sequence[int], size: int, on_frame: OnFrame = lambda done, total: None
) -> Iterator[SeenFace]:
    """Every face in those of a video's stored pictures that `frames` names, ascending; cut out at `size` pixels."""
    reader, table = store.frames(video), store.faces(video)
    to_stored = np.array(reader.info.stored_per_source * 2, np.float32)
    for frame, rows in rows_by_frame(table, frames, on_frame=on_frame):
        rgb = reader.decode(frame)
        for row in rows:
            yield SeenFace(
                frame=frame,
                time_s=frame / reader.info.fps,
                person=int(table.track[row]),
                xyxy=table.xyxy[row],
                landmarks=table.landmarks[row],
                picture=cut_face(rgb, table.xyxy[row] * to_stored, size=size),
            )


def rows_by_frame(
    table: BoxTable | FaceTable, frames: Sequence[int], *, on_frame: OnFrame
) -> Iterator[tuple[int, np.ndarray]]:
    """Those of the pictures that have someone in them, and the rows of the table that are theirs."""
    wanted = np.asarray(frames, dtype=table.frame.dtype)
    starts, ends = np.searchsorted(table.frame, wanted), np.searchsorted(table.frame, wanted, side="right")
    for number, (frame, start, end) in enumerate(zip(wanted.tolist(), starts, ends, strict=True)):
        on_frame(number, len(wanted))
        if end > start:
            yield frame, np.arange(start, end)
    on_frame(len(wanted), len(wanted))
