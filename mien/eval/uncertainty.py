"""Uncertainty: what the brackets and the ± beside the scores of some results mean, a line for each kind there is."""

from __future__ import annotations

from collections.abc import Sequence

from mien.eval.intervals import Interval
from mien.eval.label_scores import NUMBERS
from mien.eval.results import EvalResult

Runs = Sequence[tuple[str, EvalResult]]

ROUNDING = 1e-9  # a score that is a bound of its interval lies in it


def uncertainty_notes(runs: Runs) -> tuple[str, ...]:
    """Of what intervals were drawn, over what deviations are; nothing where the results have neither."""
    notes = [f"[low, high]: 95 % bootstrap interval over {drawn}" for drawn in _drawn(runs)]
    if any(is_beside(interval, value) for interval, value in _intervals(runs)):
        notes.append(
            "an interval beside its score: the score is biased by more than the interval is wide (mean average "
            "precision of few samples is too high), and the interval is corrected for that"
        )
    if any(task.few_shot for _, result in runs for task in result.tasks):
        notes.append("±: standard deviation over the seeds of few-shot draws")
    if any(task.folds for _, result in runs for task in result.tasks):
        notes.append("mean over the folds, ± their standard deviation")
        notes += _folds(runs)
    return tuple(notes)


def is_beside(interval: Interval, value: float | None) -> bool:
    """Whether an interval does not hold its own score, as can be of scores that resampling biases."""
    return value is not None and not interval.low - ROUNDING <= value <= interval.high + ROUNDING


def _intervals(runs: Runs) -> list[tuple[Interval, float | None]]:
    """Every interval, and its score."""
    tasks = [task for _, result in runs for task in result.tasks]
    return [(interval, task.metrics.get(name)) for task in tasks for name, interval in task.intervals.items()]


def _drawn(runs: Runs) -> list[str]:
    """What the intervals were drawn of, each once."""
    found = [
        "the samples of the split"
        if interval.num_groups is None
        else f"{interval.num_groups:,} {result.grouped_by or 'group'}s of the split, each drawn whole"
        for _, result in runs
        for task in result.tasks
        for interval in task.intervals.values()
    ]
    return list(dict.fromkeys(found))


def _folds(runs: Runs) -> list[str]:
    """Each run's scores by fold, a line for each of a task's metrics, shares in per cent."""
    return [
        f"{name}, {task.name} {metric} fold by fold: "
        + " ".join("–" if value is None else f"{value if metric in NUMBERS else 100 * value:.2f}" for value in values)
        for name, result in runs
        for task in result.tasks
        if task.folds is not None
        for metric, values in task.folds.metrics.items()
    ]
