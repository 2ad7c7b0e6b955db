"""Intervals: how far a score would stray had other samples of the same kind been drawn.

Percentile bootstrap over the samples of the scored split, of a fixed seed; the probe is not fitted anew, so what
another training split would change is not in it. Samples of one film or dialogue are drawn as if each stood alone,
which makes the interval too narrow where neighbours are alike. A resample's score is that of `mien.eval.scores`,
computed for all resamples at once from how often each sample was drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from mien.config import Config

SEED = 0
NUM_RESAMPLES = 1000
NUM_RESAMPLES_RANKED = 100  # at the least, of scores that rank: their cost is samples × resamples × labels
MAX_DRAWS = 20_000_000  # samples × resamples of scores that rank: 1,000 resamples up to 20,000 samples
BLOCK_DRAWS = 4_000_000  # samples × resamples held in memory at a time (16 MB an array)
LEVEL = 0.95


class Interval(Config):
    """The bounds between which the score lies in 95 % of the resamples."""

    low: float
    high: float
    num_resamples: int


Intervals = dict[str, Interval]
"""By metric; one that exists in no resample has none."""


def intervals_of_classes(truth: Int[np.ndarray, "n"], probabilities: Float[np.ndarray, "n c"]) -> Intervals:
    """Of `score_classes`.

    Scores that depend on the confusion matrix alone need no resampling of samples: the matrix of a resample is a
    multinomial draw from the matrix.
    """
    if not len(truth):
        return {}
    num_classes = probabilities.shape[1]
    cells = np.bincount(truth * num_classes + probabilities.argmax(axis=1), minlength=num_classes**2)
    drawn = np.random.default_rng(SEED).multinomial(len(truth), cells / len(truth), size=NUM_RESAMPLES)
    confusion = drawn.reshape(NUM_RESAMPLES, num_classes, num_classes)
    positive = truth[:, None] == np.arange(num_classes)
    found = _percentiles(confusion_scores(confusion))
    return found | _percentiles({"macro_auc": ranked(positive, probabilities)["macro_auc"]})


def intervals_of_labels(positive: Bool[np.ndarray, "n c"], probabilities: Float[np.ndarray, "n c"]) -> Intervals:
    """Of `score_labels`."""
    return _percentiles(ranked(positive, probabilities)) if len(positive) else {}


def intervals_of_numbers(truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]) -> Intervals:
    """Of `score_numbers`."""
    if not len(truth):
        return {}
    parts = [number_scores(counts, truth, predicted) for counts in _draws(len(truth), NUM_RESAMPLES)]
    return _percentiles({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


# ── the scores of many resamples at once ─────────────────────────────────────────────────────────


def confusion_scores(confusion: Int[np.ndarray, "r c c"]) -> dict[str, Float[np.ndarray, "r"]]:
    """From each resample's confusion matrix, row = true class."""
    right = np.einsum("rcc->rc", confusion)
    true, told = confusion.sum(axis=2), confusion.sum(axis=1)
    occurs = true > 0
    f1 = 2 * right / np.maximum(true + told, 1)
    return {
        "accuracy": right.sum(axis=1) / true.sum(axis=1),
        "uar": _mean(np.where(occurs, right / np.maximum(true, 1), np.nan)),
        "weighted_f1": (f1 * true).sum(axis=1) / true.sum(axis=1),
        "macro_f1": _mean(np.where(occurs, f1, np.nan)),
    }


def ranked(positive: Bool[np.ndarray, "n c"], score: Float[np.ndarray, "n c"]) -> dict[str, Float[np.ndarray, "r"]]:
    """The scores of label rankings, of as many resamples as `MAX_DRAWS` allows."""
    num_resamples = int(np.clip(MAX_DRAWS // len(positive), NUM_RESAMPLES_RANKED, NUM_RESAMPLES))
    parts = [ranked_scores(counts, positive, score) for counts in _draws(len(positive), num_resamples)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def ranked_scores(
    counts: Int[np.ndarray, "n r"], positive: Bool[np.ndarray, "n c"], score: Float[np.ndarray, "n c"]
) -> dict[str, Float[np.ndarray, "r"]]:
    """Top-1 hit rate, macro mAP and macro AUC of the resamples in which sample i occurs `counts[i]` times."""
    hits = positive[np.arange(len(score)), score.argmax(axis=1)]
    columns = [_rank(counts, is_positive, s) for is_positive, s in zip(positive.T, score.T, strict=True)]
    return {
        "top1_hit": hits.astype(np.float64) @ counts / counts.sum(axis=0),
        "macro_map": _mean(np.stack([precision for precision, _ in columns], axis=1)),
        "macro_auc": _mean(np.stack([auc for _, auc in columns], axis=1)),
    }


def number_scores(
    counts: Int[np.ndarray, "n r"], truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]
) -> dict[str, Float[np.ndarray, "r"]]:
    """Means over the dimensions of R², mean squared error and Pearson correlation, from weighted moments."""
    weight = counts.T / counts.sum(axis=0)[:, None]  # [r, n]
    t, p = truth.astype(np.float64), predicted.astype(np.float64)
    error = weight @ (t - p) ** 2
    t, p = t - t.mean(axis=0), p - p.mean(axis=0)
    mean_t, mean_p = weight @ t, weight @ p
    spread_t, spread_p = weight @ t**2 - mean_t**2, weight @ p**2 - mean_p**2
    together = weight @ (t * p) - mean_t * mean_p
    varies_t, varies_p = _varies(spread_t, t), _varies(spread_p, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(varies_t, 1 - error / spread_t, np.nan)
        pearson = np.where(varies_p, together / np.sqrt(spread_t * spread_p), 0.0)
    return {"r2": _mean(r2), "mse": _mean(error), "pearson": _mean(np.where(varies_t, pearson, np.nan))}


def _rank(
    counts: Int[np.ndarray, "n r"], positive: Bool[np.ndarray, "n"], score: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "r"], Float[np.ndarray, "r"]]:
    """Average precision and AUC of one label; equal scores stand at one threshold, as in scikit-learn."""
    order = np.argsort(-score, kind="stable")
    ranks = np.flatnonzero(positive[order])  # of the positives
    if not len(ranks):
        nothing = np.full(counts.shape[1], np.nan)
        return nothing, nothing
    negated = -score[order]
    first = np.searchsorted(negated, negated[ranks], side="left")
    last = np.searchsorted(negated, negated[ranks], side="right")
    zero = np.zeros((1, counts.shape[1]), dtype=np.int32)
    seen = np.concatenate([zero, counts[order].cumsum(axis=0, dtype=np.int32)])  # [n + 1, r]: before each rank
    own = counts[order[ranks]]
    found = np.concatenate([zero, own.cumsum(axis=0, dtype=np.int32)])
    found_above = found[np.searchsorted(ranks, first)]
    found_with = found[np.searchsorted(ranks, last)]
    num_positive, num_negative = found[-1], seen[-1] - found[-1]
    negatives_above = seen[first] - found_above
    negatives_with = seen[last] - found_with
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = (own * (found_with / np.maximum(seen[last], 1))).sum(axis=0) / num_positive
        passed = (own * (negatives_above + negatives_with)).sum(axis=0) / 2
        auc = 1 - passed / (num_positive * num_negative.astype(np.float64))
    return (
        np.where(num_positive > 0, precision, np.nan),
        np.where((num_positive > 0) & (num_negative > 0), auc, np.nan),
    )


def _draws(num_samples: int, num_resamples: int) -> Iterator[Int[np.ndarray, "n r"]]:
    """How often each sample is drawn, in blocks of resamples."""
    rng = np.random.default_rng(SEED)
    block = max(1, BLOCK_DRAWS // num_samples)
    for start in range(0, num_resamples, block):
        size = min(block, num_resamples - start)
        drawn = [np.bincount(rng.integers(0, num_samples, num_samples), minlength=num_samples) for _ in range(size)]
        yield np.stack(drawn, axis=1).astype(np.int32)


def _varies(spread: Float[np.ndarray, "r d"], values: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "r d"]:
    """Whether a resample's values differ; below this its spread is rounding."""
    return spread > 1e-12 * (values**2).mean(axis=0)


def _mean(per_class: Float[np.ndarray, "r c"]) -> Float[np.ndarray, "r"]:
    """Over the classes for which a resample has the score; NaN where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(per_class, axis=1)


def _percentiles(scores: dict[str, Float[np.ndarray, "r"]]) -> Intervals:
    tails = [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2]
    there = {name: values[~np.isnan(values)] for name, values in scores.items()}
    bounds = {name: np.percentile(values, tails) for name, values in there.items() if len(values)}
    return {
        name: Interval(low=float(low), high=float(high), num_resamples=len(there[name]))
        for name, (low, high) in bounds.items()
    }
