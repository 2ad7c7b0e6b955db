"""Scores: what a set of predictions is worth, as pure functions of numpy arrays.

A macro mean is taken over the classes for which the score exists in this split, and says over how many: a class
without a single positive has no recall, no F1, no average precision and no AUC, and a class without a negative
has no AUC. Such a class is left out and counted; it is neither a 0 nor a 1. Where no class is left the value is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score


@dataclass(frozen=True, kw_only=True, slots=True)
class MacroScore:
    """The mean of a score over classes (or dimensions), and each one's own; NaN marks one that was left out."""

    per_class: tuple[float, ...]

    @property
    def value(self) -> float:
        scored = [v for v in self.per_class if not np.isnan(v)]
        return float(np.mean(scored)) if scored else float("nan")

    @property
    def num_left_out(self) -> int:
        return sum(bool(np.isnan(v)) for v in self.per_class)


# ── one class a sample ───────────────────────────────────────────────────────────────────────────


def confusion_matrix(
    truth: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], *, num_classes: int
) -> Int[np.ndarray, "c c"]:
    """Counts of samples, row = true class, column = predicted class."""
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def accuracy(truth: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"]) -> float:
    """Share of samples whose class is right (the field's WAR); NaN without samples."""
    return float(np.mean(truth == predicted)) if len(truth) else float("nan")


def top_accuracy(truth: Int[np.ndarray, "n"], score: Float[np.ndarray, "n c"], *, k: int) -> float:
    """Share of samples whose class is among the `k` highest-scored, the first of equals; NaN without samples."""
    return float(np.mean(in_top(truth, score, k=k))) if len(truth) else float("nan")


def in_top(truth: Int[np.ndarray, "n"], score: Float[np.ndarray, "n c"], *, k: int) -> Bool[np.ndarray, "n"]:
    """Whether each sample's class is among the `k` highest-scored, the first of equals."""
    highest = np.argsort(-score, axis=1, kind="stable")[:, :k]
    return (highest == truth[:, None]).any(axis=1)


def recalls(truth: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], *, num_classes: int) -> MacroScore:
    """Each class's recall; its macro mean is the unweighted average recall (UAR)."""
    matrix = confusion_matrix(truth, predicted, num_classes=num_classes)
    return MacroScore(
        per_class=tuple(float(row[c] / row.sum()) if row.sum() else float("nan") for c, row in enumerate(matrix))
    )


def f1_scores(truth: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], *, num_classes: int) -> MacroScore:
    """Each class's F1. A class that is never predicted has F1 0; one that never occurs is left out.

    (scikit-learn counts a class that is predicted but never occurs as a 0 of the macro mean; here the samples
    wrongly given to it lower the scores of the classes they belong to, and that is all.)
    """
    f1 = f1_score(truth, predicted, labels=np.arange(num_classes), average=None, zero_division=0.0)
    occurs = np.bincount(truth, minlength=num_classes) > 0
    return MacroScore(per_class=tuple(np.where(occurs, f1, np.nan).tolist()))


def weighted_f1(truth: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], *, num_classes: int) -> float:
    """Mean of the classes' F1, each weighted by how often it occurs in `truth`."""
    counts = np.bincount(truth, minlength=num_classes)
    if counts.sum() == 0:
        return float("nan")
    f1 = np.nan_to_num(f1_scores(truth, predicted, num_classes=num_classes).per_class)
    return float(f1 @ counts / counts.sum())


# ── several labels a sample ──────────────────────────────────────────────────────────────────────


def average_precisions(positive: Bool[np.ndarray, "n c"], score: Float[np.ndarray, "n c"]) -> MacroScore:
    """Each label's average precision (no interpolation); its macro mean is the mAP.

    A constant score has the label's prevalence as its average precision.
    """
    return _per_column(positive, score, average_precision_score, exists=lambda column: bool(column.any()))


def roc_aucs(positive: Bool[np.ndarray, "n c"], score: Float[np.ndarray, "n c"]) -> MacroScore:
    """Each label's area under the ROC curve; a constant score has 0.5."""
    return _per_column(positive, score, roc_auc_score, exists=lambda column: bool(column.any() and not column.all()))


def top1_hit(positive: Bool[np.ndarray, "n c"], score: Float[np.ndarray, "n c"]) -> float:
    """Share of samples whose highest-scored label, the first of equals, is one of theirs; NaN without samples.

    It is what Affect2MM and EmotionCLIP call accuracy on MovieGraphs. A sample without any label is a miss.
    """
    hits = positive[np.arange(len(score)), score.argmax(axis=1)]
    return float(np.mean(hits)) if len(hits) else float("nan")


def one_hot(category: Int[np.ndarray, "n"], *, num_classes: int) -> Bool[np.ndarray, "n c"]:
    """The labels "is of class c", by which one-class predictions are scored one-vs-rest."""
    return category[:, None] == np.arange(num_classes)


def _per_column(
    positive: Bool[np.ndarray, "n c"],
    score: Float[np.ndarray, "n c"],
    measure: Callable[[np.ndarray, np.ndarray], float],
    *,
    exists: Callable[[np.ndarray], bool],
) -> MacroScore:
    return MacroScore(
        per_class=tuple(
            float(measure(p, s)) if exists(p) else float("nan") for p, s in zip(positive.T, score.T, strict=True)
        )
    )


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────


def mean_squared_errors(truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]) -> MacroScore:
    """Each dimension's mean squared error, in the square of the labels' unit."""
    return _per_dimension(truth, predicted, lambda t, p: np.mean((t - p) ** 2))


def r2_scores(truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]) -> MacroScore:
    """Each dimension's coefficient of determination; a dimension whose truth is constant is left out."""
    return _per_dimension(truth, predicted, _r2)


def pearson_correlations(truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]) -> MacroScore:
    """Each dimension's Pearson correlation.

    A dimension whose truth is constant is left out. A constant *prediction* scores 0, so that a model cannot have
    a dimension left out by saying nothing about it.
    """
    return _per_dimension(truth, predicted, _pearson)


def _per_dimension(
    truth: Float[np.ndarray, "n d"],
    predicted: Float[np.ndarray, "n d"],
    measure: Callable[[np.ndarray, np.ndarray], float],
) -> MacroScore:
    if not len(truth):
        return MacroScore(per_class=(float("nan"),) * truth.shape[1])
    columns = zip(truth.T.astype(np.float64), predicted.T.astype(np.float64), strict=True)
    return MacroScore(per_class=tuple(float(measure(t, p)) for t, p in columns))


def _r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    if np.ptp(truth) == 0:
        return float("nan")
    return float(1 - np.sum((truth - predicted) ** 2) / np.sum((truth - truth.mean()) ** 2))


def _pearson(truth: np.ndarray, predicted: np.ndarray) -> float:
    if np.ptp(truth) == 0:
        return float("nan")
    if np.ptp(predicted) == 0:
        return 0.0
    return float(np.corrcoef(truth, predicted)[0, 1])
