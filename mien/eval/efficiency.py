"""Label efficiency: what fine-tuned models score by how many labels they were trained on, over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mien.config import Config
from mien.eval.label_scores import mean_of
from mien.eval.results import EvalResult, TaskResult
from mien.types import MienError
from mien.whole_file import write_whole


class Spread(Config):
    """A score over seeds. None stands for one that does not exist."""

    mean: float | None
    standard_error: float | None
    """The standard deviation over the seeds (of a sample) by the root of their number; None of a single seed."""
    values: tuple[float | None, ...]
    """By seed."""


class EfficiencyPoint(Config):
    """What training on a share of the labels came to."""

    fraction: float
    num_fitted: int
    metrics: dict[str, Spread]


class EfficiencyTask(Config):
    """A task's scores, the smallest share first. `majority` knows how frequent each label is in all of the split."""

    name: str
    chosen_by: str
    """The metric that the task's epochs are chosen by, or would be: what a chart of it shows."""
    points: tuple[EfficiencyPoint, ...]
    majority: dict[str, float | None]


class LabelEfficiency(Config):
    """A series of fine-tuning runs that differ in share and seed alone. `protocol` is named without these two."""

    format: Literal[1] = 1
    benchmark: str
    is_generated: bool
    split: str
    protocol: str
    model_id: str
    weights_hash: str
    trained_on: str
    seeds: tuple[int, ...]
    num_used: int
    tasks: tuple[EfficiencyTask, ...]

    def save(self, path: Path) -> None:
        """Writes the record to `path` as JSON; the file appears whole or not at all."""
        write_whole(path, self.model_dump_json(indent=1) + "\n")


def label_efficiency(
    runs: Mapping[float, Sequence[EvalResult]], *, protocol: str, seeds: Sequence[int]
) -> LabelEfficiency:
    """The series as one record. runs: by share, the results of the seeds, in their order."""
    first = next(iter(runs.values()))[0]
    return LabelEfficiency(
        benchmark=first.benchmark,
        is_generated=first.is_generated,
        split=first.split,
        protocol=protocol,
        model_id=first.model_id,
        weights_hash=first.weights_hash,
        trained_on=first.trained_on,
        seeds=tuple(seeds),
        num_used=first.num_used,
        tasks=tuple(_of_task(task, runs) for task in first.tasks),
    )


def spread_of(values: Sequence[float | None]) -> Spread:
    """Mean and standard error of a score over seeds."""
    known = [value for value in values if value is not None]
    error = None
    if len(known) == len(values) > 1:
        error = float(np.std(known, ddof=1)) / math.sqrt(len(known))
    return Spread(mean=mean_of(values), standard_error=error, values=tuple(values))


def _of_task(task: TaskResult, runs: Mapping[float, Sequence[EvalResult]]) -> EfficiencyTask:
    return EfficiencyTask(
        name=task.name,
        chosen_by=str(task.probe["choose_by"] or next(iter(task.metrics))),
        points=tuple(_point(fraction, [run.task(task.name) for run in runs[fraction]]) for fraction in sorted(runs)),
        majority=task.majority,
    )


def _point(fraction: float, tasks: Sequence[TaskResult]) -> EfficiencyPoint:
    told = tasks[0].finetune
    if told is None:
        raise MienError(f"task {tasks[0].name!r} is not fine-tuned, so that no share of labels was trained on")
    metrics = {name: spread_of([task.metrics[name] for task in tasks]) for name in tasks[0].metrics}
    return EfficiencyPoint(fraction=fraction, num_fitted=told.num_fitted, metrics=metrics)
