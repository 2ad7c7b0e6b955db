"""Results: one JSON file a run, and the table that a folder of them makes."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
import sklearn
import torch
from pydantic import Field
from rich.table import Table

import mien
from mien.config import Config, validate
from mien.eval.intervals import Interval
from mien.types import MienError
from mien.whole_file import write_whole


class TaskResult(Config):
    """What one probe scored. None stands for a score that does not exist (no class of it occurs in the split)."""

    name: str
    probe: dict[str, Any]
    classes: tuple[str, ...]
    support: tuple[int, ...]
    """Samples of each class in the split (all of them, for a dimension)."""
    metrics: dict[str, float | None]
    majority: dict[str, float | None]
    """The same scores of a head that knows only the labels' frequencies in the training split."""
    per_class: dict[str, tuple[float | None, ...]]
    num_left_out: dict[str, int]
    """Classes that a macro mean leaves out because the score does not exist for them."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Counts, row = true class, column = predicted."""
    intervals: dict[str, Interval] = Field(default_factory=dict)
    """95 % bootstrap intervals of the metrics (see `mien.eval.intervals`); none in results of before there were any."""


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
    seed: int | None
    tasks: tuple[TaskResult, ...]
    combined: tuple[CombinedResult, ...] = ()
    num_train: int
    num_used: int
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


# ── the table of many ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTable:
    """Runs × metrics. `rows` are as long as `columns`; a run without a metric has an empty cell."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_rich(self) -> Table:
        """For a terminal, which is higher than wide: a column a run, a row a metric."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        first, *runs = zip(self.columns, *self.rows, strict=True)
        table.add_column(first[0])
        for name in first[1:]:
            table.add_column(name.replace("[", r"\["), justify="right", overflow="fold")
        for line in runs:
            table.add_row(*(cell.replace("[", r"\[") for cell in line))
        return table

    def to_markdown(self) -> str:
        """For a README."""
        rule = ["---"] * _NUM_NAMES + ["---:"] * (len(self.columns) - _NUM_NAMES)
        lines = [self.columns, tuple(rule), *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"

    def to_csv(self) -> str:
        """For a spreadsheet."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()


_NUM_NAMES = 3


def collect(paths: Iterable[Path]) -> ResultTable:
    """The results in files, or in folders of them, as one table: a row a run, after each benchmark's majority."""
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise MienError("no results to make a table of; `mien evaluate … --out FOLDER/NAME.json` writes one")
    return tabulate([EvalResult.load(file) for file in files], names=[file.stem for file in files])


def tabulate(results: Sequence[EvalResult], *, names: Sequence[str]) -> ResultTable:
    """The table of `results`, the runs called `names`."""
    metrics = dict.fromkeys(f"{t.name} {metric}" for r in results for t in r.tasks for metric in t.metrics)
    metrics |= dict.fromkeys(c.name for r in results for c in r.combined)
    rows: dict[tuple[str, ...], dict[str, float | None]] = {}
    for result, name in zip(results, names, strict=True):
        place = (result.benchmark, result.split)
        rows.setdefault(("majority", *place), _cells(result, majority=True))
        rows[(name, *place)] = _cells(result, majority=False)
    return ResultTable(
        columns=("run", "benchmark", "split", *metrics),
        rows=tuple(
            (*head, *("" if cells.get(m) is None else f"{cells[m]:.3f}" for m in metrics))
            for head, cells in rows.items()
        ),
    )


def _cells(result: EvalResult, *, majority: bool) -> dict[str, float | None]:
    cells = {
        f"{task.name} {metric}": value
        for task in result.tasks
        for metric, value in (task.majority if majority else task.metrics).items()
    }
    return cells | {c.name: c.majority if majority else c.value for c in result.combined}
