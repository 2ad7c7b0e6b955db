"""Results: one JSON file a run."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any, Literal

import numpy
import sklearn
import torch
from pydantic import Field

import mien
from mien.config import Config, validate
from mien.eval.intervals import Interval
from mien.model_card import Measured
from mien.types import MienError
from mien.whole_file import write_whole


class GroupResult(Config):
    """What a task scored on the samples that have one value of an attribute."""

    num_samples: int
    value: float | None


class AttributeResult(Config):
    """What a task scored by the values of an attribute (see `mien.eval.groups`)."""

    metric: str
    """The task's first; empty where every group is small."""
    groups: dict[str, GroupResult]
    num_small_groups: int
    """Values with too few samples to be scored."""
    num_in_small_groups: int
    """The samples of these values."""
    num_without: int
    """Samples of which the attribute is not told."""


class FewShotResult(Config):
    """What a few-shot task's single seeds gave. None stands for a score that does not exist for a seed."""

    shots: int
    seeds: tuple[int, ...]
    num_fitted: int
    """Samples that each seed's probe is fitted on."""
    short_classes: dict[str, int]
    """Classes with fewer samples in the training split than shots, and how many: all of these are taken."""
    metrics: dict[str, tuple[float | None, ...]]
    """By seed."""
    deviation: dict[str, float | None]
    """Standard deviation over the seeds (of a sample: divided by one less than their number)."""


class FoldsResult(Config):
    """What a task scored on the single folds. None stands for a score that does not exist for a fold."""

    splits: tuple[str, ...]
    num_used: tuple[int, ...]
    """Samples of each."""
    metrics: dict[str, tuple[float | None, ...]]
    """By fold."""
    deviation: dict[str, float | None]
    """Standard deviation over the folds (of a sample: divided by one less than their number)."""
    probes: tuple[dict[str, Any], ...] = ()
    """By fold: a sweep chooses for each anew."""


class FinetuneResult(Config):
    """How a fine-tuned task's epoch was chosen."""

    num_fitted: int
    """Samples that were trained on."""
    num_frames: int
    """Read of each clip."""
    epochs: int
    epoch: int
    """The one whose weights are scored, counted from 1: the best on `chosen_on`, else the last."""
    chosen_on: str | None
    chosen_by: str | None
    scores: tuple[float | None, ...] = ()
    """By epoch, on `chosen_on`."""

    def told(self) -> str:
        """In a few words."""
        why = f"the best by {self.chosen_by} on {self.chosen_on}" if self.chosen_on else "the last, not chosen"
        return f"fine-tuned on {self.num_fitted:,} samples, epoch {self.epoch} of {self.epochs}, {why}"


class RetrievalResult(Config):
    """Among what a retrieval task searches: its scores depend on how much that is."""

    num_clips: int
    num_texts: int
    """Different ones; clips that say the same share one, and only the own clip is right."""
    num_without_text: int
    """Clips that say nothing, and are left out."""


class TaskResult(Config):
    """What one probe scored. `probe` is its configuration: of a zero-shot one, templates and words; of several folds
    what these have in common.

    None stands for a score that does not exist (no class of it occurs in the split).
    """

    name: str
    probe: dict[str, Any]
    classes: tuple[str, ...]
    support: tuple[int, ...]
    """Samples of each class in the split (all of them, for a dimension)."""
    metrics: dict[str, float | None]
    majority: dict[str, float | None]
    """The same scores of a head that knows only the labels' frequencies in the training split; none where nothing was
    fitted."""
    per_class: dict[str, tuple[float | None, ...]]
    num_left_out: dict[str, int]
    """Classes that a macro mean leaves out because the score does not exist for them."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Counts, row = true class, column = predicted."""
    intervals: dict[str, Interval] = Field(default_factory=dict)
    """95 % bootstrap intervals of the metrics (see `mien.eval.intervals`); none in results of before there were any."""
    groups: dict[str, AttributeResult] = Field(default_factory=dict)
    """By attribute of the samples, where the release tells any; not of a few-shot task."""
    few_shot: FewShotResult | None = None
    """Of a few-shot task, whose `metrics` and `per_class` are means over its seeds; it has no intervals."""
    finetune: FinetuneResult | None = None
    """Of a fine-tuned task."""
    folds: FoldsResult | None = None
    """Of a task run on several folds: `metrics`, `majority` and `per_class` are means over them, `support` and
    `confusion` sums; it has no intervals."""
    retrieval: RetrievalResult | None = None
    """Of a retrieval task, whose `majority` is chance: a model that says the same of everything."""


class CombinedResult(Config):
    """A score made of several tasks' metrics, as the protocol tells. None where one of these does not exist."""

    name: str
    value: float | None
    majority: float | None


class SkippedSample(Config):
    """A sample that was left out, and why."""

    what: str
    reason: str


class EvalResult(Config):
    """One model on one split of one benchmark, and all that one must know to compare it with another."""

    format: Literal[1] = 1
    benchmark: str
    is_generated: bool
    """Whether the data were made by this program, so that no result on them stands for one on a real benchmark."""
    split: str
    protocol: dict[str, Any]
    model_id: str
    weights_hash: str
    trained_on: str = ""
    """What the model's folder says of its training; nothing in results from before it was told."""
    seed: int | None
    tasks: tuple[TaskResult, ...]
    combined: tuple[CombinedResult, ...] = ()
    num_train: int
    num_used: int
    grouped_by: str = ""
    """What the samples that were drawn together for the intervals have in common: the film, the dialogue."""
    num_skipped: int
    skipped: tuple[SkippedSample, ...]
    boxes: str
    subject: str
    reading: dict[str, Any]
    """How clips were read: number of frames, score from which a box counts, …"""
    store_settings: dict[str, Any]
    versions: dict[str, str]
    hardware: str
    started_at: str
    seconds: float

    def task(self, name: str) -> TaskResult:
        """The task of that name."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise MienError(f"{self.model_id} has no task {name!r}; it has {', '.join(t.name for t in self.tasks)}")

    @property
    def other_splits(self) -> tuple[str, ...]:
        """What else the protocol is scored on, in another run; nothing after a mean over folds, which is of all."""
        if self.protocol.get("folds", 1) > 1:
            return ()
        return tuple(split for split in self.protocol["report"] if split != self.split)

    def measured(self) -> list[Measured]:
        """The scores of its tasks, as a model card tells them; those that do not exist are left out."""
        return [
            Measured(
                benchmark=self.benchmark,
                split=self.split,
                protocol=str(self.protocol["name"]),
                task=task.name,
                metric=metric,
                value=value,
                low=task.intervals[metric].low if metric in task.intervals else None,
                high=task.intervals[metric].high if metric in task.intervals else None,
                is_generated=self.is_generated,
            )
            for task in self.tasks
            for metric, value in task.metrics.items()
            if value is not None
        ]

    def save(self, path: Path) -> None:
        """Write the record to `path` as JSON; the file appears whole or not at all."""
        write_whole(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> EvalResult:
        """The record in the file `path`."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise MienError(f"{path} is not a result of `mien evaluate`: {error}") from error
        return validate(cls, data, source=str(path))


def versions() -> dict[str, str]:
    """The versions that a number may depend on."""
    return {
        "mien": mien.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def hardware() -> str:
    """The machine in a line."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join([f"{platform.machine()} with {os.cpu_count()} CPUs", *gpus])
