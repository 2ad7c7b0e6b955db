"""Predictions smoothed over time."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mien.eval.protocol import ClassNames, Task
from mien.eval.smoothing import Smoothing, smooth
from mien.eval.tasks import run_task
from mien.types import Features, MienError

FIVE = Smoothing(window=5, order=2, over="split")


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_odd_window_takes_the_weights_of_savitzky_and_golay() -> None:
    impulse = column(0, 0, 0, 0, 0, 35, 0, 0, 0, 0, 0)
    assert smooth(impulse, FIVE)[3:8, 0] == pytest.approx([-3, 12, 17, 12, -3])


def test_odd_window_leaves_a_polynomial_of_its_order_alone_to_the_ends() -> None:
    curve = np.arange(300.0)[:, None] ** 3 * 1e-6
    assert smooth(curve, Smoothing(window=101, order=3, over="split")) == pytest.approx(curve, abs=1e-9)


def test_even_window_gives_the_value_half_a_point_later_but_for_half_a_window_at_either_end() -> None:
    line = np.arange(300.0)[:, None]
    shift = smooth(line, Smoothing(window=100, order=3, over="split")) - line
    assert shift[50:250] == pytest.approx(0.5)
    assert shift[:50] == pytest.approx(0, abs=1e-6)
    assert shift[250:] == pytest.approx(0, abs=1e-6)


def test_curve_runs_across_films_unless_smoothing_is_by_group() -> None:
    step, films = column(*[0] * 6, *[1] * 6), ("a",) * 6 + ("b",) * 6
    across = smooth(step, FIVE, groups=films)
    assert across[5, 0] != pytest.approx(0)
    by_film = smooth(step, Smoothing(window=5, order=2, over="group"), groups=films)
    assert by_film == pytest.approx(step, abs=1e-12)


def test_groups_may_lie_among_each_other_and_dimensions_are_apart() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 9, 2))
    mixed = np.stack([a, b], axis=1).reshape(18, 2)
    got = smooth(mixed, Smoothing(window=5, order=2, over="group"), groups=("a", "b") * 9)
    assert got[::2] == pytest.approx(smooth(a, FIVE))
    assert got[1::2, :1] == pytest.approx(smooth(b[:, :1], FIVE))


@pytest.mark.parametrize(("rows", "window"), [(4, 3), (3, 3)])
def test_film_shorter_than_the_window_has_the_longest_odd_one_that_fits(rows: int, window: int) -> None:
    curve = column(1, 5, 0, 7)[:rows]
    fitted = Smoothing(window=window, order=1, over="split")
    assert smooth(curve, Smoothing(window=100, order=1, over="split")) == pytest.approx(smooth(curve, fitted))


def test_film_of_no_more_rows_than_a_polynomial_meets_stays_as_it_is() -> None:
    curve = column(1, 5, 0, 7)
    assert smooth(curve, Smoothing(window=100, order=3, over="split")).tolist() == curve.tolist()


def test_smoothing_by_group_wants_groups() -> None:
    with pytest.raises(MienError, match="0 are told of 3 rows"):
        smooth(column(1, 2, 3), Smoothing(window=5, order=2, over="group"))


def test_polynomial_that_meets_every_point_of_the_window_is_refused() -> None:
    with pytest.raises(ValidationError, match="meets every point"):
        Smoothing(window=3, order=3, over="split")


def test_only_numbers_are_smoothed() -> None:
    with pytest.raises(ValidationError, match="only ridge predicts numbers"):
        Task.model_validate({"name": "a", "probe": {"kind": "multinomial", "C": 1}, "smoothing": FIVE.model_dump()})


def test_ridge_task_of_two_dimensions_scores_what_is_smoothed_film_by_film() -> None:
    """Film a is predicted as 0 0 35 0 0; a line of order 1 through five points at 35 · (1, 1, 1, 1, 1) / 5 = 7."""
    train = features(x=[-1, 1], vad=[[-1, -2], [1, 2]])
    test = features(x=[0, 0, 35, 0, 0, 3], vad=[[7, 14]] * 5 + [[3, 6]], groups=("a",) * 5 + ("b",))
    smoothing = {"window": 5, "order": 1, "over": "group"}
    task = Task.model_validate({"name": "va", "probe": {"kind": "ridge", "alpha": 0}, "smoothing": smoothing})
    result, _ = run_task(task, classes=ClassNames(vad=("valence", "arousal")), train=train, test=test)
    assert result.per_class["mse"] == pytest.approx((0, 0), abs=1e-9)
    assert result.support == (6, 6)


def features(*, x: list[float], vad: list[list[float]], groups: tuple[str, ...] = ()) -> Features:
    return Features(
        x=np.array(x, dtype=np.float32)[:, None], category=None, scores=None, vad=np.array(vad, dtype=np.float32),
        ids=tuple(map(str, range(len(x)))), groups=groups,
    )  # fmt: skip
