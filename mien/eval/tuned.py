"""Fine-tuned tasks: what training is given, what it gives back, and the score of that.

Evaluation never sees training: it calls a function of type `FineTune`, which `mien.evaluate` hands to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from mien.eval.features import features_of
from mien.eval.finetune import Finetune
from mien.eval.label_scores import Scored, score_classes, score_labels, score_numbers
from mien.eval.probe import LinearProbe
from mien.eval.protocol import ClassNames, Task
from mien.eval.results import FinetuneResult, TaskResult
from mien.eval.tasks import run_task
from mien.types import Features, LabeledClip, MienError


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
    """What came of it: the head, and the fine-tuned model's L2-normalised features of the job's `test`, row by row."""

    head: LinearProbe
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
) -> tuple[TaskResult, LinearProbe]:
    """Fine-tune for the task on `train`, and score what came of it on `test`; `majority` knows all of `train`."""
    if fine_tune is None:
        raise MienError(f"task {task.name!r} is fine-tuned, for which features alone do not do: call evaluate_model")
    names = {"category": classes.category, "scores": classes.scores, "vad": classes.vad}[settings.labels]
    tuned = fine_tune(
        FinetuneJob(task=task, settings=settings, classes=names, train=train, validation=validation, test=test)
    )
    labels_of_train = features_of(np.zeros((len(train), 0), np.float32), samples=train)
    result, head = run_task(
        task, classes=classes, train=labels_of_train, test=features_of(tuned.x, samples=test), tuned=tuned.head
    )
    return result.model_copy(update={"finetune": tuned.told}), head


def score_head(
    head: LinearProbe, features: Features, *, labels: Literal["category", "scores", "vad"], positive_at: float
) -> Scored:
    """The scores of a head's kind of label, by name."""
    truth = {"category": features.category, "scores": features.scores, "vad": features.vad}[labels]
    if truth is None:
        raise MienError(f"the split to choose the epoch on has no {labels}")
    match labels:
        case "category":
            return score_classes(truth, head.probabilities(features.x))
        case "scores":
            return score_labels(truth >= positive_at, head.probabilities(features.x))
        case "vad":
            return score_numbers(truth, head.decision(features.x))
