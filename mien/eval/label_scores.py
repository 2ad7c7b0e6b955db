"""Label scores: what predictions of each kind of label are judged by, name by name, the most told first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from mien.eval import scores
from mien.eval.retrieval import RANKS
from mien.eval.scores import MacroScore

LESS_IS_BETTER = frozenset({"mse", *RANKS})
"""Of all scores, those of retrieval too."""
NUMBERS = frozenset({"r2", "mse", "pearson", *RANKS})
"""Metrics that are no shares."""

Scored = dict[str, MacroScore | float]


def score_classes(truth: Int[np.ndarray, "n"], probabilities: Float[np.ndarray, "n c"]) -> Scored:
    """Exclusive classes; the predicted one is the most probable, the first of equals.

    Among three classes or fewer the right one is always among the first three, which is then not told.
    """
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    top3 = {"top3_accuracy": scores.top_accuracy(truth, probabilities, k=3)} if num_classes > 3 else {}
    return {
        "accuracy": scores.accuracy(truth, predicted),
        "uar": scores.recalls(truth, predicted, num_classes=num_classes),
        "weighted_f1": scores.weighted_f1(truth, predicted, num_classes=num_classes),
        **top3,
        "macro_f1": scores.f1_scores(truth, predicted, num_classes=num_classes),
        "macro_auc": scores.roc_aucs(scores.one_hot(truth, num_classes=num_classes), probabilities),
    }


def score_labels(positive: Bool[np.ndarray, "n c"], probabilities: Float[np.ndarray, "n c"]) -> Scored:
    """Labels that go together; each is ranked on its own, and the highest of a sample is looked at beside that."""
    return {
        "top1_hit": scores.top1_hit(positive, probabilities),
        "macro_map": scores.average_precisions(positive, probabilities),
        "macro_auc": scores.roc_aucs(positive, probabilities),
    }


def score_numbers(truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]) -> Scored:
    """Continuous dimensions."""
    return {
        "r2": scores.r2_scores(truth, predicted),
        "mse": scores.mean_squared_errors(truth, predicted),
        "pearson": scores.pearson_correlations(truth, predicted),
    }


def value_of(score: MacroScore | float) -> float | None:
    """A score's number; None where it does not exist."""
    return number_or_none(score.value if isinstance(score, MacroScore) else score)


def number_or_none(value: float) -> float | None:
    """None in place of NaN, which JSON does not have."""
    return None if math.isnan(value) else value


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of a score over runs; None where one of them does not have it."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def deviation_of(values: Sequence[float | None]) -> float | None:
    """The standard deviation of a score over runs, of a sample of them; None where one of them does not have it."""
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) == len(values) else None
