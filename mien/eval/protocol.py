"""Protocols: how a benchmark is scored, as a YAML file tells it; the splits, the tasks, and how these are judged.

The probe's kind says which labels it takes: `multinomial` the category, `one_vs_rest` the label scores (positive from
`positive_at` up), `ridge` the numbers of `vad`, `retrieval` the clip's text; `zeroshot` says so itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mien.config import Config, load_config
from mien.errors import did_you_mean
from mien.eval.probe import ProbeConfig
from mien.eval.smoothing import Smoothing
from mien.types import LabelKind, MienError

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
        if self.sweep is not None and self.probe.kind in ("zeroshot", "finetune", "retrieval"):
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
        return self.probe.kind not in ("zeroshot", "retrieval")

    @property
    def labels(self) -> LabelKind | Literal["text"]:
        """The field of `Labels` that it wants, or the clip's text."""
        match self.probe.kind:
            case "multinomial":
                return "category"
            case "one_vs_rest":
                return "scores"
            case "ridge":
                return "vad"
            case "retrieval":
                return "text"
            case "zeroshot" | "finetune":
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
    folds: int = Field(1, ge=1)
    """Where more than one, it is run with splits that end with 1, as told here, then with 2 and so on in place of it,
    and the result is the mean."""
    report: tuple[str, ...] = Field(min_length=1)
    """The splits that results are given for; the first unless another is asked for."""
    features: Literal["video", "frame"] = "video"
    """What probes are fitted on: the video encoder's features, or the frame encoder's of a clip's first frame: for
    pictures, of which a clip would only repeat the one."""
    mean_of_frames: int | None = Field(None, ge=1)
    """With `features: frame`, so many frames instead of the first: those in the middle of as many equal segments of a
    clip, whatever number the model reads otherwise. Their features are averaged, then normalised."""
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

    @model_validator(mode="after")
    def _fine_tunes_alone(self) -> Protocol:
        others = [task.name for task in self.tasks if task.probe.kind != "finetune"]
        if self.is_fine_tuned and others:
            raise ValueError(f"protocol {self.name!r} fine-tunes; give {', '.join(others)} a protocol of their own")
        if self.is_fine_tuned and self.train_split in self.validation_splits:
            raise ValueError(f"protocol {self.name!r} trains on {self.train_split!r}; choose_on wants another split")
        return self

    @property
    def is_fine_tuned(self) -> bool:
        """Whether the model itself is trained, for each task anew."""
        return any(task.probe.kind == "finetune" for task in self.tasks)

    @model_validator(mode="after")
    def _has_splits_of_fold_one(self) -> Protocol:
        others = [name for name in (*self.fit_splits[:1], *self.report) if not name.endswith("1")]
        if self.folds > 1 and (others or len(self.report) > 1 or self.validation_splits or self.is_fine_tuned):
            raise ValueError(
                f"protocol {self.name!r} has {self.folds} folds: its train_split and the one split of report end with "
                "1, and nothing is chosen on a split or fine-tuned"
            )
        parts = [task.name for task in self.tasks if task.few_shot is not None or task.probe.kind == "retrieval"]
        if self.folds > 1 and parts:
            raise ValueError(
                f"protocol {self.name!r} has {self.folds} folds, over which a mean would hide what {', '.join(parts)} "
                "must tell, the draws or the texts searched; leave out folds"
            )
        return self

    @model_validator(mode="after")
    def _averages_frames(self) -> Protocol:
        if self.mean_of_frames is not None and (self.features != "frame" or self.is_fine_tuned):
            raise ValueError(f"protocol {self.name!r}: mean_of_frames goes with features: frame, and no fine-tuning")
        return self

    def of_fold(self, fold: int) -> Protocol:
        """The protocol of one fold, counted from 1."""
        train = None if self.train_split is None else f"{self.train_split[:-1]}{fold}"
        (report,) = self.report
        return self.model_copy(update={"train_split": train, "report": (f"{report[:-1]}{fold}",), "folds": 1})

    @property
    def every_fold(self) -> tuple[Protocol, ...]:
        """The protocols of the folds; of a protocol without folds, itself."""
        return (self,) if self.folds == 1 else tuple(self.of_fold(fold) for fold in range(1, self.folds + 1))

    @property
    def report_splits(self) -> tuple[str, ...]:
        """`report` of every fold."""
        return tuple(name for each in self.every_fold for name in each.report)

    @property
    def fit_splits(self) -> tuple[str, ...]:
        """The training split, if there is one, of every fold."""
        return tuple(each.train_split for each in self.every_fold if each.train_split is not None)

    def splits(self, split: str | None = None) -> tuple[str, ...]:
        """All that a run on `split` reads; by default on the first of `report`, of every fold."""
        folds = [each for each in self.every_fold if split in (None, each.report[0])] or [self.every_fold[0]]
        read = [(*each.fit_splits, *each.validation_splits, split or each.report[0]) for each in folds]
        return tuple(dict.fromkeys(name for names in read for name in names))

    @property
    def validation_splits(self) -> tuple[str, ...]:
        """The splits that probes' strengths, or epochs of fine-tuning, are chosen on, each once."""
        names = [task.sweep.validation_split for task in self.tasks if task.sweep is not None]
        names += [task.probe.choose_on for task in self.tasks if task.probe.kind == "finetune"]
        return tuple(dict.fromkeys(name for name in names if name is not None))


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassNames:
    """What a benchmark calls its labels, in the order of `Labels`; empty where it has none of a kind."""

    category: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    vad: tuple[str, ...] = ()

    def of(self, kind: LabelKind) -> tuple[str, ...]:
        """The names of one kind of label."""
        return {"category": self.category, "scores": self.scores, "vad": self.vad}[kind]


def load_protocol(benchmark: str, name: str, *, shared: str = "") -> Protocol:
    """The protocol of that name shipped for a benchmark, or for those that share the protocols `shared`."""
    path = PROTOCOLS / (shared or benchmark) / f"{name}.yaml"
    if not path.is_file():
        names = protocol_names(shared or benchmark)
        raise MienError(f"{benchmark} has no protocol {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")
    return load_config(Protocol, path)


def protocol_names(benchmark: str) -> tuple[str, ...]:
    """The protocols shipped for a benchmark."""
    return tuple(sorted(file.stem for file in (PROTOCOLS / benchmark).glob("*.yaml")))
