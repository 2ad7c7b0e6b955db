import numpy as np
import pytest

from mien.eval import intervals, resamples
from mien.eval.intervals import (
    confusion_scores,
    intervals_of_classes,
    intervals_of_labels,
    intervals_of_numbers,
    intervals_of_retrieval,
    number_scores,
    ranked_scores,
)
from mien.eval.label_scores import score_classes, score_labels, score_numbers
from mien.eval.resamples import group_numbers
from mien.eval.retrieval import Ranks
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
        del expected["macro_auc"], expected["top3_accuracy"]  # which depend on more than the matrix
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
    monkeypatch.setattr(resamples, "BLOCK_DRAWS", 50 * 7)
    assert intervals_of_labels(positive, score) == whole


def test_large_splits_are_resampled_less_often_and_say_so(monkeypatch):
    monkeypatch.setattr(intervals, "MAX_DRAWS", 50 * 200)
    rng = np.random.default_rng(7)
    found = intervals_of_labels(rng.random((50, 2)) < 0.4, rng.random((50, 2)))
    assert found["macro_map"].num_resamples == 200


def test_score_that_no_resample_has_gets_no_interval():
    assert intervals_of_labels(np.zeros((9, 2), dtype=bool), np.zeros((9, 2))).keys() == {"top1_hit"}
    assert intervals_of_numbers(np.zeros((0, 2)), np.zeros((0, 2))) == {}


def test_samples_of_one_group_are_drawn_together():
    """Forty dialogues of ten samples each, all alike: the interval is that of forty samples, not that of 400."""
    rng = np.random.default_rng(8)
    truth, told = rng.integers(0, 3, 40), rng.normal(size=(40, 3))
    positive, groups = rng.random((40, 2)) < 0.4, [f"dialogue {i // 10}" for i in range(400)]
    y = rng.normal(size=(40, 2))
    ten = np.repeat(np.arange(40), 10)
    for one, all_, alone in (
        (
            intervals_of_labels(positive, told[:, :2]),
            intervals_of_labels(positive[ten], told[ten, :2], groups=groups),
            intervals_of_labels(positive[ten], told[ten, :2]),
        ),
        (
            intervals_of_numbers(y, told[:, :2]),
            intervals_of_numbers(y[ten], told[ten, :2], groups=groups),
            intervals_of_numbers(y[ten], told[ten, :2]),
        ),
    ):
        for name, interval in one.items():
            assert (interval.num_groups, all_[name].num_groups, alone[name].num_groups) == (None, 40, None)
            assert all_[name].low == pytest.approx(interval.low, abs=0.01)
            assert all_[name].high == pytest.approx(interval.high, abs=0.01)
            assert alone[name].high - alone[name].low < 0.6 * (interval.high - interval.low)
    # A matrix of a resample is drawn at once without groups: other draws of the same distribution.
    one, all_ = intervals_of_classes(truth, told), intervals_of_classes(truth[ten], told[ten], groups=groups)
    for name, interval in one.items():
        assert all_[name].low == pytest.approx(interval.low, abs=0.04)
        assert all_[name].high == pytest.approx(interval.high, abs=0.04)


def test_samples_without_a_group_are_drawn_by_themselves():
    assert group_numbers(["a", "", "", "a", "b"], num_samples=5).tolist() == [0, 1, 2, 0, 3]
    assert group_numbers([], num_samples=3).tolist() == [0, 1, 2]


def test_one_group_has_no_interval():
    """One film says nothing of how another would score."""
    truth, told = np.array([0, 1, 1, 0]), np.eye(2)[[0, 1, 0, 1]]
    assert intervals_of_classes(truth, told, groups=["film"] * 4) == {}
    assert intervals_of_classes(truth, told, groups=["film"] * 3 + ["other"])["accuracy"].num_groups == 2


def test_interval_of_a_recall_is_that_of_a_share_of_queries():
    found = np.arange(400) % 4 > 0  # 75 % at rank 1, the others at 11; standard error 0.0217
    ranks = {"text_to_video": Ranks(above=np.where(found, 0, 10), equal=np.zeros(400, dtype=np.int64))}
    bounds = intervals_of_retrieval(ranks, num_clips=400)
    assert bounds["text_to_video_r1"].low == pytest.approx(0.75 - 1.96 * 0.0217, abs=0.006)
    assert bounds["text_to_video_mean_rank"].high == pytest.approx(3.5 + 1.96 * 0.217, abs=0.06)
    assert (bounds["text_to_video_median_rank"].low, bounds["text_to_video_median_rank"].high) == (1, 1)


@pytest.mark.slow
def test_interval_of_a_mean_average_precision_holds_the_true_one_most_times():
    """26 labels, 300 samples: percentiles as they are hold it 40 times in 100, since resamples score too high."""
    prevalence = np.linspace(0.03, 0.3, 26)
    rng = np.random.default_rng(9)

    def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
        positive = rng.random((n, 26)) < prevalence
        return positive, positive + rng.normal(size=(n, 26))

    truth = values(score_labels(*sample(200_000)))["macro_map"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "NUM_RESAMPLES", 200)
        found = [intervals_of_labels(*sample(300))["macro_map"] for _ in range(100)]
    assert sum(each.low <= truth <= each.high for each in found) >= 78  # 87 of 100, in a simulation of 150


@pytest.mark.slow
def test_interval_over_groups_holds_the_true_accuracy_most_times(monkeypatch):
    """30 films of 20 clips each, easy films and hard ones, of a mean accuracy of 60 %."""
    monkeypatch.setattr(intervals, "NUM_RESAMPLES", 200)
    rng = np.random.default_rng(10)
    groups = [str(i // 20) for i in range(600)]
    held = {"together": 0, "alone": 0}
    for _ in range(60):
        is_right = rng.random(600) < np.repeat(rng.beta(3, 2, 30), 20)
        told = np.eye(2)[np.where(is_right, 0, 1)]
        truth = np.zeros(600, dtype=np.int64)
        for name, told_groups in (("together", groups), ("alone", [])):
            accuracy = intervals_of_classes(truth, told, groups=told_groups)["accuracy"]
            held[name] += accuracy.low <= 0.6 <= accuracy.high
    assert held["together"] >= 52
    assert held["alone"] <= 45


def test_interval_of_the_first_three_is_that_of_the_share_of_groups_drawn_whole():
    truth, groups = np.repeat([0, 3], 50), [f"film {i // 10}" for i in range(100)]
    p = np.tile([0.4, 0.3, 0.2, 0.1], (100, 1))  # class 0 is among the first three, class 3 is not
    alone, together = (intervals_of_classes(truth, p, groups=each)["top3_accuracy"] for each in ([], groups))
    assert (alone.num_groups, together.num_groups) == (None, 10)
    assert alone.low < 0.5 < alone.high
    assert together.high - together.low > 2 * (alone.high - alone.low)
    deviation = (0.25 / 100) ** 0.5
    assert (alone.low, alone.high) == pytest.approx((0.5 - 1.96 * deviation, 0.5 + 1.96 * deviation), abs=0.015)
