"""Smoothing of scores over time: a Gaussian over the samples of one person in one shot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import convolve1d

REACH = 3.0  # standard deviations; what lies further has a thousandth of the weight


def smooth(
    values: Float[np.ndarray, "n c"],
    *,
    sample: Int[np.ndarray, "n"],
    groups: Sequence[Int[np.ndarray, "_"]],
    deviation: float,
) -> Float[np.ndarray, "n c"]:
    """`values` averaged over neighbours in time, within each group; rows that sum to one still do.

    sample: the number of the moment of each row. groups: the rows of each person in each shot, by time. deviation: the
    Gaussian's, in samples. Moments at which someone was not seen do not count, and nothing is made up for them.
    """
    found = values.copy()
    if deviation == 0:
        return found
    reach = int(np.ceil(REACH * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    for rows in groups:
        at = sample[rows] - sample[rows].min()
        dense = np.zeros((int(at.max()) + 1, values.shape[1] + 1))  # the last column: whether there is a sample
        dense[at, :-1], dense[at, -1] = values[rows], 1.0
        summed = convolve1d(dense, kernel, axis=0, mode="constant")
        found[rows] = summed[at, :-1] / summed[at, -1:]
    return found


def groups_of(*keys: Int[np.ndarray, "n"], order: Int[np.ndarray, "n"]) -> list[Int[np.ndarray, "_"]]:
    """The rows that have the same keys, each group sorted by `order`."""
    if not len(order):
        return []
    rows = np.lexsort((order, *reversed(keys)))
    changes = np.zeros(len(rows) - 1, np.bool_)
    for key in keys:
        changes |= np.diff(key[rows]) != 0
    return np.split(rows, np.flatnonzero(changes) + 1)
