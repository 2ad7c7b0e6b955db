"""Calibration: whether what is called 70 % probable is so seven times of ten."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

NUM_BINS = 15


def calibration_error(confidence: Float[np.ndarray, "n"], is_right: Bool[np.ndarray, "n"]) -> float:
    """Expected calibration error (Guo et al. 2017): by how much confidence and accuracy differ, bin by bin.

    That is the mean of |confidence - accuracy| over the bins of `reliability`, each weighed by its share.
    """
    rows = reliability(confidence, is_right)
    error = sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / len(confidence)
    return round(error, 4)


def reliability(confidence: Float[np.ndarray, "n"], is_right: Bool[np.ndarray, "n"]) -> list[dict[str, float]]:
    """What fell into each of NUM_BINS equally wide bins, empty ones left out: how many, how sure, how often right."""
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    return [
        {
            "from": round(i / NUM_BINS, 4),
            "count": int((bins == i).sum()),
            "confidence": round(float(confidence[bins == i].mean()), 6),
            "accuracy": round(float(is_right[bins == i].mean()), 6),
        }
        for i in np.unique(bins)
    ]
