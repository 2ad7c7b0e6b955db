"""Calibration error against a case done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.eval.calibration import NUM_BINS, calibration_error, reliability


def test_error_is_the_bins_mean_difference_weighed_by_their_counts() -> None:
    confidence = np.array([0.95, 0.97, 0.5, 0.51])
    is_right = np.array([True, False, True, True])
    rows = reliability(confidence, is_right)
    assert [row["count"] for row in rows] == [2, 2]
    assert [row["accuracy"] for row in rows] == [1.0, 0.5]
    by_hand = 0.5 * abs(0.96 - 0.5) + 0.5 * abs(0.505 - 1.0)
    assert calibration_error(confidence, is_right) == pytest.approx(by_hand, abs=1e-4)


def test_what_is_right_as_often_as_it_is_sure_has_no_error() -> None:
    assert calibration_error(np.full(4, 0.75), np.array([True, True, True, False])) == 0


def test_certainty_falls_into_the_last_bin() -> None:
    (row,) = reliability(np.ones(3), np.ones(3, dtype=bool))
    assert row["from"] == pytest.approx(1 - 1 / NUM_BINS, abs=1e-4)
