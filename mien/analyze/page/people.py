"""The persons of an analysis with what the timeline holds of each, as arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Float64, Int32

from mien.analyze.record import Analysis, Person
from mien.analyze.timeline import Timeline

NO_WORD = -1
"""The `top` of a sample whose likeliest word is not likely enough to be told."""
GAP_STEPS = 1.5
"""A person is not seen between two samples that lie further apart than so many steps."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """What one source says of one person: n samples in the order of time, `step_s` apart where nothing is missing."""

    person: Person
    step_s: float
    time_s: Float64[np.ndarray, "n"]
    xyxy: Float32[np.ndarray, "n 4"]
    scores: Float32[np.ndarray, "n w"]
    numbers: Float32[np.ndarray, "n m"]
    top: Int32[np.ndarray, "n"]
    """The place of the answer among the words, or NO_WORD."""

    @property
    def key(self) -> tuple[int, str]:
        """The person and the source, which no other view shares."""
        return self.person.track, self.person.source

    @property
    def start_s(self) -> float:
        return float(self.time_s[0])

    @property
    def end_s(self) -> float:
        """Where the last sample's step ends."""
        return float(self.time_s[-1]) + self.step_s

    @property
    def breaks(self) -> Bool[np.ndarray, "gaps"]:
        """Whether the person is out of sight between a sample and the next one."""
        return np.diff(self.time_s) > GAP_STEPS * self.step_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of time, without a gap, in which the answer is the same word, or NO_WORD."""

    start_s: float
    end_s: float
    top: int


def read_people(analysis: Analysis, timeline: Timeline) -> list[View]:
    """All persons of an analysis, each source apart, those seen longest first."""
    ordered = timeline.table.sort_by([("track", "ascending"), ("source", "ascending"), ("time_s", "ascending")])
    track, source = (ordered[name].to_numpy() for name in ("track", "source"))
    time_s = ordered["time_s"].to_numpy().astype(np.float64)
    xyxy = _matrix(ordered, ("x0", "y0", "x1", "y1"))
    scores, numbers = _matrix(ordered, timeline.words), _matrix(ordered, timeline.numbers)
    place = {word: index for index, word in enumerate(timeline.words)}
    top = np.array([place.get(word, NO_WORD) for word in ordered["top"].to_pylist()], np.int32)
    firsts = np.flatnonzero((track[1:] != track[:-1]) | (source[1:] != source[:-1])) + 1
    edges = [0, *firsts.tolist(), len(track)] if len(track) else []
    rows_of = {(int(track[a]), str(source[a])): slice(a, b) for a, b in itertools.pairwise(edges)}
    people = [
        View(
            person=person,
            step_s=analysis.step_s,
            time_s=time_s[rows],
            xyxy=xyxy[rows],
            scores=scores[rows],
            numbers=numbers[rows],
            top=top[rows],
        )
        for person in analysis.persons
        for rows in [rows_of[person.track, person.source]]
    ]
    return sorted(people, key=lambda view: (-view.person.num_samples, view.key))


def stretches_of(view: View) -> Iterator[Stretch]:
    """The person's time cut where the answer changes and where the person is out of sight."""
    firsts = 1 + np.flatnonzero(view.breaks | (np.diff(view.top) != 0))
    for first, end in itertools.pairwise([0, *firsts.tolist(), len(view.top)]):
        start_s, end_s = float(view.time_s[first]), float(view.time_s[end - 1]) + view.step_s
        yield Stretch(start_s=start_s, end_s=end_s, top=int(view.top[first]))


def sights_of(view: View) -> Iterator[tuple[float, float]]:
    """From when to when the person is in sight without a gap."""
    firsts = 1 + np.flatnonzero(view.breaks)
    for first, end in itertools.pairwise([0, *firsts.tolist(), len(view.time_s)]):
        yield float(view.time_s[first]), float(view.time_s[end - 1]) + view.step_s


def _matrix(table: pa.Table, names: Sequence[str]) -> Float32[np.ndarray, "n c"]:
    columns = [table[name].to_numpy().astype(np.float32) for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((table.num_rows, 0), np.float32)
