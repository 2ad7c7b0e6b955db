"""`mien analyze`: who shows which of somebody's words when, in a video, a folder of videos, or before a camera."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from mien.errors import MienError
from mien.terminal import console, counted, errors, output, print_json, progress, say, show_failures

if TYPE_CHECKING:
    from mien.analyze import Analysis, AnalyzeSettings

MOST_SHOWN = 12
"""Persons told of in the terminal; all are in the record."""
LEAST_SHARE = 0.02
NOTICE = (
    "Apparent emotion: what onlookers might say is shown, not what is felt. Not for decisions about people at work, in "
    "education, policing, hiring or health."
)


def analyze(
    source: Annotated[
        str | None, typer.Argument(help="A video or picture, a folder of them, or a camera: camera:0, /dev/video0.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write, or to go on with; mien-NAME by default.")
    ] = None,
    words: Annotated[
        str | None, typer.Option("--words", "--labels", help="Your words, separated by commas; else FER+'s eight.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder, or hf:ID, for persons as a whole over some seconds.")
    ] = None,
    face_model: Annotated[
        str | None, typer.Option(help="Model for faces, the shipped one by default; none leaves them out.")
    ] = None,
    head: Annotated[
        Path | None, typer.Option(help="A fitted head (or a folder of them) of `mien evaluate --save-heads`.")
    ] = None,
    template: Annotated[list[str] | None, typer.Option(help="Prompt with {} for the word; repeatable.")] = None,
    samples_per_s: Annotated[float | None, typer.Option(help="How often a second everyone is looked at; 4.")] = None,
    smoothing: Annotated[
        float | None, typer.Option(help="Seconds: the deviation of the Gaussian over time; 0.5, and 0 for none.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help='Where the likeliest word is less probable, the answer is "uncertain"; 0.6.')
    ] = None,
    annotate: Annotated[bool, typer.Option(help="Draw the result into a copy of the video.")] = True,
    keep_store: Annotated[bool, typer.Option("--keep-store", help="Keep decoded pictures and boxes.")] = False,
    seconds: Annotated[float | None, typer.Option(help="How long to record a camera; else until Ctrl-C.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Analyse ten seconds that come with the package.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False,
) -> None:
    """Say who shows which emotion when: a table, a page, an annotated video. Offline; apparent emotion only.

    OUT gets timeline.parquet (and .csv, .jsonl), report.html, annotated.mp4 and analysis.json; of a folder, OUT/NAME
    each. The same command again goes on where it was stopped, and makes anew only what other settings change. Exit
    status 1 if a file could not be analysed.

    Example: `mien analyze video.mp4 --words "relief,barely hidden anger,joy"`, or without a video at hand
    `mien analyze --sample`
    """
    with errors():
        from mien.analyze.settings import AnalyzeSettings
        from mien.prompts import split_words

        if source is None and not sample:
            raise MienError("name a video, a folder or a camera; or give --sample")
        if source is not None and sample:
            raise MienError(f"--sample is a video of its own; leave it out, or {source}")
        asked: dict[str, Any] = {
            "words": None if words is None else tuple(split_words(words)),
            "model": model,
            "head": head,
            "templates": tuple(template) if template else None,
            "samples_per_s": samples_per_s,
            "smoothing_s": smoothing,
            "min_confidence": min_confidence,
            "annotate": annotate,
            "keep_store": keep_store,
        }
        asked = {name: value for name, value in asked.items() if value is not None}
        if face_model == "none" or (face_model is None and head is not None and model is not None):
            asked["face_model"] = None  # a head that comes with a model is that model's
        elif face_model is not None:
            asked["face_model"] = face_model
        settings = AnalyzeSettings(**asked)
        path, place = _resolve(source, out, seconds=seconds)
        if path.is_dir():
            _analyze_folder(path, place, settings, as_json=as_json)
        else:
            _analyze_file(path, place, settings, as_json=as_json)


def _resolve(source: str | None, out: Path | None, *, seconds: float | None) -> tuple[Path, Path]:
    """What to analyse, a camera's recording made first, and where to put the result."""
    from mien.analyze.camera import RECORDING, device_of
    from mien.types import ASSETS

    if source is None:
        if seconds is not None:
            raise MienError("--seconds is how long a camera is recorded; leave it out with --sample")
        return ASSETS / "sample" / "sample.mp4", out or Path("mien-sample")
    if (device := device_of(source)) is not None:
        place = out or Path("mien-camera")
        if (place / RECORDING).is_file():
            say(f"{escape(str(place / RECORDING))} is there already, and analysed; name another --out to record anew")
        else:
            _record(device, place / RECORDING, seconds=seconds)
        return place / RECORDING, place
    if seconds is not None:
        raise MienError("--seconds is how long a camera is recorded; leave it out for a file")
    path = Path(source)
    if not path.exists():
        raise MienError(f"no file or folder at {path}; a camera is camera:0 or /dev/video0")
    return path, out or Path(f"mien-{path.resolve().name if path.is_dir() else path.stem}")


def _record(device: Path, recording: Path, *, seconds: float | None) -> None:
    from mien.analyze.camera import record
    from mien.whole_file import require_writable

    require_writable(recording)
    say(f"recording {device} for {seconds:g} s" if seconds is not None else f"recording {device} until Ctrl-C")
    with console.status("recording") as status:
        length_s = record(
            device, recording, seconds=seconds, on_seconds=lambda done: status.update(f"recording: {done:.0f} s")
        )
    say(f"{length_s:.1f} s in {escape(str(recording))}")


class _Bar:
    """One bar, for whichever stage is at work."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=None, note="", visible=False)

    def stage(self, stage: str, done: int, total: int) -> None:
        percent = round(100 * done / max(total, 1))
        self._bars.update(self._task, description=stage, completed=percent, total=100, visible=True)

    def file(self, name: str, done: int, total: int) -> None:
        self._bars.update(self._task, note=f"{escape(name)} ({min(done + 1, total)} of {total})")


def _analyze_file(path: Path, out: Path, settings: AnalyzeSettings, *, as_json: bool) -> None:
    from mien.analyze import analyze

    with progress() as bars:
        analysis = analyze(path, out, settings=settings, on_progress=_Bar(bars).stage)
    if as_json:
        print_json(_told(analysis, out))
        return
    _show(analysis, out)
    say(NOTICE, style="dim")


def _analyze_folder(folder: Path, out: Path, settings: AnalyzeSettings, *, as_json: bool) -> None:
    from mien.analyze import analyze_folder

    with progress() as bars:
        bar = _Bar(bars)
        done = analyze_folder(folder, out, settings=settings, on_file=bar.file, on_progress=bar.stage)
    if as_json:
        print_json({"analyses": [_told(own, out / name) for name, own in done.analyses.items()], "failed": done.failed})
    else:
        for name, analysis in done.analyses.items():
            _show(analysis, out / name)
        say(f"{counted(len(done.analyses), 'file')} in {escape(str(out))}")
        say(NOTICE, style="dim")
    show_failures(done.failed)


def _told(analysis: Analysis, out: Path) -> dict[str, Any]:
    """The record without what can be long, and where the files are."""
    told = analysis.model_dump(mode="json", exclude={"shots", "utterances"})
    return {"out": str(out), "num_shots": len(analysis.shots), "num_utterances": len(analysis.utterances), **told}


# ── the summary ──────────────────────────────────────────────────────────────────────────────────


def _show(analysis: Analysis, out: Path) -> None:
    """A row a person: how long it was seen, which share of that each answer has, and when each is at its most."""
    from rich.table import Table

    video = analysis.video
    length = "picture" if video.is_picture else _clock(video.duration_s)
    shots = "" if video.is_picture else f", {counted(len(analysis.shots), 'shot')}"
    output.print(f"[bold]{escape(video.name)}[/]: {video.width} x {video.height}, {length}{shots}")
    for left in analysis.skipped:
        output.print(f"[yellow]cut off[/] {escape(left.what)}: {escape(left.reason)}")
    if analysis.persons:
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("who", no_wrap=True)
        table.add_column("seen", no_wrap=True)
        table.add_column("shows" if video.is_picture else "shows (share of that time; most of it at)")
        for person in analysis.persons[:MOST_SHOWN]:
            who = f"person {person.track}{', whole' if person.source == 'person' else ''}"
            seen = "" if video.is_picture else f"{_clock(person.start_s)}–{_clock(person.end_s)}"
            table.add_row(who, seen, _shares(person, is_picture=video.is_picture))
        output.print(table)
        if (more := len(analysis.persons) - MOST_SHOWN) > 0:
            output.print(f"and {more} more, seen for less long; all are in {escape(str(out / 'analysis.json'))}")
    else:
        output.print("Nobody was found that the model could look at.")
    say(f"{escape(str(out))}: {', '.join((*analysis.files, 'analysis.json'))}")


def _shares(person: Any, *, is_picture: bool) -> str:

    peaks = {peak.word: peak for peak in person.peaks}
    parts = []
    for word, share in sorted(person.shares.items(), key=lambda item: -item[1]):
        if share < LEAST_SHARE:
            continue
        if is_picture:
            parts.append(
                f"{escape(word)} {100 * person.means[word]:.0f} %" if word in peaks else f"[dim]{escape(word)}[/]"
            )
        elif word in peaks:
            parts.append(f"[green]{escape(word)}[/] {100 * share:.0f} % [dim]({_clock(peaks[word].time_s)})[/]")
        else:
            parts.append(f"[dim]{escape(word)} {100 * share:.0f} %[/]")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    """Hours where there are any, minutes, seconds: 1:02:03.5, 0:03.5."""
    hours, rest = divmod(round(seconds, 1), 3600)
    minutes, s = divmod(rest, 60)
    return (f"{int(hours)}:{int(minutes):02d}" if hours else f"{int(minutes)}") + f":{s:04.1f}"
