"""The terminal: messages, errors, progress bars and tables. Messages go to stderr, results to stdout."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mien.errors import MienError

console = Console(stderr=True)
output = Console()


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """What the user can mend becomes a message and exit status 1; Ctrl-C exits with 130; the rest is a bug, shown."""
    try:
        yield
    except MienError as error:
        console.print(f"[bold red]error[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("[yellow]stopped; the same command goes on from here[/]")
        raise typer.Exit(130) from None


def progress() -> Progress:
    """Bars on stderr; where that is not a terminal, nothing but what is printed."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
    )


def print_json(rows: Any) -> None:
    """Records (or lists of them) as JSON on stdout."""
    print(json.dumps(rows, default=dataclasses.asdict, indent=2))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    table = Table(title=title, box=None, header_style="bold", pad_edge=False, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    output.print(table)


def show_findings(findings: Sequence[Any]) -> None:
    """The doctor's report."""
    colour = {"ok": "green", "missing": "red", "absent": "yellow"}
    table = Table(box=None, show_header=False, pad_edge=False)
    for f in findings:
        table.add_row(f"[{colour[f.state]}]{f.state}[/]", f.what, escape(f.detail))
    output.print(table)


class TrainBar:
    """A training run's bar, and on what it works."""

    def __init__(self, bars: Progress, *, total: int) -> None:
        self.bars = bars
        self.task = bars.add_task("train", total=total, note="")

    def start(self, summary: Any) -> None:
        console.print(
            f"{summary.num_clips} clips ({summary.num_excluded} left out by data.filter, {summary.num_truncated} "
            f"texts truncated), {summary.steps_per_epoch} steps an epoch, "
            f"{summary.num_parameters / 1e6:.1f} M parameters, on {summary.device}"
            + (f", going on from step {summary.first_step}" if summary.first_step else "")
        )
        if summary.fresh:
            console.print(f"from random weights, since init_from has none for them: {', '.join(summary.fresh)}")
        self.bars.update(self.task, completed=summary.first_step)

    def step(self, step: int, row: dict[str, float]) -> None:
        self.bars.update(self.task, completed=step)
        if row:
            note = f"loss {row['loss']:.3f}  {row['clips_per_s']:.0f} clips/s  waiting for data {row['data_wait']:.0%}"
            self.bars.update(self.task, note=note)


class PrepareBars:
    """A bar over all videos, and what is being done to the one heard of last."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.task = bars.add_task("prepare", total=None, note="")

    def __call__(self, video: str, stage: str, fraction: float) -> None:
        self.bars.update(self.task, note=f"{video}: {stage} {fraction:.0%}")


def show_prepared(report: Any, store: Any) -> None:
    """What `prepare` did, what it left out and why, what failed."""
    console.print(
        f"{store}: {report.num_videos} videos ({report.num_new} worked on now), {report.num_clips} clips, "
        f"{len(report.skipped)} things left out (listed in {store}/skipped.jsonl)",
        highlight=False,
    )
    for reason, count in Counter(s.reason.split(":")[0] for s in report.skipped).most_common(6):
        console.print(f"  left out {count}: {escape(reason)}", highlight=False, style="dim")
    for failure in report.failed:
        console.print(f"[red]failed[/] {escape(failure.what)}: {escape(failure.reason)}", highlight=False)
