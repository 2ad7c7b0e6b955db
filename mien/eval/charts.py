"""Charts as inline SVG: lines, a heat map, a scatter of points. Pure functions from numbers to text.

They take their colours for ink, grid and accent from the CSS variables of the page they stand in (`report.html`), so
that one drawing serves light and dark mode; without such a page they fall back to black on white.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float, Int

COLOURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#8C8C8C", "#2A7DB8", "#56B4E9")
"""A colour for each of the seven emotions, in their order: Okabe and Ito's set, told apart by colour-blind readers
too, with grey for neutral and the blue a little lighter so that it shows on black."""

MARKS = ("circle", "square", "triangle", "diamond", "ring", "cross", "plus")
"""A mark for each emotion, so that no chart rests on colour alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A line of a chart: values over steps, both of one length."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


def line_chart(curves: Sequence[Curve], *, title: str, width: int = 420, height: int = 220) -> str:
    """Lines over training steps, each named at its end. Values must be finite."""
    left, right, top, bottom = 50.0, width - 92.0, 30.0, height - 26.0
    values = [value for curve in curves for value in curve.values]
    low, high = _widened(min(values), max(values))
    last_step = max(max(curve.steps) for curve in curves) or 1.0

    def x_of(step: float) -> float:
        return left + (right - left) * step / last_step

    def y_of(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    parts = [_text(0, 16, title, cls="title")]
    for tick in ticks(low, high, count=4):
        y = y_of(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, _short(tick, digits=6), anchor="end"))
    parts += [
        _text(x_of(tick), bottom + 18, _short(tick, digits=6), anchor="middle") for tick in ticks(0, last_step, count=4)
    ]
    label_ys = _apart([y_of(curve.values[-1]) for curve in curves], gap=14)
    for curve, label_y, colour in zip(curves, label_ys, itertools.cycle(_LINES), strict=False):
        points = [(x_of(s), y_of(v)) for s, v in zip(curve.steps, curve.values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        if len(points) <= _DOTTED:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        label = f"{curve.name} {_short(curve.values[-1])}".strip()
        parts.append(_text(points[-1][0] + 8, label_y + 4, label, fill=colour))
    return _svg(parts, width=width, height=height, label=title)


def heat_map(counts: Int[np.ndarray, "r c"], *, names: Sequence[str], title: str) -> str:
    """A confusion matrix: each row's shares in per cent as shade and number; the counts show on hovering."""
    cell, left, top = 52, 74, 70
    size = len(names) * cell
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    parts = [_text(0, 16, title, cls="title"), _text(left + size / 2, 38, "predicted", anchor="middle")]
    for i, name in enumerate(names):
        middle = (i + 0.5) * cell
        parts.append(_text(left - 8, top + middle + 4, name, anchor="end"))
        parts.append(_text(left + middle, top - 10, name, anchor="middle", cls="small"))
        for j in range(len(names)):
            x, y, s = left + j * cell, top + i * cell, float(share[i, j])
            tip = f"{counts[i, j]} of {totals[i, 0]} “{name}” taken for “{names[j]}”"
            frame = ' class="diagonal"' if i == j else ""
            parts.append(
                f'<g><title>{escape(tip)}</title><rect{frame} x="{x + 1}" y="{y + 1}" width="{cell - 2}" '
                f'height="{cell - 2}" rx="3" fill="var(--accent,#2a5db0)" fill-opacity="{0.04 + 0.96 * s:.3f}"/>'
            )
            fill = "var(--on-accent,#fff)" if s > _DARK_ENOUGH else "var(--ink,#111)"
            parts.append(_text(x + cell / 2, y + cell / 2 + 4, f"{100 * s:.0f}", anchor="middle", fill=fill) + "</g>")
    return _svg(parts, width=left + size + 4, height=top + size + 4, label=title)


def scatter(
    points: Float[np.ndarray, "n 2"],
    *,
    category: Int[np.ndarray, "n"],
    names: Sequence[str],
    title: str,
    size: int = 360,
) -> str:
    """Points in the plane, coloured and marked by category; only nearness means anything, so there are no axes."""
    low, high = points.min(axis=0), points.max(axis=0)
    place = 30 + (size - 60) * (points - low) / np.maximum(high - low, _TINY)
    parts = [_text(0, 16, title, cls="title")]
    for (x, y), c in zip(place.tolist(), category.tolist(), strict=True):
        tip = f"<title>{escape(names[c])}</title>"
        parts.append(f"<g>{tip}{mark(c, x=x, y=size - y)}</g>")
    return _svg(parts, width=size, height=size, label=title)


def mark(category: int, *, x: float, y: float) -> str:
    """The coloured mark of an emotion, about 8 px wide, centred on (x, y)."""
    colour = COLOURS[category % len(COLOURS)]
    at = f'transform="translate({x:.1f} {y:.1f})"'
    solid, outline = f'fill="{colour}" fill-opacity=".8"', f'fill="none" stroke="{colour}" stroke-width="2"'
    return {
        "circle": f'<circle {at} r="3.8" {solid}/>',
        "square": f'<rect {at} x="-3.5" y="-3.5" width="7" height="7" {solid}/>',
        "triangle": f'<path {at} d="M0-4.6 4.4 3.4H-4.4Z" {solid}/>',
        "diamond": f'<path {at} d="M0-5 5 0 0 5-5 0Z" {solid}/>',
        "ring": f'<circle {at} r="3.2" {outline}/>',
        "cross": f'<path {at} d="M-3.4-3.4 3.4 3.4M-3.4 3.4 3.4-3.4" {outline}/>',
        "plus": f'<path {at} d="M-4.2 0H4.2M0-4.2V4.2" {outline}/>',
    }[MARKS[category % len(MARKS)]]


def ticks(low: float, high: float, *, count: int) -> list[float]:
    """About `count` round numbers in [low, high].

    >>> ticks(0, 300, count=4)
    [0.0, 100.0, 200.0, 300.0]
    """
    raw = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw)
    first = math.ceil(low / step - _TINY)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + _TINY) + 1)]


_LINES = ("#2A7DB8", "#D55E00", "#009E73", "#CC79A7")
_DOTTED = 12
"""Lines of so few points show them, since they are evaluations, not a stream."""
_DARK_ENOUGH = 0.55
"""The share from which a cell is dark enough for light numbers."""
_TINY = 1e-9


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range with a little room; around a constant, a tenth of it."""
    room = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return (0.0 if 0 <= low < room else low - room), high + room


def _apart(ys: Sequence[float], *, gap: float) -> list[float]:
    """The heights moved down as little as keeps them `gap` apart, in their order."""
    placed = list(ys)
    order = sorted(range(len(ys)), key=lambda i: ys[i])
    for above, below in itertools.pairwise(order):
        placed[below] = max(placed[below], placed[above] + gap)
    return placed


def _short(value: float, *, digits: int = 3) -> str:
    if 0 < abs(value) < _SMALL:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:,.{digits}g}" if abs(value) < _LARGE else f"{value:,.0f}"


_SMALL, _LARGE = 0.001, 1000


def _text(x: float, y: float, text: str, *, anchor: str = "start", cls: str = "", fill: str = "") -> str:
    style = (f' class="{cls}"' if cls else "") + (f' style="fill:{fill}"' if fill else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _svg(parts: Sequence[str], *, width: float, height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:{width:.0f}px" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
