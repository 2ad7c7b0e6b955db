import numpy as np
import pytest

from mien.eval import intervals
from mien.eval.intervals import (
    confusion_scores,
    intervals_of_classes,
    intervals_of_labels,
    intervals_of_numbers,
    number_scores,
    ranked_scores,
)
from mien.eval.label_scores import score_classes, score_labels, score_numbers
from mien.eval.scores import confusion_matrix

N, R = 40, 25


def values(scored) -> dict[str, float]:
    return {name: score if isinstance(score, float) else score.value for name, score in scored.items()}


@pytest.fixture
def counts() -> np.ndarray:
    """How often each of the 40 samples is in each of 25 resamples."""
    rng = np.random.default_rng(1)
    return rng.multinomial(N, np.full(N, 1 / N), size=R).T.astype(np.int32)


def test_ranked_scores_of_a_resample_are_those_of_its_samples_written_out(counts):
    rng = np.random.default_rng(2)
    positive = rng.random((N, 4)) < [0.5, 0.05, 0.3, 0.0]  # the second is in few resamples, the last in none
    score = rng.integers(0, 6, (N, 4)) / 5  # many are equal
    ours = ranked_scores(counts, positive, score)
    for r in range(R):
        rows = np.repeat(np.arange(N), counts[:, r])
        expected = values(score_labels(positive[rows], score[rows]))
        assert {name: column[r] for name, column in ours.items()} == pytest.approx(expected)


def test_number_scores_of_a_resample_are_those_of_its_samples_written_out(counts):
    rng = np.random.default_rng(3)
    truth, predicted = rng.normal(5, 1, (N, 3)), rng.normal(5, 1, (N, 3))
    truth[:, 1], predicted[:, 2] = 4.0, 7.0  # constant truth is left out, constant prediction correlates 0
    ours = number_scores(counts, truth, predicted)
    for r in range(R):
        rows = np.repeat(np.arange(N), counts[:, r])
        expected = values(score_numbers(truth[rows], predicted[rows]))
        assert {name: column[r] for name, column in ours.items()} == pytest.approx(expected)


def test_confusion_scores_are_those_of_the_samples_written_out():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, (R, N))  # class 3 never occurs, but is told
    told = rng.integers(0, 4, (R, N))
    ours = confusion_scores(np.stack([confusion_matrix(t, p, num_classes=4) for t, p in zip(truth, told, strict=True)]))
    for r in range(R):
        expected = values(score_classes(truth[r], np.eye(4)[told[r]]))
        expected.pop("macro_auc")
        assert {name: column[r] for name, column in ours.items()} == pytest.approx(expected)


def test_interval_of_an_accuracy_is_that_of_a_share():
    truth = np.zeros(400, dtype=np.int64)
    told = (np.arange(400) % 4 == 0).astype(np.int64)  # 75 % right; standard error 0.0217
    accuracy = intervals_of_classes(truth, np.eye(2)[told])["accuracy"]
    assert accuracy.low == pytest.approx(0.75 - 1.96 * 0.0217, abs=0.006)
    assert accuracy.high == pytest.approx(0.75 + 1.96 * 0.0217, abs=0.006)
    assert accuracy.num_resamples == 1000


def test_intervals_hold_the_scores_and_are_the_same_each_time():
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 300)
    p = np.eye(3)[truth] + rng.normal(0, 1, (300, 3))
    positive, y = rng.random((300, 5)) < 0.3, rng.normal(size=(300, 2))
    noisy = positive + rng.normal(0, 1, (300, 5))
    for scored, found, again in (
        (score_classes(truth, p), intervals_of_classes(truth, p), intervals_of_classes(truth, p)),
        (score_labels(positive, noisy), intervals_of_labels(positive, noisy), intervals_of_labels(positive, noisy)),
        (score_numbers(y, y + 1), intervals_of_numbers(y, y + 1), intervals_of_numbers(y, y + 1)),
    ):
        assert found == again
        assert found.keys() == scored.keys()
        tolerance = 1e-9
        for name, value in values(scored).items():
            assert found[name].low - tolerance <= value <= found[name].high + tolerance


def test_blocks_of_resamples_change_nothing(monkeypatch):
    rng = np.random.default_rng(6)
    positive, score = rng.random((50, 2)) < 0.4, rng.random((50, 2))
    whole = intervals_of_labels(positive, score)
    monkeypatch.setattr(intervals, "BLOCK_DRAWS", 50 * 7)
    assert intervals_of_labels(positive, score) == whole


def test_large_splits_are_resampled_less_often_and_say_so(monkeypatch):
    monkeypatch.setattr(intervals, "MAX_DRAWS", 50 * 200)
    rng = np.random.default_rng(7)
    found = intervals_of_labels(rng.random((50, 2)) < 0.4, rng.random((50, 2)))
    assert found["macro_map"].num_resamples == 200


def test_score_that_no_resample_has_gets_no_interval():
    assert intervals_of_labels(np.zeros((9, 2), dtype=bool), np.zeros((9, 2))).keys() == {"top1_hit"}
    assert intervals_of_numbers(np.zeros((0, 2)), np.zeros((0, 2))) == {}
