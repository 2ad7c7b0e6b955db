"""Comparison: our results beside the published numbers, a table for each benchmark and protocol.

Only results on real data stand beside published ones; those on generated data (the theatre, fakes) make tables of their
own, marked. Shares are told in per cent, as papers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.choices import choices
from mien.eval.label_scores import LESS_IS_BETTER, NUMBERS
from mien.eval.published import PublishedValue, published_values
from mien.eval.results import EvalResult, TaskResult
from mien.eval.uncertainty import uncertainty_notes
from mien.types import MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A score, its interval or its deviation over few-shot draws or folds where it has one, and whether the best
    published score lies outside of the interval; None where that cannot be told."""

    value: float
    low: float | None = None
    high: float | None = None
    num_groups: int | None = None
    """What was drawn for the interval, where that is not single samples."""
    deviation: float | None = None
    is_apart: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A run of ours, what majority scores on its data, or a published method."""

    kind: Literal["published", "majority", "ours"]
    name: str
    split: str
    cells: dict[Column, Cell]
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A metric of a task, or of one of its dimensions. `task` is empty for a score made of several tasks'."""

    task: str
    metric: str
    dimension: str = ""
    is_percent: bool = False

    @property
    def title(self) -> str:
        parts = (self.task, self.metric, self.dimension, "%" if self.is_percent else "")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonTable:
    """The runs of one benchmark and protocol: published ones first, then ours after what majority scores."""

    benchmark: str
    protocol: str
    is_generated: bool
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        data = "generated data, comparable with nothing published" if self.is_generated else "real data"
        return ", ".join(part for part in (self.benchmark, self.protocol and f"protocol {self.protocol}", data) if part)


def load_results(paths: Iterable[Path]) -> list[tuple[str, EvalResult]]:
    """The results in files, or in folders of them, by the files' names. Probes saved in such a folder are passed over.

    Raises MienError for a path that is not there, and for a file that is no result.
    """
    paths = list(paths)
    if missing := [path for path in paths if not path.exists()]:
        raise MienError(
            f"there is no {missing[0]}; name a result that `mien evaluate --out` wrote, or a folder of them"
        )
    named = [file for path in paths for file in (_results_in(path) if path.is_dir() else [path])]
    files = list({file.resolve(): file for file in named}.values())  # a file and its folder may both be named
    if not files:
        raise MienError("no results to make a table of; `mien evaluate … --out FOLDER/NAME.json` writes one")
    return [(file.stem, EvalResult.load(file)) for file in files]


def _results_in(folder: Path) -> list[Path]:
    """Its JSON files, but for those that tell what the weights of a probe beside them mean."""
    return sorted(file for file in folder.glob("*.json") if not file.with_suffix(".safetensors").is_file())


def compare(
    results: Sequence[tuple[str, EvalResult]], *, published: Sequence[PublishedValue] | None = None
) -> tuple[ComparisonTable, ...]:
    """A table for each benchmark and protocol that has a result, real data first; `published` is all there is."""
    values = published_values() if published is None else published
    places: dict[tuple[bool, str, str], list[tuple[str, EvalResult]]] = {}
    for name, result in results:
        place = (result.is_generated, result.benchmark, str(result.protocol.get("name", "")))
        places.setdefault(place, []).append((name, result))
    return tuple(
        _table(benchmark, protocol, runs, is_generated=generated, published=values)
        for (generated, benchmark, protocol), runs in sorted(places.items(), key=lambda item: item[0])
    )


def _table(
    benchmark: str,
    protocol: str,
    runs: Sequence[tuple[str, EvalResult]],
    *,
    is_generated: bool,
    published: Sequence[PublishedValue],
) -> ComparisonTable:
    tasks = {str(task.probe.get("kind", "")): task.name for _, result in runs for task in result.tasks}
    theirs = [v for v in published if not is_generated and (v.benchmark, v.protocol) == (benchmark, protocol)]
    rows = _published_rows(theirs, tasks)
    dimensions = {(column.task, column.metric, column.dimension) for row in rows for column in row.cells}
    majority = dict[str, Row]()
    ours = list[Row]()
    for name, result in runs:
        known = _row(result, "majority", "majority", dimensions=dimensions)
        if known.cells:  # there is none where nothing was fitted
            majority.setdefault(result.split, known)
        ours.append(_marked(_row(result, name, "ours", dimensions=dimensions), rows))
    rows = [*rows, *majority.values(), *ours]
    told = load_benchmark(benchmark).notes if benchmark in BENCHMARKS else ""
    return ComparisonTable(
        benchmark=benchmark,
        protocol=protocol,
        is_generated=is_generated,
        columns=tuple(dict.fromkeys(column for row in reversed(rows) for column in row.cells)),
        rows=tuple(rows),
        notes=tuple(
            dict.fromkeys(
                note for note in (told, *(v.note for v in theirs), *_legend(ours, runs), *_choices(runs)) if note
            )
        ),
    )


def _published_rows(values: Sequence[PublishedValue], tasks: dict[str, str]) -> list[Row]:
    """A row a method and split; its tasks are called as ours of the same kind."""
    rows: dict[tuple[str, str], Row] = {}
    for v in values:
        row = rows.setdefault(
            (v.method, v.split), Row(kind="published", name=v.method, split=v.split, cells={}, source=v.source)
        )
        task = tasks.get(v.task, v.task)
        column = Column(task=task, metric=v.metric, dimension=v.dimension, is_percent=v.metric not in NUMBERS)
        percent = v.value if v.unit == "percent" else 100 * v.value
        row.cells[column] = Cell(value=percent if column.is_percent else v.value)
    return list(rows.values())


def _row(
    result: EvalResult, name: str, kind: Literal["majority", "ours"], *, dimensions: set[tuple[str, str, str]]
) -> Row:
    cells: dict[Column, Cell] = {}
    for task in result.tasks:
        for metric, value in (task.metrics if kind == "ours" else task.majority).items():
            if value is not None:
                column = Column(task=task.name, metric=metric, is_percent=metric not in NUMBERS)
                cells[column] = _cell(task, column, value, has_interval=kind == "ours")
        if kind == "ours":
            cells |= _dimension_cells(task, dimensions)
    for score in result.combined:
        value = score.value if kind == "ours" else score.majority
        if value is not None:
            cells[Column(task="", metric=score.name)] = Cell(value=value)
    return Row(kind=kind, name=name, split=result.split, cells=cells)


def _cell(task: TaskResult, column: Column, value: float, *, has_interval: bool) -> Cell:
    scale = 100 if column.is_percent else 1
    interval = task.intervals.get(column.metric) if has_interval else None
    runs = task.few_shot or task.folds
    deviation = runs.deviation[column.metric] if has_interval and runs else None
    if deviation is not None:
        return Cell(value=scale * value, deviation=scale * deviation)
    if interval is None:
        return Cell(value=scale * value)
    return Cell(
        value=scale * value, low=scale * interval.low, high=scale * interval.high, num_groups=interval.num_groups
    )


def _dimension_cells(task: TaskResult, dimensions: set[tuple[str, str, str]]) -> dict[Column, Cell]:
    """The scores of single dimensions, where published ones are of single dimensions."""
    cells: dict[Column, Cell] = {}
    for metric, scores in task.per_class.items():
        for name, value in zip(task.classes, scores, strict=True):
            if (task.name, metric, name) in dimensions and value is not None:
                column = Column(task=task.name, metric=metric, dimension=name, is_percent=metric not in NUMBERS)
                cells[column] = Cell(value=100 * value if column.is_percent else value)
    return cells


def _marked(row: Row, published: Sequence[Row]) -> Row:
    """The row, each of its cells with an interval set against the best that was published for its split."""
    cells = dict(row.cells)
    for column, cell in row.cells.items():
        theirs = [r.cells[column].value for r in published if r.split in (row.split, "") and column in r.cells]
        if theirs and cell.low is not None and cell.high is not None:
            best = min(theirs) if column.metric in LESS_IS_BETTER else max(theirs)
            apart = not cell.low <= best <= cell.high
            cells[column] = replace(cell, is_apart=apart)
    return Row(kind=row.kind, name=row.name, split=row.split, cells=cells)


def _seen_before(runs: Sequence[tuple[str, EvalResult]]) -> list[str]:
    """The models that were trained on the set by whose prompts alone they are scored."""
    return [
        f"{name} was trained on this set ({result.trained_on}): its labels' names are not new to it, as they are to "
        "models that are scored zero-shot in the strict sense"
        for name, result in runs
        if result.benchmark in BENCHMARKS
        and load_benchmark(result.benchmark).title in result.trained_on
        and any(task.probe.get("kind") == "zeroshot" for task in result.tasks)
    ]


def _choices(runs: Sequence[tuple[str, EvalResult]]) -> list[str]:
    return [f"{name}, {choice}" for name, result in runs for choice in choices(result)]


def _legend(ours: Sequence[Row], runs: Sequence[tuple[str, EvalResult]]) -> list[str]:
    legend = [*uncertainty_notes(runs), *_seen_before(runs)]
    if any(cell.is_apart for row in ours for cell in row.cells.values()):
        legend.append("* the best published figure lies outside this interval; its own uncertainty is not known")
    return legend
