"""Tasks: one kind of label, the head that is fitted to it or made for it, and the scores by which it is judged.

The probe's kind says which labels it takes: `multinomial` the category, `one_vs_rest` the label scores (positive from
`positive_at` up), `ridge` the numbers of `vad`; `zeroshot` says so itself. Beside each result of a fitted probe stands
`majority`: what one scores by knowing only how frequent the labels are in the training split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator

from mien.config import Config, load_config
from mien.eval import scores
from mien.eval.groups import score_groups
from mien.eval.intervals import Intervals, intervals_of_classes, intervals_of_labels, intervals_of_numbers
from mien.eval.probe import LinearProbe, ProbeConfig, ZeroShot, fit_probe
from mien.eval.results import AttributeResult, CombinedResult, TaskResult
from mien.eval.scores import MacroScore
from mien.eval.smoothing import Smoothing, smooth
from mien.eval.zeroshot import TextTower, words_of, zeroshot_head
from mien.types import Features, MienError

PROTOCOLS = Path(__file__).parent / "protocols"


class Sweep(Config):
    """How a probe's strength is chosen (see `mien.eval.sweep`); the one that the probe itself tells is not used."""

    grid: tuple[float, ...] = Field(min_length=2)
    """Values of `C`, or of ridge's `alpha`."""
    metric: str
    validation_split: str | None = None
    """Where the values are compared; without one, on a share of train's groups that is held out meanwhile."""
    held_out: float = Field(0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _has_positive_values(self) -> Sweep:
        if min(self.grid) <= 0:
            raise ValueError(f"a sweep's grid has positive numbers only, got {list(self.grid)}")
        return self


class FewShot(Config):
    """How a probe is fitted on a few samples a class, drawn once a seed (see `mien.eval.fewshot`)."""

    shots: int = Field(ge=1)
    """Samples drawn of each class."""
    seeds: tuple[int, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _draws_each_seed_once(self) -> FewShot:
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds are different numbers from 0 up, got {list(self.seeds)}")
        return self


class Task(Config):
    """One probe of a protocol.

    `positive_at` matters to labels that go together (`scores`), `smoothing` to what `ridge` predicts.
    """

    name: str
    probe: ProbeConfig
    positive_at: float = Field(0.5, ge=0, le=1)
    smoothing: Smoothing | None = None
    sweep: Sweep | None = None
    few_shot: FewShot | None = None

    @model_validator(mode="after")
    def _smooths_numbers(self) -> Task:
        if self.smoothing is not None and self.probe.kind != "ridge":
            raise ValueError(
                f"task {self.name!r} smooths what a {self.probe.kind} probe says; only ridge predicts numbers"
            )
        return self

    @model_validator(mode="after")
    def _sweeps_what_is_fitted(self) -> Task:
        if self.sweep is not None and not self.is_fitted:
            raise ValueError(f"task {self.name!r} sweeps, but a {self.probe.kind} probe has no strength to choose")
        return self

    @model_validator(mode="after")
    def _draws_of_exclusive_classes(self) -> Task:
        if self.few_shot is not None and self.probe.kind != "multinomial":
            raise ValueError(f"task {self.name!r} draws samples a class; a {self.probe.kind} probe has no such classes")
        if self.few_shot is not None and self.sweep is not None:
            raise ValueError(f"task {self.name!r} is few-shot: there are no samples to sweep on; leave out one of both")
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether it needs a training split."""
        return self.probe.kind != "zeroshot"

    @property
    def labels(self) -> Literal["category", "scores", "vad"]:
        """The field of `Labels` that it wants."""
        match self.probe.kind:
            case "multinomial":
                return "category"
            case "one_vs_rest":
                return "scores"
            case "ridge":
                return "vad"
            case "zeroshot":
                return self.probe.labels


class Term(Config):
    """A task's metric, and how much of it goes into a combined score."""

    task: str
    metric: str
    weight: float


class Combined(Config):
    """A score made of several tasks' metrics: their weighted sum."""

    name: str
    terms: tuple[Term, ...] = Field(min_length=1)


class Protocol(Config):
    """How a benchmark is scored: which split the probes are fitted on, on which they are scored, and the probes.

    A protocol of zero-shot tasks alone has no `train_split`.
    """

    name: str
    source: str
    """Where the choices come from."""
    train_split: str | None = None
    report: tuple[str, ...] = Field(min_length=1)
    """The splits that results are given for; the first unless another is asked for."""
    features: Literal["video", "frame"] = "video"
    """What probes are fitted on: the video encoder's features, or the frame encoder's of a clip's first frame: for
    pictures, of which a clip would only repeat the one."""
    tasks: tuple[Task, ...]
    combined: tuple[Combined, ...] = ()
    """The scores that a benchmark makes of its tasks' metrics."""

    @model_validator(mode="after")
    def _has_a_training_split_if_it_fits(self) -> Protocol:
        fitted = [task.name for task in self.tasks if task.is_fitted]
        if fitted and self.train_split is None:
            raise ValueError(f"protocol {self.name!r} fits {', '.join(fitted)}; name the train_split")
        if not fitted and self.train_split is not None:
            raise ValueError(f"protocol {self.name!r} fits nothing; leave out train_split: {self.train_split}")
        return self

    @property
    def fit_splits(self) -> tuple[str, ...]:
        """The training split, if there is one."""
        return () if self.train_split is None else (self.train_split,)

    @property
    def validation_splits(self) -> tuple[str, ...]:
        """The splits that probes' strengths are chosen on, each once."""
        names = [task.sweep.validation_split for task in self.tasks if task.sweep is not None]
        return tuple(dict.fromkeys(name for name in names if name is not None))


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassNames:
    """What a benchmark calls its labels, in the order of `Labels`; empty where it has none of a kind."""

    category: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    vad: tuple[str, ...] = ()


def load_protocol(benchmark: str, name: str) -> Protocol:
    """The protocol of that name shipped for a benchmark."""
    path = PROTOCOLS / benchmark / f"{name}.yaml"
    if not path.is_file():
        raise MienError(f"{benchmark} has no protocol {name!r}; it has {', '.join(protocol_names(benchmark))}")
    return load_config(Protocol, path)


def protocol_names(benchmark: str) -> tuple[str, ...]:
    """The protocols shipped for a benchmark."""
    return tuple(sorted(file.stem for file in (PROTOCOLS / benchmark).glob("*.yaml")))


def run_task(
    task: Task, *, classes: ClassNames, train: Features | None, test: Features, text: TextTower | None = None
) -> tuple[TaskResult, LinearProbe]:
    """Fit the task's probe on `train`, or make a zero-shot head with `text`, and score it on `test`."""
    if isinstance(task.probe, ZeroShot):
        return _run_zeroshot(task, task.probe, classes, test=test, text=text)
    if train is None:
        raise MienError(f"task {task.name!r} has a {task.probe.kind} probe, and there is no split to fit it on")
    match task.probe.kind:
        case "multinomial":
            return _run_multinomial(task, classes.category, train=train, test=test)
        case "one_vs_rest":
            return _run_one_vs_rest(task, classes.scores, train=train, test=test)
        case "ridge":
            return _run_ridge(task, classes.vad, train=train, test=test)


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
    task: Task, classes: tuple[str, ...], *, train: Features, test: Features
) -> tuple[TaskResult, LinearProbe]:
    fitted, truth = _need(task, train.category), _need(task, test.category)
    head = fit_probe(train.x, fitted, classes=classes, config=task.probe)
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
            intervals=intervals_of_classes(truth, p),
            groups=score_groups(test.attributes, lambda kept: score_classes(truth[kept], p[kept])),
        ),
        head,
    )


def _run_one_vs_rest(
    task: Task, classes: tuple[str, ...], *, train: Features, test: Features
) -> tuple[TaskResult, LinearProbe]:
    fitted = _need(task, train.scores) >= task.positive_at
    truth = _need(task, test.scores) >= task.positive_at
    head = fit_probe(train.x, fitted, classes=classes, config=task.probe)
    constant, p = np.broadcast_to(fitted.mean(axis=0), truth.shape), head.probabilities(test.x)
    ours, majority = score_labels(truth, p), score_labels(truth, constant)
    result = _result(
        task,
        classes,
        support=truth.sum(axis=0),
        ours=ours,
        majority=majority,
        intervals=intervals_of_labels(truth, p),
        groups=score_groups(test.attributes, lambda kept: score_labels(truth[kept], p[kept])),
    )
    return result, head


def _run_ridge(
    task: Task, classes: tuple[str, ...], *, train: Features, test: Features
) -> tuple[TaskResult, LinearProbe]:
    fitted, truth = _need(task, train.vad), _need(task, test.vad)
    head = fit_probe(train.x, fitted, classes=classes, config=task.probe)
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
        intervals=intervals_of_numbers(truth, predicted),
        groups=score_groups(test.attributes, lambda kept: score_numbers(truth[kept], predicted[kept])),
    )
    return result, head


def _run_zeroshot(
    task: Task, config: ZeroShot, classes: ClassNames, *, test: Features, text: TextTower | None
) -> tuple[TaskResult, LinearProbe]:
    if text is None:
        raise MienError(f"task {task.name!r} is zero-shot: it needs the model's text tower")
    exclusive = config.labels == "category"
    names = classes.category if exclusive else classes.scores
    truth = _need(task, test.category if exclusive else test.scores)
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
            intervals=intervals_of_classes(truth, p),
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
        intervals=intervals_of_labels(positive, score),
        groups=score_groups(test.attributes, lambda kept: score_labels(positive[kept], score[kept])),
    )
    return result, head


# ── the scores of each kind of label ─────────────────────────────────────────────────────────────

Scored = dict[str, MacroScore | float]


def score_classes(truth: Int[np.ndarray, "n"], probabilities: Float[np.ndarray, "n c"]) -> Scored:
    """Exclusive classes; the predicted one is the most probable, the first of equals."""
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": scores.accuracy(truth, predicted),
        "uar": scores.recalls(truth, predicted, num_classes=num_classes),
        "weighted_f1": scores.weighted_f1(truth, predicted, num_classes=num_classes),
        "macro_f1": scores.f1_scores(truth, predicted, num_classes=num_classes),
        "macro_auc": scores.roc_aucs(scores.one_hot(truth, num_classes=num_classes), probabilities),
    }


def score_labels(positive: Bool[np.ndarray, "n c"], probabilities: Float[np.ndarray, "n c"]) -> Scored:
    """Labels that go together; each is ranked on its own, and the highest of a sample is looked at beside that."""
    return {
        "top1_hit": scores.top1_hit(positive, probabilities),
        "macro_map": scores.average_precisions(positive, probabilities),
        "macro_auc": scores.roc_aucs(positive, probabilities),
    }


def score_numbers(truth: Float[np.ndarray, "n d"], predicted: Float[np.ndarray, "n d"]) -> Scored:
    """Continuous dimensions."""
    return {
        "r2": scores.r2_scores(truth, predicted),
        "mse": scores.mean_squared_errors(truth, predicted),
        "pearson": scores.pearson_correlations(truth, predicted),
    }


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
        metrics={name: _value(score) for name, score in ours.items()},
        majority={name: _value(score) for name, score in majority.items()},
        per_class={name: tuple(map(_number, score.per_class)) for name, score in macro.items()},
        num_left_out={name: score.num_left_out for name, score in macro.items()},
        confusion=confusion,
        intervals=intervals,
        groups=groups,
    )


def _value(score: MacroScore | float) -> float | None:
    return _number(score.value if isinstance(score, MacroScore) else score)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _need(task: Task, labels: np.ndarray | None) -> np.ndarray:
    if labels is None:
        raise MienError(f"task {task.name!r} has a {task.probe.kind} probe, but the clips have no labels for it")
    return labels
