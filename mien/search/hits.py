"""Hits: the moments nearest to a query, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from mien.perception.tracking import iou
from mien.search.index import MomentIndex, Row

SAME_FACE_IOU = 0.3
"""Faces of nobody known, seen at overlapping times, are one if their boxes overlap so much."""
AT_FIRST = 4
"""So many times as many moments as are wanted are looked at first; each overlaps two others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A part of a video that is not to be found: what the query was made of."""

    video: str
    start_s: float
    end_s: float


def nearest(
    index: MomentIndex, cosines: Float32[np.ndarray, "n"], *, top: int, apart_from: Stretch | None = None
) -> list[Row]:
    """Up to `top` moments, those of the greatest `cosines` first, each once: of windows that show the same the nearest.

    Two show the same if they overlap in time and are of the same scene; of faces, of the same person.
    """
    looked_at = AT_FIRST * top
    while True:
        count = min(looked_at, len(cosines))
        best = np.argpartition(-cosines, count - 1)[:count] if count else np.zeros(0, np.int64)
        ranked = best[np.lexsort((best, -cosines[best]))]
        rows = [index.row(int(number), cosine=float(cosines[number])) for number in ranked]
        kept = _each_once([row for row in rows if apart_from is None or not _overlap(row, apart_from)])
        if len(kept) >= top or count == len(cosines):
            return kept[:top]
        looked_at *= 2


def _each_once(rows: Sequence[Row]) -> list[Row]:
    kept = list[Row]()
    for row in rows:
        if not any(_is_same_moment(row, other) for other in kept):
            kept.append(row)
    return kept


def _is_same_moment(row: Row, other: Row) -> bool:
    if not _overlap(row, other) or row.person != other.person:
        return False
    is_followed = row.person >= 0 or not any(row.xyxy)  # a person, or a scene
    return is_followed or _boxes_overlap(row, other) >= SAME_FACE_IOU


def _overlap(row: Row, other: Row | Stretch) -> bool:
    return row.video == other.video and row.start_s < other.end_s and other.start_s < row.end_s


def _boxes_overlap(row: Row, other: Row) -> float:
    return float(iou(np.array([row.xyxy], np.float32), np.array([other.xyxy], np.float32))[0, 0])
