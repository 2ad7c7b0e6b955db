"""A person over time as inline SVG: a band of what is likeliest, and for each word a curve of its probability.

The drawings are stretched to the width of the page, so they hold no text: names, numbers and times stand beside them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float32, Float64, Int

from mien.analyze.page.people import NO_WORD, Stretch, View

MOST_BINS = 600
"""Columns of a curve; longer stretches of time put several samples into one."""
BAND = 1000.0
"""Units of a band's width, so that a tenth of a per cent is one."""
LEAST_BAND = 1.0
"""Even one sample of a long film is drawn so wide."""
NUM_TICKS = 6
ROUND_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""Steps between the times on a scale."""
MOST_CUTS = 100
"""More shots than so many are not marked."""
LABELLED = 9.0
"""Stretches wider than so many per cent of the band have their word written on them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """The time from `start_s` to `end_s`, drawn from left to right."""

    start_s: float
    end_s: float

    def place(self, time_s: float) -> float:
        """Where a time lies, in per cent of the width; times outside lie at the ends."""
        return min(max(100.0 * (time_s - self.start_s) / (self.end_s - self.start_s), 0.0), 100.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Binned:
    """A person's values in columns of time: mean and highest of each, NaN where the person is out of sight."""

    start_s: float
    bin_s: float
    mean: Float64[np.ndarray, "k w"]
    highest: Float64[np.ndarray, "k w"]
    samples_per_bin: int


def binned(view: View, values: Float32[np.ndarray, "n w"], axis: Axis) -> Binned:
    """The person's values in at most MOST_BINS columns over the axis, each a whole number of samples wide."""
    num_steps = max(1, round((axis.end_s - axis.start_s) / view.step_s))
    samples_per_bin = -(-num_steps // MOST_BINS)
    num_bins = -(-num_steps // samples_per_bin)
    bin_s = samples_per_bin * view.step_s
    column = ((view.time_s - axis.start_s) / bin_s + 1e-6).astype(np.int64).clip(0, num_bins - 1)
    firsts = np.flatnonzero(np.diff(column, prepend=-1))
    there = column[firsts]
    mean, highest = (np.full((num_bins, values.shape[1]), np.nan) for _ in range(2))
    exact = values.astype(np.float64)
    mean[there] = np.add.reduceat(exact, firsts) / np.diff(firsts, append=len(column))[:, None]
    highest[there] = np.maximum.reduceat(exact, firsts)
    return Binned(start_s=axis.start_s, bin_s=bin_s, mean=mean, highest=highest, samples_per_bin=samples_per_bin)


def curve(bins: Binned, word: int, *, colour: str) -> str:
    """A word's probability, 0 at the bottom and 1 at the top; behind it, lighter, the highest within each column."""
    behind = ""
    if bins.samples_per_bin > 1:
        behind = f'<path class="highest" fill="{colour}" d="{_area(bins.highest[:, word])}"/>'
    return _svg(
        f'{behind}<path fill="{colour}" d="{_area(bins.mean[:, word])}"/>',
        width=len(bins.mean),
        height=100,
        cls="curve",
    )


def number_line(values: Float64[np.ndarray, "k"], *, low: float, high: float) -> str:
    """A number that is no probability, as a line between its lowest and highest value."""
    room = (high - low) or 1.0
    parts = []
    for start, end in _runs(values):
        y = 95 - 90 * (values[start:end] - low) / room
        points = "L".join(f"{start + i + 0.5:g} {at:.0f}" for i, at in enumerate(y.tolist()))
        parts.append(f"M{points}h.01")  # the dot of a run of one
    return _svg(f'<path class="number" d="{"".join(parts)}"/>', width=len(values), height=100, cls="curve")


def band(stretches: Iterable[Stretch], axis: Axis, *, colours: Sequence[str], labels: Sequence[str] = ()) -> str:
    """What is likeliest when, in the words' colours; a thin line where nothing is certain, nothing where nobody is.

    labels: the words, to be written on the wide stretches.
    """
    paths = dict[int, list[str]]()
    written = []
    for stretch in stretches:
        left, right = axis.place(stretch.start_s), axis.place(stretch.end_s)
        width = max((right - left) * BAND / 100, LEAST_BAND)
        y, height = (43, 14) if stretch.top == NO_WORD else (0, 100)
        paths.setdefault(stretch.top, []).append(f"M{left * BAND / 100:.1f} {y}h{width:.1f}v{height}h-{width:.1f}z")
        if labels and stretch.top != NO_WORD and right - left > LABELLED:
            place = f"left:{left:.2f}%;width:{right - left:.2f}%"
            written.append(f'<span style="{place}" dir="auto">{escape(labels[stretch.top])}</span>')
    drawn = "".join(f'<path {_fill(top, colours)} d="{"".join(parts)}"/>' for top, parts in sorted(paths.items()))
    return _svg(drawn, width=BAND, height=100, cls="band") + "".join(written)


def presence(spans_s: Iterable[tuple[float, float]], axis: Axis, *, cls: str) -> str:
    """Spans of time as blocks of one colour."""
    parts = []
    for start_s, end_s in spans_s:
        left, right = axis.place(start_s), axis.place(end_s)
        width = max((right - left) * BAND / 100, LEAST_BAND)
        parts.append(f"M{left * BAND / 100:.1f} 0h{width:.1f}v100h-{width:.1f}z")
    return _svg(f'<path class="{cls}" d="{"".join(parts)}"/>', width=BAND, height=100, cls="band")


def cuts(shots_s: Iterable[float], axis: Axis) -> str:
    """A line at each time at which a shot begins, over all lanes; none at the edges, nor where they would be a haze."""
    within = cuts_within(shots_s, axis)
    d = "".join(f"M{axis.place(start_s) * BAND / 100:.1f} 0V1" for start_s in within)
    return _svg(f'<path d="{d}"/>', width=BAND, height=1, cls="cuts") if 0 < len(within) <= MOST_CUTS else ""


def cuts_within(shots_s: Iterable[float], axis: Axis) -> list[float]:
    """The beginnings of shots that lie on the axis, without its edges."""
    return [start_s for start_s in shots_s if axis.start_s < start_s < axis.end_s]


def time_scale(axis: Axis) -> list[tuple[float, float]]:
    """Round times on the axis, each with its place in per cent; at most NUM_TICKS and one."""
    length_s = axis.end_s - axis.start_s
    step_s = next((step for step in ROUND_S if step * NUM_TICKS >= length_s), ROUND_S[-1] * math.ceil(length_s / 86400))
    times = (k * step_s for k in range(math.ceil(axis.start_s / step_s), math.floor(axis.end_s / step_s) + 1))
    return [(time_s, axis.place(time_s)) for time_s in times]


def likeliest(bins: Binned, *, count: int) -> list[list[int]]:
    """For each column its `count` most probable words, as [word, per cent, word, per cent, …]; empty where unseen."""
    found = []
    for mean in bins.mean:
        order: Int[np.ndarray, "c"] = np.argsort(-mean, kind="stable")[:count]
        is_there = not np.isnan(mean[0])
        found.append([n for w in order.tolist() for n in (w, round(100 * float(mean[w])))] if is_there else [])
    return found


def _area(values: Float64[np.ndarray, "k"]) -> str:
    """The area under values in [0, 1] as a path 100 high; values stand in the middle of columns of width 1."""
    heights = np.round(100 * values)
    parts = []
    for start, end in _runs(heights):
        y = [int(100 - height) for height in heights[start:end].clip(0, 100)]
        if not any(value < 100 for value in y):
            continue
        steps = "".join("h1" if b == a else f"l1 {b - a}" for a, b in itertools.pairwise(y))
        level = re.sub("(?:h1)+", lambda found: f"h{len(found[0]) // 2}", steps)
        parts.append(f"M{start} 100V{y[0]}h.5{level}h.5V100z")
    return "".join(parts)


def _runs(values: Float64[np.ndarray, "k"]) -> list[list[int]]:
    """[first, end) of each run of values that are not NaN."""
    return np.flatnonzero(np.diff(np.isfinite(values), prepend=False, append=False)).reshape(-1, 2).tolist()


def _fill(top: int, colours: Sequence[str]) -> str:
    return 'class="uncertain"' if top == NO_WORD else f'fill="{colours[top]}"'


def _svg(inside: str, *, width: float, height: float, cls: str) -> str:
    return (
        f'<svg class="{cls}" viewBox="0 0 {width:g} {height:g}" preserveAspectRatio="none" aria-hidden="true">'
        f"{inside}</svg>"
    )
