"""Tasks: one kind of label, the head that is fitted to it or made for it, and the scores by which it is judged.

Beside each result of a fitted probe stands `majority`: what one scores by knowing only how frequent the labels are in
the training split.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from mien.eval import scores
from mien.eval.features import labels_of
from mien.eval.groups import score_groups
from mien.eval.intervals import Intervals, intervals_of_classes, intervals_of_labels, intervals_of_numbers
from mien.eval.label_scores import Scored, number_or_none, score_classes, score_labels, score_numbers, value_of
from mien.eval.probe import LinearProbe, ZeroShot, fit_probe
from mien.eval.protocol import ClassNames, Combined, Task
from mien.eval.results import AttributeResult, CombinedResult, TaskResult
from mien.eval.scores import MacroScore
from mien.eval.smoothing import smooth
from mien.eval.zeroshot import TextTower, words_of, zeroshot_head
from mien.types import Features, LabelKind, MienError


def run_task(
    task: Task,
    *,
    classes: ClassNames,
    train: Features | None,
    test: Features,
    text: TextTower | None = None,
    tuned: LinearProbe | None = None,
) -> tuple[TaskResult, LinearProbe]:
    """Fit the task's probe on `train`, or make a zero-shot head with `text`, and score it on `test`.

    tuned: the head of a fine-tuned task, whose model `test` is features of; of `train`, labels alone are looked at.
    """
    if isinstance(task.probe, ZeroShot):
        return _run_zeroshot(task, task.probe, classes, test=test, text=text)
    if train is None:
        raise MienError(f"task {task.name!r} has a {task.probe.kind} probe, and there is no split to fit it on")
    match task.labels:
        case "category":
            return _run_multinomial(task, classes.category, train=train, test=test, tuned=tuned)
        case "scores":
            return _run_one_vs_rest(task, classes.scores, train=train, test=test, tuned=tuned)
        case "vad":
            return _run_ridge(task, classes.vad, train=train, test=test, tuned=tuned)
        case "text":
            raise MienError(f"task {task.name!r} is retrieval: mien.eval.retrieval_task runs it")


def combine(combined: Combined, tasks: Sequence[TaskResult]) -> CombinedResult:
    """The weighted sum of the tasks' metrics, and of those of majority; None where one of them does not exist."""
    by_name = {task.name: task for task in tasks}
    for term in combined.terms:
        if term.task not in by_name or term.metric not in by_name[term.task].metrics:
            there = ", ".join(f"{task.name} {metric}" for task in tasks for metric in task.metrics)
            raise MienError(f"{combined.name} wants {term.task} {term.metric}, which is none of {there}")
    ours = [by_name[term.task].metrics[term.metric] for term in combined.terms]
    majority = [by_name[term.task].majority.get(term.metric) for term in combined.terms]
    weights = [term.weight for term in combined.terms]
    return CombinedResult(
        name=combined.name, value=_weighted_sum(weights, ours), majority=_weighted_sum(weights, majority)
    )


def _weighted_sum(weights: Sequence[float], values: Sequence[float | None]) -> float | None:
    known = [weight * value for weight, value in zip(weights, values, strict=True) if value is not None]
    return sum(known) if len(known) == len(values) else None


def _run_multinomial(
    task: Task, classes: tuple[str, ...], *, train: Features, test: Features, tuned: LinearProbe | None
) -> tuple[TaskResult, LinearProbe]:
    fitted, truth = _fitted_and_truth(task, "category", train=train, test=test)
    head = tuned or fit_probe(train.x, fitted, classes=classes, config=task.probe)
    prior = np.bincount(fitted, minlength=len(classes)) / len(fitted)
    p = head.probabilities(test.x)
    confusion = scores.confusion_matrix(truth, p.argmax(axis=1), num_classes=len(classes))
    return (
        _result(
            task,
            classes,
            support=np.bincount(truth, minlength=len(classes)),
            ours=score_classes(truth, p),
            majority=score_classes(truth, np.broadcast_to(prior, p.shape)),
            confusion=tuple(tuple(row) for row in confusion.tolist()),
            intervals=intervals_of_classes(truth, p, groups=test.groups),
            groups=score_groups(test.attributes, lambda kept: score_classes(truth[kept], p[kept])),
        ),
        head,
    )


def _run_one_vs_rest(
    task: Task, classes: tuple[str, ...], *, train: Features, test: Features, tuned: LinearProbe | None
) -> tuple[TaskResult, LinearProbe]:
    fitted, truth = (x >= task.positive_at for x in _fitted_and_truth(task, "scores", train=train, test=test))
    head = tuned or fit_probe(train.x, fitted, classes=classes, config=task.probe)
    constant, p = np.broadcast_to(fitted.mean(axis=0), truth.shape), head.probabilities(test.x)
    ours, majority = score_labels(truth, p), score_labels(truth, constant)
    result = _result(
        task,
        classes,
        support=truth.sum(axis=0),
        ours=ours,
        majority=majority,
        intervals=intervals_of_labels(truth, p, groups=test.groups),
        groups=score_groups(test.attributes, lambda kept: score_labels(truth[kept], p[kept])),
    )
    return result, head


def _run_ridge(
    task: Task, classes: tuple[str, ...], *, train: Features, test: Features, tuned: LinearProbe | None
) -> tuple[TaskResult, LinearProbe]:
    fitted, truth = _fitted_and_truth(task, "vad", train=train, test=test)
    head = tuned or fit_probe(train.x, fitted, classes=classes, config=task.probe)
    constant, predicted = np.broadcast_to(fitted.mean(axis=0), truth.shape), head.decision(test.x)
    if task.smoothing is not None:
        predicted = smooth(predicted, task.smoothing, groups=test.groups)
    ours, majority = score_numbers(truth, predicted), score_numbers(truth, constant)
    result = _result(
        task,
        classes,
        support=np.full(len(classes), len(truth)),
        ours=ours,
        majority=majority,
        intervals=intervals_of_numbers(truth, predicted, groups=test.groups),
        groups=score_groups(test.attributes, lambda kept: score_numbers(truth[kept], predicted[kept])),
    )
    return result, head


def _run_zeroshot(
    task: Task, config: ZeroShot, classes: ClassNames, *, test: Features, text: TextTower | None
) -> tuple[TaskResult, LinearProbe]:
    if text is None:
        raise MienError(f"task {task.name!r} is zero-shot: it needs the model's text tower")
    exclusive = config.labels == "category"
    names = classes.of(config.labels)
    truth = labels_of(test, config.labels, task=task.name, role="scored on")
    head = zeroshot_head(config, classes=names, text=text)
    told = task.model_copy(
        update={"probe": config.model_copy(update={"words": words_of(config, classes=names)})}  # those of this set
    )
    if exclusive:
        p = head.probabilities(test.x)
        confusion = scores.confusion_matrix(truth, p.argmax(axis=1), num_classes=len(names))
        result = _result(
            told,
            names,
            support=np.bincount(truth, minlength=len(names)),
            ours=score_classes(truth, p),
            majority={},
            confusion=tuple(tuple(row) for row in confusion.tolist()),
            intervals=intervals_of_classes(truth, p, groups=test.groups),
            groups=score_groups(test.attributes, lambda kept: score_classes(truth[kept], p[kept])),
        )
        return result, head
    # Each label's samples are ranked by its own cosine: a softmax would mix in those of the other labels.
    positive, score = truth >= task.positive_at, head.decision(test.x)
    result = _result(
        told,
        names,
        support=positive.sum(axis=0),
        ours=score_labels(positive, score),
        majority={},
        intervals=intervals_of_labels(positive, score, groups=test.groups),
        groups=score_groups(test.attributes, lambda kept: score_labels(positive[kept], score[kept])),
    )
    return result, head


def _fitted_and_truth(task: Task, kind: LabelKind, *, train: Features, test: Features) -> tuple[np.ndarray, np.ndarray]:
    return (
        labels_of(train, kind, task=task.name, role="fitted on"),
        labels_of(test, kind, task=task.name, role="scored on"),
    )


def _result(
    task: Task,
    classes: tuple[str, ...],
    *,
    support: Int[np.ndarray, "c"],
    ours: Scored,
    majority: Scored,
    intervals: Intervals,
    groups: dict[str, AttributeResult],
    confusion: tuple[tuple[int, ...], ...] | None = None,
) -> TaskResult:
    macro = {name: score for name, score in ours.items() if isinstance(score, MacroScore)}
    return TaskResult(
        name=task.name,
        probe=task.probe.model_dump(mode="json"),
        classes=classes,
        support=tuple(support.tolist()),
        metrics={name: value_of(score) for name, score in ours.items()},
        majority={name: value_of(score) for name, score in majority.items()},
        per_class={name: tuple(map(number_or_none, score.per_class)) for name, score in macro.items()},
        num_left_out={name: score.num_left_out for name, score in macro.items()},
        confusion=confusion,
        intervals=intervals,
        groups=groups,
    )
