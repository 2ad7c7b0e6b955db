"""Intervals: how far a score would stray had other samples of the same kind been drawn.

Bootstrap over the samples of the scored split, of a fixed seed; the probe is not fitted anew, so what another training
split would change is not in it. Samples that hang together (of a film, a dialogue) are drawn together, as they are no
independent ones; with few such groups an interval is rather too narrow still. A resample's score is that of
`mien.eval.scores`, computed for all resamples at once from how often each sample was drawn.

Resampling repeats samples, which raises average precision and lowers R²: the percentiles of the resamples lie as far
beside the score as the score itself lies beside that of endless samples. They are moved back by twice that bias, as the
bias-corrected percentiles are (Efron, "Nonparametric standard errors and confidence intervals", 1981), but in the
score's own unit: by ranks, means over many labels run out of resamples to choose from. An interval need not hold a
score that is biased by more than it is wide.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from mien.config import Config
from mien.eval.resamples import SEED, can_resample, draws, each_once, group_numbers, num_groups_of
from mien.eval.retrieval import RANKS, Ranks, retrieval_scores
from mien.eval.scores import in_top

NUM_RESAMPLES = 1000
NUM_RESAMPLES_RANKED = 100  # at the least, of scores that rank: their cost is samples × resamples × labels
MAX_DRAWS = 20_000_000  # samples × resamples of scores that rank: 1,000 resamples up to 20,000 samples
LEVEL = 0.95
TAILS = (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2)
RANGES = {"r2": (-np.inf, 1.0), "mse": (0.0, np.inf), "pearson": (-1.0, 1.0)} | dict.fromkeys(RANKS, (1.0, np.inf))
"""Between what a score lies that is no share of 0 to 1."""


class Interval(Config):
    """The bounds between which the score lies in 95 % of the resamples, less the bias of these."""

    low: float
    high: float
    num_resamples: int
    num_groups: int | None = None
    """The groups that were drawn, each as a whole; None where every sample was drawn by itself."""


Intervals = dict[str, Interval]
"""By metric; one that exists in no resample has none, and none has one where all samples are of one group."""

Scores = Mapping[str, Float[np.ndarray, "_"]]


def intervals_of_classes(
    truth: Int[np.ndarray, "n"], probabilities: Float[np.ndarray, "n c"], *, groups: Sequence[str] = ()
) -> Intervals:
    """Of `score_classes`; `groups` says what each sample hangs together with, "" with nothing.

    Scores that depend on the confusion matrix alone need no resampling of samples: the matrix of a resample of samples
    is a multinomial draw from the matrix, that of a resample of groups a sum of theirs.
    """
    group_of = group_numbers(groups, num_samples=len(truth))
    if not can_resample(group_of):
        return {}
    num_classes = probabilities.shape[1]
    cells = truth * num_classes + probabilities.argmax(axis=1)
    positive = truth[:, None] == np.arange(num_classes)
    found = _bounds(
        confusion_scores(_confusions(cells, group_of, num_classes=num_classes)),
        confusion_scores(np.bincount(cells, minlength=num_classes**2).reshape(1, num_classes, num_classes)),
        group_of=group_of,
    )
    if num_classes > 3:
        found |= _intervals_of_shares("top3_accuracy", in_top(truth, probabilities, k=3), group_of=group_of)
    return found | _only(("macro_auc",), intervals_of_labels(positive, probabilities, groups=groups))


def intervals_of_labels(
    positive: Bool[np.ndarray, "n c"], probabilities: Float[np.ndarray, "n c"], *, groups: Sequence[str] = ()
) -> Intervals:
    """Of `score_labels`."""
    group_of = group_numbers(groups, num_samples=len(positive))
    if not can_resample(group_of):
        return {}
    once = ranked_scores(each_once(len(positive)), positive, probabilities)
    return _bounds(ranked(positive, probabilities, group_of=group_of), once, group_of=group_of)


def intervals_of_numbers(
    truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"], *, groups: Sequence[str] = ()
) -> Intervals:
    """Of `score_numbers`."""
    group_of = group_numbers(groups, num_samples=len(truth))
    if not can_resample(group_of):
        return {}
    drawn = _joined([number_scores(counts, truth, predicted) for counts in draws(group_of, NUM_RESAMPLES)])
    return _bounds(drawn, number_scores(each_once(len(truth)), truth, predicted), group_of=group_of)


def intervals_of_retrieval(ranks: dict[str, Ranks], *, num_clips: int, groups: Sequence[str] = ()) -> Intervals:
    """Of `retrieval_scores`, over the queries; what is searched stays the same."""
    group_of = group_numbers(groups, num_samples=num_clips)
    if not can_resample(group_of):
        return {}
    drawn = _joined([retrieval_scores(ranks, counts) for counts in draws(group_of, NUM_RESAMPLES)])
    return _bounds(drawn, retrieval_scores(ranks, each_once(num_clips)), group_of=group_of)


def _intervals_of_shares(name: str, holds: Bool[np.ndarray, "n"], *, group_of: Int[np.ndarray, "n"]) -> Intervals:
    """Of the share of samples of which something holds."""
    counts = draws(group_of, NUM_RESAMPLES)
    drawn = np.concatenate([holds.astype(np.float64) @ each / each.sum(axis=0) for each in counts])
    return _bounds({name: drawn}, {name: holds.mean(keepdims=True)}, group_of=group_of)


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


def _confusions(
    cells: Int[np.ndarray, "n"], group_of: Int[np.ndarray, "n"], *, num_classes: int
) -> Int[np.ndarray, "r c c"]:
    """The confusion matrices of resamples; `cells` is each sample's row · classes + column."""
    num_groups, num_cells = num_groups_of(group_of), num_classes**2
    if num_groups == len(cells):
        share = np.bincount(cells, minlength=num_cells) / len(cells)
        drawn = np.random.default_rng(SEED).multinomial(len(cells), share, size=NUM_RESAMPLES)
    else:
        drawn = np.concatenate([_sums(counts, cells, num_cells=num_cells) for counts in draws(group_of, NUM_RESAMPLES)])
    return drawn.reshape(NUM_RESAMPLES, num_classes, num_classes)


def _sums(counts: Int[np.ndarray, "n r"], cells: Int[np.ndarray, "n"], *, num_cells: int) -> Int[np.ndarray, "r k"]:
    """How often each resample has a sample of each cell."""
    is_of = (cells == np.arange(num_cells)[:, None]).astype(np.float64)  # [k, n]; float for speed, and exact
    return (is_of @ counts).T.astype(np.int64)


def ranked(
    positive: Bool[np.ndarray, "n c"], score: Float[np.ndarray, "n c"], *, group_of: Int[np.ndarray, "n"]
) -> dict[str, Float[np.ndarray, "r"]]:
    """The scores of label rankings, of as many resamples as `MAX_DRAWS` allows."""
    num_resamples = int(np.clip(MAX_DRAWS // len(positive), NUM_RESAMPLES_RANKED, NUM_RESAMPLES))
    return _joined([ranked_scores(counts, positive, score) for counts in draws(group_of, num_resamples)])


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


def _joined(parts: Sequence[Scores]) -> dict[str, Float[np.ndarray, "r"]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _varies(spread: Float[np.ndarray, "r d"], values: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "r d"]:
    """Whether a resample's values differ; below this its spread is rounding."""
    return spread > 1e-12 * (values**2).mean(axis=0)


def _mean(per_class: Float[np.ndarray, "r c"]) -> Float[np.ndarray, "r"]:
    """Over the classes for which a resample has the score; NaN where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(per_class, axis=1)


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


def _bounds(drawn: Scores, once: Scores, *, group_of: Int[np.ndarray, "n"]) -> Intervals:
    """The percentiles of the resamples' scores, moved by twice their bias from the score of the samples themselves."""
    num_groups = num_groups_of(group_of)
    intervals = Intervals()
    for name, values in drawn.items():
        there, score = values[~np.isnan(values)], float(once[name][0])
        if not len(there) or np.isnan(score):
            continue
        least, greatest = RANGES.get(name, (0.0, 1.0))
        moved = np.percentile(there, TAILS) - 2 * (there.mean() - score)
        low, high = np.clip(moved, least, greatest).tolist()
        intervals[name] = Interval(
            low=low,
            high=high,
            num_resamples=len(there),
            num_groups=num_groups if num_groups < len(group_of) else None,
        )
    return intervals


def _only(names: Sequence[str], intervals: Intervals) -> Intervals:
    return {name: intervals[name] for name in names if name in intervals}
