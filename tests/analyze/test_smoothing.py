"""Scores over time: averaged within one person and shot, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mien.analyze.smoothing import groups_of, smooth


def one_group(count: int) -> list[np.ndarray]:
    return [np.arange(count)]


def test_without_a_deviation_nothing_changes() -> None:
    values = np.array([[0.2, 0.8], [0.9, 0.1]])
    found = smooth(values, sample=np.arange(2), groups=one_group(2), deviation=0.0)
    assert_allclose(found, values)
    assert found is not values


def test_it_is_the_gaussian_mean_of_the_samples_that_there_are() -> None:
    values, sample = np.array([[1.0], [0.0], [0.5]]), np.array([0, 1, 4])
    found = smooth(values, sample=sample, groups=one_group(3), deviation=1.5)
    for i, own in enumerate(sample):
        weight = np.exp(-0.5 * ((sample - own) / 1.5) ** 2)
        assert_allclose(found[i, 0], (weight * values[:, 0]).sum() / weight.sum(), rtol=1e-6)


@pytest.mark.parametrize("deviation", [0.5, 2.0, 8.0])
def test_rows_that_sum_to_one_still_do(deviation: float) -> None:
    values = np.random.default_rng(0).dirichlet(np.ones(5), 30)
    found = smooth(values, sample=np.sort(np.random.default_rng(1).choice(90, 30, replace=False)),
                   groups=one_group(30), deviation=deviation)  # fmt: skip
    assert_allclose(found.sum(axis=1), 1.0)
    assert found.std() < values.std()


def test_nothing_crosses_from_one_group_to_another() -> None:
    """Two shots: before the cut nothing is shown, after it everything."""
    values, shot = np.repeat([0.0, 1.0], 10)[:, None], np.repeat([0, 1], 10)
    sample = np.arange(20)
    found = smooth(values, sample=sample, groups=groups_of(shot, order=sample), deviation=3.0)
    assert_allclose(found, values)


def test_groups_are_the_rows_with_equal_keys_by_time() -> None:
    track, source, sample = np.array([1, 0, 1, 0, 1]), np.array([0, 0, 0, 1, 0]), np.array([2, 0, 1, 0, 0])
    found = [rows.tolist() for rows in groups_of(track, source, order=sample)]
    assert found == [[1], [3], [4, 2, 0]]
    assert groups_of(np.zeros(0, np.int64), order=np.zeros(0, np.int64)) == []
