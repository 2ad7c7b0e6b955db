"""The persons of a timeline as arrays: when each is seen, what is likeliest when, and where it peaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Float64, Int32

UNCERTAIN = -1
"""The `top` of a sample whose likeliest word is not likely enough to be told."""
GAP_STEPS = 1.5
"""A person is not seen between two samples that lie further apart than so many steps."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """What one source says of one person: n samples in the order of time, `step_s` apart where nothing is missing."""

    track: int
    source: str
    step_s: float
    time_s: Float64[np.ndarray, "n"]
    shot: Int32[np.ndarray, "n"]
    xyxy: Float32[np.ndarray, "n 4"]
    scores: Float32[np.ndarray, "n w"]
    top: Int32[np.ndarray, "n"]
    """The place of the likeliest word among the words, or UNCERTAIN."""

    @property
    def key(self) -> tuple[int, str]:
        """The person and the source, which no other view shares."""
        return self.track, self.source

    @property
    def seconds(self) -> float:
        """How long the person is view."""
        return len(self.time_s) * self.step_s

    @property
    def start_s(self) -> float:
        return float(self.time_s[0])

    @property
    def end_s(self) -> float:
        """Where the last sample's step ends."""
        return float(self.time_s[-1]) + self.step_s

    @property
    def shares(self) -> Float64[np.ndarray, "w"]:
        """The share of the time seen in which each word is the likeliest; what lacks to 1 is uncertain."""
        return np.bincount(self.top[self.top >= 0], minlength=self.scores.shape[1]) / len(self.top)

    @property
    def uncertain_share(self) -> float:
        return float((self.top == UNCERTAIN).mean())

    @property
    def breaks(self) -> Bool[np.ndarray, "n-1"]:
        """Whether the person is out of sight between a sample and the next one."""
        return np.diff(self.time_s) > GAP_STEPS * self.step_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Samples [first, end) without a gap that have one likeliest word, or none (`top` is UNCERTAIN)."""

    first: int
    end: int
    start_s: float
    end_s: float
    top: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The sample of a stretch at which its word is likeliest."""

    sample: int
    word: int
    probability: float


def read_people(table: pa.Table, words: Sequence[str], *, step_s: float) -> list[View]:
    """All persons of a timeline's table, each source apart, those seen longest first."""
    if not table.num_rows:
        return []
    ordered = table.sort_by([("track", "ascending"), ("source", "ascending"), ("time_s", "ascending")])
    track, source = (ordered[name].to_numpy() for name in ("track", "source"))
    time_s = ordered["time_s"].to_numpy().astype(np.float64)
    shot = ordered["shot"].to_numpy().astype(np.int32)
    xyxy = _matrix(ordered, ("x0", "y0", "x1", "y1"))
    scores = _matrix(ordered, words)
    place = {word: index for index, word in enumerate(words)}
    top = np.array([place.get(word, UNCERTAIN) for word in ordered["top"].to_pylist()], np.int32)
    firsts = 1 + np.flatnonzero((track[1:] != track[:-1]) | (source[1:] != source[:-1]))
    people = [
        View(
            track=int(track[rows.start]),
            source=str(source[rows.start]),
            step_s=step_s,
            time_s=time_s[rows],
            shot=shot[rows],
            xyxy=xyxy[rows],
            scores=scores[rows],
            top=top[rows],
        )
        for rows in map(slice, [0, *firsts.tolist()], [*firsts.tolist(), len(track)])
    ]
    return sorted(people, key=lambda view: (-view.seconds, view.track, view.source))


def stretches_of(view: View) -> Iterator[Stretch]:
    """The person's time cut where the likeliest word changes and where the person is out of sight."""
    firsts = 1 + np.flatnonzero(view.breaks | (np.diff(view.top) != 0))
    for first, end in zip([0, *firsts.tolist()], [*firsts.tolist(), len(view.top)], strict=True):
        start_s, end_s = float(view.time_s[first]), float(view.time_s[end - 1]) + view.step_s
        yield Stretch(first=first, end=end, start_s=start_s, end_s=end_s, top=int(view.top[first]))


def peaks_of(view: View, *, at_most: int) -> list[Peak]:
    """The peaks to look at, in the order of time: every word's highest first, then the highest of the others.

    A person who never shows anything for certain has one peak all the same: the highest probability there is.
    """
    found = [_peak(view, stretch) for stretch in stretches_of(view) if stretch.top != UNCERTAIN]
    if not found:
        sample, word = np.unravel_index(int(view.scores.argmax()), view.scores.shape)
        return [Peak(sample=int(sample), word=int(word), probability=float(view.scores[sample, word]))]
    found.sort(key=lambda peak: -peak.probability)
    best = {peak.word: peak for peak in reversed(found)}
    ranked = sorted(found, key=lambda peak: best[peak.word] is not peak)  # stable: by probability within both halves
    return sorted(ranked[:at_most], key=lambda peak: peak.sample)


def _peak(view: View, stretch: Stretch) -> Peak:
    own = view.scores[stretch.first : stretch.end, stretch.top]
    sample = int(own.argmax())
    return Peak(sample=stretch.first + sample, word=stretch.top, probability=float(own[sample]))


def _matrix(table: pa.Table, names: Sequence[str]) -> Float32[np.ndarray, "n c"]:
    return np.stack([table[name].to_numpy().astype(np.float32) for name in names], axis=1)
