"""Fine-tuned tasks: what training is given, what it gives back, and the score of that.

Evaluation never sees training: it calls a function of type `FineTune`, which `mien.evaluate` hands to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from mien.eval.features import labels_alone, labels_of
from mien.eval.finetune import Finetune
from mien.eval.head import Head
from mien.eval.label_scores import Scored, score_classes, score_labels, score_numbers, value_of
from mien.eval.probe import LinearProbe
from mien.eval.protocol import ClassNames, Task
from mien.eval.results import FinetuneResult, TaskResult
from mien.eval.tasks import run_task
from mien.types import Features, LabeledClip, LabelKind, MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetuneJob:
    """One task to fine-tune for. `validation` is the split that its `choose_on` names; None where it names none."""

    task: Task
    settings: Finetune
    classes: tuple[str, ...]
    train: Sequence[LabeledClip]
    validation: Sequence[LabeledClip] | None
    test: Sequence[LabeledClip]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuned:
    """What came of it: the head, and the fine-tuned model's L2-normalised features of the job's `test`, row by row; it
    is that model whose embeddings the head reads."""

    head: Head
    x: Float32[np.ndarray, "n e"]
    told: FinetuneResult


FineTune = Callable[[FinetuneJob], Tuned]


def run_fine_tuned(
    task: Task,
    settings: Finetune,
    fine_tune: FineTune | None,
    *,
    classes: ClassNames,
    train: Sequence[LabeledClip],
    validation: Sequence[LabeledClip] | None,
    test: Sequence[LabeledClip],
) -> tuple[TaskResult, Head]:
    """Fine-tune for the task on `train`, and score what came of it on `test`; `majority` knows all of `train`.

    Raises MienError, before anything is trained, where a split lacks the labels or those to choose the epoch by.
    """
    if fine_tune is None:
        raise MienError(f"task {task.name!r} is fine-tuned, for which features alone do not do: call evaluate_model")
    names = classes.of(settings.labels)
    labels_of_train, labels_of_test = labels_alone(train), labels_alone(test)
    labels_of(labels_of_train, settings.labels, task=task.name, role="fitted on")
    labels_of(labels_of_test, settings.labels, task=task.name, role="scored on")
    if validation is not None:
        truth = labels_of(labels_alone(validation), settings.labels, task=task.name, role="chosen on")
        _require_score(task, settings, classes=names, truth=truth)
    tuned = fine_tune(
        FinetuneJob(task=task, settings=settings, classes=names, train=train, validation=validation, test=test)
    )
    result, _ = run_task(
        task,
        classes=classes,
        train=labels_of_train,
        test=replace(labels_of_test, x=tuned.x),
        tuned=tuned.head.probe,
    )
    return result.model_copy(update={"finetune": tuned.told}), tuned.head


def score_head(head: LinearProbe, features: Features, *, task: Task, labels: LabelKind) -> Scored:
    """The scores of a head on the features of the samples that the epoch is chosen on, by name."""
    truth = labels_of(features, labels, task=task.name, role="chosen on")
    decided = head.decision(features.x) if labels == "vad" else head.probabilities(features.x)
    return _scored(truth, decided, task=task, labels=labels)


def _scored(truth: np.ndarray, decided: np.ndarray, *, task: Task, labels: LabelKind) -> Scored:
    match labels:
        case "category":
            return score_classes(truth, decided)
        case "scores":
            return score_labels(truth >= task.positive_at, decided)
        case "vad":
            return score_numbers(truth, decided)


def _require_score(task: Task, settings: Finetune, *, classes: tuple[str, ...], truth: np.ndarray) -> None:
    """The metric by which epochs are chosen exists for these labels; whether it does, no prediction changes."""
    scored = _scored(truth, np.zeros((len(truth), len(classes))), task=task, labels=settings.labels)
    if value_of(scored.get(settings.metric, float("nan"))) is None:
        raise MienError(
            f"task {task.name!r} chooses its epoch by {settings.metric}, which does not exist for the labels of "
            f"{settings.choose_on!r}; set another choose_by, or leave out choose_on"
        )
