"""Smoothing: what a probe predicts second by second, taken for a curve, with a polynomial fitted around each point.

Rows are taken to follow each other evenly. A Savitzky–Golay filter of a window of n points gives each point the value
of the polynomial that fits the n points around it best. An odd window has its point in the middle. An even one has
none: scipy then gives the value half a point later, between the two in the middle, so that the curve
comes half a point early. Half a window at either end is one polynomial, without that shift.

Reference: Savitzky and Golay, Analytical Chemistry 36 (1964); `scipy.signal.savgol_filter`, mode "interp".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator
from scipy.signal import savgol_filter

from mien.config import Config
from mien.types import MienError


class Smoothing(Config):
    """A Savitzky–Golay filter over each dimension of the predictions, and over which stretches it runs."""

    window: int = Field(gt=1)
    """Rows."""
    order: int = Field(ge=0)
    over: Literal["split", "group"]
    """`split`: all rows in their order as one curve, across borders of films; `group`: each group's by itself."""

    @model_validator(mode="after")
    def _window_holds_the_polynomial(self) -> Smoothing:
        if self.order >= self.window:
            raise ValueError(f"{self.order = } is not below {self.window = }; such a polynomial meets every point")
        return self


def smooth(
    predicted: Float[np.ndarray, "n d"], smoothing: Smoothing, *, groups: Sequence[str] = ()
) -> Float[np.ndarray, "n d"]:
    """The smoothed curves, row by row; `groups` are the rows', wanted where smoothing is by group."""
    smoothed = np.empty(predicted.shape)
    for rows in _stretches(len(predicted), smoothing, groups):
        smoothed[rows] = _smooth_stretch(predicted[rows].astype(np.float64), smoothing)
    return smoothed


def _stretches(num_rows: int, smoothing: Smoothing, groups: Sequence[str]) -> list[np.ndarray]:
    """The rows of each curve."""
    if smoothing.over == "split":
        return [np.arange(num_rows)]
    if len(groups) != num_rows:
        raise MienError(f"smoothing by group wants each row's group; {len(groups)} are told of {num_rows} rows")
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(own) for own in rows.values()]


def _smooth_stretch(curve: Float[np.ndarray, "m d"], smoothing: Smoothing) -> Float[np.ndarray, "m d"]:
    """A curve shorter than the window has the longest odd window that fits, and stays as it is if that is too short."""
    window = smoothing.window if len(curve) >= smoothing.window else len(curve) - 1 + len(curve) % 2
    if window <= smoothing.order:
        return curve
    filtered: Float[np.ndarray, "m d"] = savgol_filter(curve, window, smoothing.order, axis=0, mode="interp")
    return filtered
