"""The terminal: messages, errors, progress bars and tables. Messages go to stderr, results to stdout."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer
from pydantic_core import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mien.errors import MienError
from mien.lengths import told_length

IS_MAIN = os.environ.get("RANK", "0") == "0"  # of several processes, the one that speaks; torchrun sets it
console = Console(stderr=True, quiet=not IS_MAIN)
loud = Console(stderr=True, highlight=False)  # errors are told by every process
output = Console(highlight=False)


def say(message: str, *, style: str | None = None) -> None:
    """A message to the user; not broken into lines, so that paths stay whole."""
    console.print(message, style=style, highlight=False, soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """A number and what it counts: 1 file, 2 files, 1,000 files."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """What the user can mend becomes a message and exit status 1; Ctrl-C exits with 130; the rest is a bug, shown."""
    try:
        yield
    except MienError as error:
        loud.print(f"[bold red]error[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except ValidationError as error:
        from mien.config import describe

        loud.print(f"[bold red]error[/] these options do not go:\n{escape(describe(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        loud.print(f"[bold red]error[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        say(
            "[yellow]stopped[/]; theatre, prepare, export, import, train, finetune, analyze and search go on from here "
            "when given again, others start anew"
        )
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
        disable=not IS_MAIN,
    )


def print_json(rows: Any) -> None:
    """Records (or lists of them) as JSON on stdout."""
    print(json.dumps(rows, default=dataclasses.asdict, indent=2))


def show_findings(findings: Sequence[Any]) -> None:
    """The doctor's report."""
    colour = {"ok": "green", "missing": "red", "absent": "yellow"}
    table = Table(box=None, show_header=False, pad_edge=False)
    for f in findings:
        table.add_row(f"[{colour[f.state]}]{f.state}[/]", f.what, escape(f.detail))
    output.print(table)


class TrainBar:
    """A training run's bar, and on what it works; shown when it starts, so that an error stands alone."""

    def __init__(self, bars: Progress, *, total: int) -> None:
        self.bars = bars
        self.total = total
        self.tenths = 0
        self.task = bars.add_task("train", total=total, note="", visible=False)

    def start(self, summary: Any) -> None:
        say(
            f"{counted(summary.num_clips, 'clip')} ({summary.num_excluded} left out by data.filter, "
            + (f"{counted(summary.num_uncaptioned, 'video')} without a caption, " if summary.num_uncaptioned else "")
            + f"{counted(summary.num_truncated, 'text')} truncated), {summary.steps_per_epoch} steps an epoch, "
            f"{summary.num_parameters / 1e6:.1f} M parameters, on {summary.device}"
            + (f", going on from step {summary.first_step}" if summary.first_step else "")
        )
        if summary.fresh:
            say(f"from random weights, since init_from has none for them: {', '.join(summary.fresh)}")
        self.bars.update(self.task, completed=summary.first_step, visible=True)

    def step(self, step: int, row: dict[str, float]) -> None:
        self.bars.update(self.task, completed=step)
        if row:
            note = f"loss {row['loss']:.3f}  {row['clips_per_s']:.0f} clips/s  waiting for data {row['data_wait']:.0%}"
            self.bars.update(self.task, note=note)
            if not console.is_terminal and (step * 10) // self.total > self.tenths:  # a log file has no bars
                self.tenths = (step * 10) // self.total
                say(f"step {step} of {self.total}: {note}")


def show_epoch(done: Any) -> None:
    """An epoch of fine-tuning, and what it scored on the split that the best is chosen on."""
    known = done.score is not None
    scored = f", {done.metric} {done.score:.4f}" if known else ""
    say(f"{done.task}: epoch {done.epoch} of {done.epochs}: loss {done.loss:.3f}{scored}")


def show_tuned(tasks: Sequence[Any]) -> None:
    """Of fine-tuned tasks, which epoch's weights were scored, and why."""
    for task in tasks:
        if task.finetune is not None:
            say(f"{task.name}: {task.finetune.told()}", style="dim")


class PrepareBars:
    """A bar over all videos, and what is being done to the one heard of last; shown when there is something to do."""

    def __init__(self, bars: Progress, *, verb: str = "prepare") -> None:
        self.bars = bars
        self.task = bars.add_task(verb, total=None, note="", visible=False)

    def __call__(self, video: str, stage: str, fraction: float) -> None:
        self.bars.update(self.task, note=escape(f"{video}: {stage} {fraction:.0%}"))

    def video(self, done: int, total: int) -> None:
        self.bars.update(self.task, completed=done, total=total, visible=True)


def show_prepared(report: Any, store: Any) -> None:
    """What `prepare` did, what it left out and why, what failed."""
    done = f"{store}: {counted(report.num_videos, 'video')} ({report.num_new} worked on now)"
    card = report.card
    if card is None:
        say(f"{done}; once all slices are done, the same command without --slice makes the index")
    else:
        say(
            f"{done}, {counted(card.num_clips, 'clip')} of {counted(card.num_sentences, 'sentence')}, "
            f"{told_length(card.clip_hours)} of {told_length(card.hours)}; {counted(report.num_skipped, 'thing')} left "
            f"out (listed in {store}/skipped.jsonl; numbers in {store}/card.md)"
        )
        for rule, count in card.left_out.items():
            if count:
                say(f"  left out {counted(count, 'sentence')}: {rule}", style="dim")
        for count, what in (
            (card.num_duplicates, "left out of clips and numbers: the same is shown in another"),
            (card.num_videos_without_words, "without words, so without clips"),
            (card.num_videos_without_sidecar, "without a side-car, so without boxes"),
        ):
            if count:
                say(f"  {counted(count, 'video')} {what}", style="dim")
        if card.num_cut_off:
            say(f"  [yellow]{counted(card.num_cut_off, 'video')} cut off[/]: kept as far as they decode")
    for what in (*report.excluded[:6], *report.unused[:6]):
        say(f"  left out {escape(what.what)}: {escape(what.reason)}", style="dim")
    show_failures(report.failed)


def require(**option: Any) -> Any:
    """The value of an option that this use of a verb cannot do without: `require(root=root)`."""
    ((name, value),) = option.items()
    if value is None:
        flag = name.upper() if name == "benchmark" else f"--{name}"
        raise MienError(f"{flag} is needed; see --help for an example")
    return value


def show_skipped(skipped: Sequence[Any], *, used: int) -> None:
    """How many samples a result stands on, and which were left out."""
    say(f"{used} samples scored, {len(skipped)} left out", style="dim")
    for sample in skipped[:5]:
        say(f"  left out {escape(sample.what)}: {escape(sample.reason)}", style="dim")


def show_cut_off(files: Sequence[Any]) -> None:
    """Files of which only a part decodes, and how much."""
    for file in files:
        say(f"[yellow]cut off[/] {escape(file.what)}: {escape(file.reason)}")


def show_failures(failed: Sequence[Any]) -> None:
    """What could not be done; exits with status 1 if there is any."""
    for failure in failed:
        say(f"[red]failed[/] {escape(failure.what)}: {escape(failure.reason)}")
    if failed:
        raise typer.Exit(1)


def show_moments(moments: Sequence[Any], words: Sequence[str], *, as_json: bool) -> None:
    """A row a moment: when, and how probable each word is; the most probable in bold."""
    if as_json:
        rows = [{"video": m.video, "start_s": m.start_s, "end_s": m.end_s, "scores": m.scores} for m in moments]
        print_json(rows)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("from", "to"):
        table.add_column(column)
    for word in words:
        table.add_column(escape(word), justify="right")
    for m in moments:
        table.add_row(_clock(m.start_s), _clock(m.end_s), *_shares(m.scores))
    output.print(table)
    say("Apparent emotion, as the model sees it; not what the person feels.", style="dim")


def show_faces(moments: Sequence[Any], words: Sequence[str], *, as_json: bool) -> None:
    """A row a face and stretch, from left to right: when, who, and how probable each word is, the likeliest in bold."""
    if as_json:
        kept = ("video", "person", "start_s", "end_s", "xyxy", "num_faces", "scores")
        print_json([{name: getattr(m, name) for name in kept} for m in moments])
        return
    if not moments:
        say("No face was found.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    is_picture = all(m.start_s == m.end_s == 0 for m in moments)
    for column in ("who",) if is_picture else ("seconds", "who"):
        table.add_column(column, no_wrap=True)
    for word in words:
        table.add_column(escape(word), justify="right")
    for m in moments:
        when = [] if is_picture else [f"{m.start_s:.1f}–{m.end_s:.1f}"]
        table.add_row(*when, f"person {m.person}", *_shares(m.scores))
    output.print(table)
    say("Apparent emotion, as the model sees it; not what the person feels.", style="dim")


def _shares(scores: Mapping[str, float]) -> list[str]:
    best = max(scores.values())
    return [f"[bold green]{p:.2f}[/]" if p == best else f"{p:.2f}" for p in scores.values()]


def _clock(seconds: float) -> str:
    minutes, s = divmod(seconds, 60)
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{s:06.3f}"
