"""Folds: the results of a protocol's runs on several pairs of splits, made one: means, and how far folds differ.

A fold's score is of its own test split and, where probes are fitted, of probes of its own. The deviation tells how much
that matters; what another set of videos would change is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.eval.label_scores import deviation_of, mean_of
from mien.eval.protocol import Protocol
from mien.eval.results import CombinedResult, EvalResult, FoldsResult, TaskResult


def mean_over_folds(results: Sequence[EvalResult], *, protocol: Protocol) -> EvalResult:
    """The record of all folds: means of the scores, sums of what was counted, and each task's scores by fold."""
    first = results[0]
    return first.model_copy(
        update={
            "split": f"mean of {', '.join(result.split for result in results)}",
            "protocol": protocol.model_dump(mode="json"),
            "tasks": tuple(_mean_task([r.task(task.name) for r in results], results) for task in first.tasks),
            "combined": tuple(_mean_combined([r.combined[i] for r in results]) for i in range(len(first.combined))),
            "num_train": sum(result.num_train for result in results),
            "num_used": sum(result.num_used for result in results),
            "num_skipped": len(skipped := tuple(dict.fromkeys(s for result in results for s in result.skipped))),
            "skipped": skipped,
            "seconds": round(sum(result.seconds for result in results), 2),
        }
    )


def _mean_task(tasks: Sequence[TaskResult], results: Sequence[EvalResult]) -> TaskResult:
    first = tasks[0]
    by_fold = {name: tuple(task.metrics[name] for task in tasks) for name in first.metrics}
    confusions = [np.array(task.confusion) for task in tasks if task.confusion is not None]
    return TaskResult(
        name=first.name,
        probe={name: value for name, value in first.probe.items() if all(task.probe[name] == value for task in tasks)},
        classes=first.classes,
        support=tuple(np.sum([task.support for task in tasks], axis=0).tolist()),
        metrics={name: mean_of(values) for name, values in by_fold.items()},
        majority={name: mean_of([task.majority[name] for task in tasks]) for name in first.majority},
        per_class={name: _mean_per_class([task.per_class[name] for task in tasks]) for name in first.per_class},
        num_left_out={name: max(task.num_left_out[name] for task in tasks) for name in first.num_left_out},
        confusion=tuple(map(tuple, np.sum(confusions, axis=0).tolist())) if confusions else None,
        folds=FoldsResult(
            splits=tuple(result.split for result in results),
            num_used=tuple(result.num_used for result in results),
            metrics=by_fold,
            deviation={name: deviation_of(values) for name, values in by_fold.items()},
            probes=tuple(task.probe for task in tasks),
        ),
    )


def _mean_per_class(rows: Sequence[tuple[float | None, ...]]) -> tuple[float | None, ...]:
    return tuple(mean_of(column) for column in zip(*rows, strict=True))


def _mean_combined(scores: Sequence[CombinedResult]) -> CombinedResult:
    return CombinedResult(
        name=scores[0].name,
        value=mean_of([score.value for score in scores]),
        majority=mean_of([score.majority for score in scores]),
    )
