"""The sweep: a probe's strength of regularisation chosen by what it scores on samples it was not fitted on.

With a validation split, each value of the grid is fitted on the whole of train and scored there. Without one, a share
of train's groups (its samples, where they have no groups) is held out for it, evenly spaced. Either way the probe is
then fitted again on the whole of train, and on nothing else: a validation split never enters the reported head.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from mien.eval.features import labels_of
from mien.eval.label_scores import LESS_IS_BETTER, Scored, score_classes, score_labels, score_numbers
from mien.eval.probe import fit_probe
from mien.eval.protocol import ClassNames, Sweep, Task
from mien.eval.scores import MacroScore
from mien.eval.smoothing import smooth
from mien.types import Features, MienError


def choose(task: Task, *, classes: ClassNames, train: Features, validation: Features | None) -> Task:
    """The task with the value of its sweep's grid that scores best, the first of equals; as it is without a sweep."""
    if task.sweep is None:
        return task
    if validation is None:
        train, validation = hold_out(train, share=task.sweep.held_out)
    candidates = [_with_strength(task, strength) for strength in task.sweep.grid]
    worth = [_worth(candidate, task.sweep, classes, train=train, validation=validation) for candidate in candidates]
    if max(worth) == -math.inf:
        raise MienError(f"task {task.name!r}: {task.sweep.metric} does not exist on the validation samples")
    return candidates[worth.index(max(worth))]


def hold_out(train: Features, *, share: float) -> tuple[Features, Features]:
    """Train without every 1/share-th of its groups, and those: with 0.5 the first, the third, … in their order."""
    groups = train.groups if any(train.groups) else train.ids
    place = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    # Group i is held out where i · share has passed a whole number since i − 1.
    passed = [math.floor(i * share + 1e-9) for i in range(-1, len(place))]
    held = np.array([passed[place[group] + 1] > passed[place[group]] for group in groups])
    if held.all():
        raise MienError(f"a sweep cannot hold out {share} of {len(place)} groups of train; name a validation_split")
    return rows_of(train, ~held), rows_of(train, held)


def rows_of(features: Features, kept: Bool[np.ndarray, "n"]) -> Features:
    """The features and labels of the rows that are kept."""

    def some(column: np.ndarray | None) -> np.ndarray | None:
        return None if column is None else column[kept]

    return replace(
        features,
        x=features.x[kept],
        category=some(features.category),
        scores=some(features.scores),
        vad=some(features.vad),
        ids=tuple(id for id, keep in zip(features.ids, kept, strict=True) if keep),
        groups=tuple(group for group, keep in zip(features.groups, kept, strict=True) if keep)
        if features.groups
        else (),
        attributes=tuple(told for told, keep in zip(features.attributes, kept, strict=True) if keep)
        if features.attributes
        else (),
    )


def _with_strength(task: Task, strength: float) -> Task:
    name = "alpha" if task.probe.kind == "ridge" else "C"
    return task.model_copy(update={"probe": task.probe.model_copy(update={name: strength})})


def _worth(task: Task, sweep: Sweep, classes: ClassNames, *, train: Features, validation: Features) -> float:
    scored = _scored(task, classes, train=train, validation=validation)
    if sweep.metric not in scored:
        raise MienError(f"task {task.name!r} sweeps for {sweep.metric!r}, which is none of {', '.join(scored)}")
    score = scored[sweep.metric]
    value = score.value if isinstance(score, MacroScore) else score
    if math.isnan(value):
        return -math.inf
    return -value if sweep.metric in LESS_IS_BETTER else value


def _scored(task: Task, classes: ClassNames, *, train: Features, validation: Features) -> Scored:
    kind = task.labels
    if kind == "text" or task.probe.kind in ("zeroshot", "finetune"):
        raise MienError(f"task {task.name!r} has no strength to choose: its probe is {task.probe.kind}")
    fitted = labels_of(train, kind, task=task.name, role="fitted on")
    truth = labels_of(validation, kind, task=task.name, role="chosen on")
    match kind:
        case "category":
            head = fit_probe(train.x, fitted, classes=classes.category, config=task.probe)
            return score_classes(truth, head.probabilities(validation.x))
        case "scores":
            head = fit_probe(train.x, fitted >= task.positive_at, classes=classes.scores, config=task.probe)
            return score_labels(truth >= task.positive_at, head.probabilities(validation.x))
        case "vad":
            head = fit_probe(train.x, fitted, classes=classes.vad, config=task.probe)
            predicted = head.decision(validation.x)
            if task.smoothing is not None:
                predicted = smooth(predicted, task.smoothing, groups=validation.groups)
            return score_numbers(truth, predicted)
