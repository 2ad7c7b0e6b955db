"""Where each scored person is at any time: between two samples boxes glide, at the ends they stay for half a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from mien.analyze.record import Shot
from mien.analyze.smoothing import groups_of
from mien.analyze.timeline import Timeline


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Box:
    """Someone at a time: the box in source pixels, and the row of the timeline that tells what is shown."""

    row: int
    xyxy: Float32[np.ndarray, "4"]


class BoxesOverTime:
    """The boxes of a timeline at any time; asked for times that do not fall, each is found at once."""

    def __init__(self, timeline: Timeline, *, step_s: float, shots: tuple[Shot, ...]) -> None:
        table = timeline.table
        self._step_s = step_s
        self._time_s: Float64[np.ndarray, "n"] = table["time_s"].to_numpy()
        self._xyxy: Float32[np.ndarray, "n 4"] = np.stack(
            [table[name].to_numpy() for name in ("x0", "y0", "x1", "y1")], axis=1
        )
        source = np.array(table["source"].to_pylist()) == "person"
        order = np.arange(len(table))
        groups = groups_of(table["shot"].to_numpy(), table["track"].to_numpy(), source.astype(np.int64), order=order)
        self._groups = sorted(groups, key=lambda rows: float(self._time_s[rows[0]]))
        self._shot = table["shot"].to_numpy()
        self._shots = shots
        self._begun = 0
        self._open: list[Int64[np.ndarray, "_"]] = []

    def at(self, time_s: float) -> Iterator[Box]:
        """Who is there at a time, which must not be before the one asked for last."""
        while self._begun < len(self._groups) and self._start_s(self._groups[self._begun]) <= time_s:
            self._open.append(self._groups[self._begun])
            self._begun += 1
        self._open = [rows for rows in self._open if time_s <= self._end_s(rows)]
        for rows in self._open:
            if (box := self._box(rows, time_s)) is not None:
                yield box

    def _start_s(self, rows: Int64[np.ndarray, "_"]) -> float:
        """Half a step before the first sample, but not before the shot."""
        shot = self._shots[self._shot[rows[0]]]
        return max(shot.start_s, float(self._time_s[rows[0]]) - self._step_s / 2)

    def _end_s(self, rows: Int64[np.ndarray, "_"]) -> float:
        """Half a step after the last sample, but not after the shot's last picture; a whole step at the video's end."""
        last_s, number = float(self._time_s[rows[-1]]), int(self._shot[rows[-1]])
        if number + 1 == len(self._shots):
            return last_s + self._step_s
        return min(last_s + self._step_s / 2, max(last_s, self._shots[number].end_s))

    def _box(self, rows: Int64[np.ndarray, "_"], time_s: float) -> Box | None:
        times = self._time_s[rows]
        after = int(np.searchsorted(times, time_s, side="right"))
        if after == 0:
            return Box(row=int(rows[0]), xyxy=self._xyxy[rows[0]])
        before = after - 1
        if after == len(rows):
            return Box(row=int(rows[before]), xyxy=self._xyxy[rows[before]])
        gap_s = float(times[after] - times[before])
        share = (time_s - float(times[before])) / gap_s
        if gap_s > 1.5 * self._step_s:  # not seen for a while
            if min(share, 1 - share) * gap_s > self._step_s / 2:
                return None
            nearest = before if share < 0.5 else after
            return Box(row=int(rows[nearest]), xyxy=self._xyxy[rows[nearest]])
        glided = (1 - share) * self._xyxy[rows[before]] + share * self._xyxy[rows[after]]
        return Box(row=int(rows[before]), xyxy=glided.astype(np.float32))
