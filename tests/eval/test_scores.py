from math import isnan, nan

import numpy as np
import pytest
from sklearn import metrics

from mien.eval import scores
from mien.eval.label_scores import score_classes

TRUTH = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def test_confusion_matrix_has_a_row_for_each_true_class():
    assert scores.confusion_matrix(TRUTH, PREDICTED, num_classes=3).tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_accuracy_is_the_share_of_right_answers():
    assert scores.accuracy(TRUTH, PREDICTED) == pytest.approx(4 / 6)


def test_top_accuracy_asks_whether_the_right_class_is_among_the_first_so_many():
    truth = np.array([0, 1, 2, 3])
    score = np.tile([0.4, 0.3, 0.2, 0.1], (4, 1))
    assert [scores.top_accuracy(truth, score, k=k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]
    assert scores.top_accuracy(truth, np.zeros((4, 4)), k=3) == 0.75  # of equals the first three
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 6, 50), rng.random((50, 6))
    assert scores.top_accuracy(truth, score, k=3) == pytest.approx(metrics.top_k_accuracy_score(truth, score, k=3))
    assert scores.top_accuracy(truth, score, k=1) == scores.accuracy(truth, score.argmax(axis=1))


def test_first_three_are_told_of_more_than_three_classes_only():
    assert score_classes(np.array([0, 3]), np.eye(4)[[1, 3]])["top3_accuracy"] == 1.0
    assert "top3_accuracy" not in score_classes(np.array([0, 2]), np.eye(3)[[1, 2]])


def test_uar_is_the_mean_of_the_recalls():
    recalls = scores.recalls(TRUTH, PREDICTED, num_classes=3)
    assert recalls.per_class == pytest.approx((2 / 3, 1 / 2, 1.0))
    assert recalls.value == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_f1_matches_hand_computed_values():
    # precision 1, 1/2, 1/2; recall 2/3, 1/2, 1
    assert scores.f1_scores(TRUTH, PREDICTED, num_classes=3).per_class == pytest.approx((0.8, 0.5, 2 / 3))
    expected = (3 * 0.8 + 2 * 0.5 + 2 / 3) / 6
    assert scores.weighted_f1(TRUTH, PREDICTED, num_classes=3) == pytest.approx(expected)


def test_class_that_never_occurs_is_left_out_of_macro_means_and_counted():
    predicted = np.array([0, 0, 1, 1, 3, 2])  # class 3 is predicted once and never true
    recalls = scores.recalls(TRUTH, predicted, num_classes=4)
    assert recalls.value == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert recalls.num_left_out == 1
    assert isnan(scores.f1_scores(TRUTH, predicted, num_classes=4).per_class[3])


def test_average_precision_matches_hand_computed_value():
    positive = np.array([[True], [False], [True], [False]])
    score = np.array([[0.9], [0.8], [0.7], [0.1]])
    assert scores.average_precisions(positive, score).value == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert scores.roc_aucs(positive, score).value == pytest.approx(3 / 4)


def test_constant_score_has_prevalence_as_average_precision_and_half_as_auc():
    positive = np.array([[True], [False], [False], [False]])
    assert scores.average_precisions(positive, np.ones((4, 1))).value == pytest.approx(0.25)
    assert scores.roc_aucs(positive, np.ones((4, 1))).value == pytest.approx(0.5)


def test_label_without_positives_is_left_out_and_one_without_negatives_has_no_auc():
    positive = np.array([[True, False, True], [False, False, True]])
    score = np.array([[0.9, 0.5, 0.2], [0.1, 0.5, 0.8]])
    precision, auc = scores.average_precisions(positive, score), scores.roc_aucs(positive, score)
    assert precision.per_class == pytest.approx((1.0, nan, 1.0), nan_ok=True)
    assert auc.per_class == pytest.approx((1.0, nan, nan), nan_ok=True)
    assert (precision.value, precision.num_left_out, auc.value, auc.num_left_out) == (1.0, 1, 1.0, 2)


def test_top1_hit_is_the_share_of_samples_whose_highest_label_is_theirs():
    positive = np.array([[True, True, False], [False, False, True], [False, True, False], [False, False, False]])
    score = np.array([[0.2, 0.6, 0.1], [0.5, 0.4, 0.3], [0.1, 0.9, 0.8], [0.9, 0.1, 0.1]])
    # label 1 is theirs, label 0 is not, label 1 is, and the last has none
    assert scores.top1_hit(positive, score) == pytest.approx(2 / 4)
    assert isnan(scores.top1_hit(positive[:0], score[:0]))


def test_top1_hit_takes_the_first_of_equal_scores():
    assert scores.top1_hit(np.array([[True, False], [False, True]]), np.full((2, 2), 0.5)) == pytest.approx(1 / 2)


def test_macro_mean_of_nothing_is_nan():
    assert isnan(scores.average_precisions(np.zeros((3, 2), dtype=bool), np.zeros((3, 2))).value)


def test_regression_scores_match_hand_computed_values():
    truth, predicted = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [2.0]])
    assert scores.mean_squared_errors(truth, predicted).value == pytest.approx(1 / 3)
    assert scores.r2_scores(truth, predicted).value == pytest.approx(0.5)
    assert scores.pearson_correlations(truth, predicted).value == pytest.approx(0.8660254)


def test_constant_truth_is_left_out_but_constant_prediction_scores_zero():
    truth, predicted = np.array([[5.0, 1.0], [5.0, 2.0]]), np.array([[5.0, 3.0], [6.0, 3.0]])
    assert scores.r2_scores(truth, predicted).per_class == pytest.approx((nan, -9.0), nan_ok=True)
    assert scores.pearson_correlations(truth, predicted).per_class == pytest.approx((nan, 0.0), nan_ok=True)


def test_scores_equal_scikit_learns_where_every_class_occurs():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 7, 300), rng.integers(0, 7, 300)
    positive, score = rng.random((300, 26)) < 0.2, rng.random((300, 26))
    y, p = rng.normal(size=(300, 3)), rng.normal(size=(300, 3))
    ours = [
        scores.recalls(truth, predicted, num_classes=7).value,
        scores.f1_scores(truth, predicted, num_classes=7).value,
        scores.weighted_f1(truth, predicted, num_classes=7),
        scores.average_precisions(positive, score).value,
        scores.roc_aucs(positive, score).value,
        scores.r2_scores(y, p).value,
        scores.mean_squared_errors(y, p).value,
    ]
    assert ours == pytest.approx(
        [
            metrics.balanced_accuracy_score(truth, predicted),
            metrics.f1_score(truth, predicted, average="macro"),
            metrics.f1_score(truth, predicted, average="weighted"),
            metrics.average_precision_score(positive, score),
            metrics.roc_auc_score(positive, score),
            metrics.r2_score(y, p),
            metrics.mean_squared_error(y, p),
        ]
    )
