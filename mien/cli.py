"""The command line: verbs only. Each imports what it needs when it is called, so that --help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mien.terminal import (
    PrepareBars,
    TrainBar,
    console,
    errors,
    print_json,
    progress,
    show_findings,
    show_prepared,
)

app = typer.Typer(
    help="Learn emotion representations from video with subtitles, prove them, and use them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TheatreOut = Annotated[Path, typer.Argument(help="Folder to make the theatre in.")]


@app.command()
def theatre(
    out: TheatreOut,
    seed: Annotated[int, typer.Option(help="The world's seed: equal settings give equal videos.")] = 0,
    train: Annotated[int, typer.Option("--train", help="Videos to train on.")] = 100,
    test: Annotated[int, typer.Option("--test", help="Videos to test on.")] = 30,
    faces: Annotated[Path | None, typer.Option(help="Folder in FER+ layout: real faces.")] = None,
    utterances: Annotated[
        Path | None, typer.Option(help="Folder of train.tsv, test.tsv, labels.txt: real sentences.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; they change nothing but the time.")] = 2,
) -> None:
    """Generate videos of drawn scenes with subtitles, boxes side-cars and ground truth.

    Example: `mien theatre runs/demo/theatre --train 100 --test 30`
    """
    with errors():
        from mien.theatre import TheatreSettings, write_theatre

        settings = TheatreSettings(seed=seed, num_train=train, num_test=test, faces=faces, utterances=utterances)
        with progress() as bars:
            task = bars.add_task("theatre", total=train + test, note="")
            made = write_theatre(out, settings=settings, workers=workers, on_video=lambda _: bars.advance(task))
        console.print(f"{out}: {len(made.made)} videos made, {len(made.kept)} there already")


@app.command()
def prepare(
    videos: Annotated[Path, typer.Argument(help="A video, or a folder of videos with .srt or .vtt beside them.")],
    out: Annotated[Path, typer.Option("--out", help="The store to make or to go on with.")],
    boxes: Annotated[
        Literal["detector", "sidecar", "none"], typer.Option(help="Where the person boxes come from.")
    ] = "detector",
    subject: Annotated[
        Literal["all", "speaker"], typer.Option(help="Whose boxes are the subject's; speaker needs a side-car.")
    ] = "all",
    fps: Annotated[float, typer.Option(help="Frames a second to keep.")] = 8.0,
    images: Annotated[bool, typer.Option(help="Take pictures too, as videos of one frame.")] = False,
    workers: Annotated[int, typer.Option(help="Videos at a time.")] = 2,
) -> None:
    """Turn videos with subtitles into a store: frames, person boxes, timed sentences and their emotion.

    The same command again goes on where it was stopped and skips what is done. Exit status 1 if a video failed.

    Example: `mien prepare VIDEOS --out stores/mine`
    """
    with errors():
        from mien.prepare import BoxSettings, FrameSettings, PrepareSettings, prepare

        settings = PrepareSettings(
            frames=FrameSettings(fps=fps), boxes=BoxSettings(source=boxes), subject=subject, images=images
        )
        with progress() as bars:
            report = prepare(videos, out, settings=settings, workers=workers, on_progress=PrepareBars(bars))
        show_prepared(report, out)
        if report.failed:
            raise typer.Exit(1)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, say optim.lr=1e-4")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/<name of CONFIG> by default.")] = None,
) -> None:
    """Pre-train a model; on several GPUs as `torchrun --nproc-per-node 8 -m mien train …`.

    The same command again goes on from the latest checkpoint. Ctrl-C writes one first. The finished model lies in
    OUT/model, the measurements in OUT/metrics.jsonl.

    Example: `mien train configs/demo.yaml --out runs/demo/train train.steps=100`
    """
    with errors():
        from mien.config import load_config
        from mien.train.run import RunConfig, train
        from mien.train.trainer import Interrupted

        run = out or Path("runs") / config.stem
        settings = load_config(RunConfig, config, overrides or [])
        with progress() as bars:
            shown = TrainBar(bars, total=settings.train.steps)
            try:
                model = train(settings, run, on_start=shown.start, on_step=shown.step)
            except Interrupted as stopped:
                console.print(f"[yellow]{stopped}[/yellow]")
                raise typer.Exit(130) from None
        console.print(f"model in {model}, measurements in {run / 'metrics.jsonl'}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A checkpoint file, or a Hugging Face CLIP folder.")],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
    quick_gelu: Annotated[
        bool, typer.Option(help="OpenAI's activation; Hugging Face folders say it themselves.")
    ] = False,
    weights_license: Annotated[str, typer.Option(help="On what terms the weights may be used.")] = "unknown",
) -> None:
    """Convert foreign weights: the released EmotionCLIP, OpenCLIP state dicts, Hugging Face CLIP folders.

    Example: `mien convert emotionclip_latest.pt models/emotionclip`
    """
    with errors():
        from mien.convert import convert

        report = convert(source, out, quick_gelu=quick_gelu, weights_license=weights_license)
        console.print(report.summary())


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False) -> None:
    """Say what is installed, which devices there are, and whether the shipped models are in place.

    Example: `mien doctor`
    """
    from mien.doctor import examine

    findings = examine()
    if as_json:
        print_json(findings)
    else:
        show_findings(findings)
    if any(f.state == "missing" for f in findings):
        raise typer.Exit(1)
