"""The command line: verbs only. Each imports what it needs when it is called, so that --help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from mien.cli_analyze import analyze
from mien.cli_captions import captions
from mien.cli_classify import BackendOption, PrecisionOption, classify
from mien.cli_data import data
from mien.cli_explain import explain
from mien.cli_finetune import finetune
from mien.cli_models import push, to_onnx
from mien.cli_search import search
from mien.cli_serve import serve
from mien.errors import MienError
from mien.terminal import (
    PrepareBars,
    TrainBar,
    console,
    counted,
    errors,
    output,
    print_json,
    progress,
    require,
    say,
    show_cut_off,
    show_epoch,
    show_failures,
    show_findings,
    show_prepared,
    show_skipped,
    show_tuned,
)

app = typer.Typer(
    help="Learn emotion representations from video with subtitles, prove them, and use them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data, name="data")
app.add_typer(captions, name="captions")
app.command()(finetune)

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
    wordings: Annotated[
        int | None, typer.Option(help="Different sentences an emotion has; all there are by default.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; they change nothing but the time.")] = 2,
) -> None:
    """Generate videos of drawn scenes with subtitles, boxes side-cars and ground truth.

    Example: `mien theatre runs/demo/theatre --train 100 --test 30`
    """
    with errors():
        from mien.theatre import TheatreSettings, write_theatre

        settings = TheatreSettings(
            seed=seed, num_train=train, num_test=test, faces=faces, utterances=utterances, wordings=wordings
        )
        with progress() as bars:
            task = bars.add_task("theatre", total=train + test, note="")
            made = write_theatre(out, settings=settings, workers=workers, on_video=lambda _: bars.advance(task))
        say(f"{out}: {counted(len(made.made), 'video')} made, {len(made.kept)} there already")


@app.command()
def prepare(
    videos: Annotated[str, typer.Argument(help="A video, or a folder of videos with subtitles beside them; or a URL.")],
    out: Annotated[str, typer.Option("--out", help="The store to make or to go on with; a folder or a URL.")],
    boxes: Annotated[
        Literal["detector", "sidecar", "none"], typer.Option(help="Where the person boxes come from.")
    ] = "detector",
    detector: Annotated[str, typer.Option(help="centernet, onnx:PATH or hf:ID.")] = "centernet",
    faces: Annotated[bool, typer.Option(help="Look for faces too.")] = False,
    subject: Annotated[
        Literal["all", "largest", "speaking"],
        typer.Option(help="Whose boxes are the subject's. speaking: by side-car, or by the motion of mouths."),
    ] = "all",
    language: Annotated[str | None, typer.Option(help="Of several subtitles, this language; else English.")] = None,
    punctuation: Annotated[str, typer.Option(help="What restores missing full stops: mien, hf:ID or none.")] = "mien",
    sentiment: Annotated[str, typer.Option(help="What scores the sentences: mien or hf:ID.")] = "mien",
    asr: Annotated[
        str | None, typer.Option(help="Without subtitles, recognise speech by this faster-whisper model.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames a second to keep.")] = 8.0,
    images: Annotated[bool, typer.Option(help="Take pictures too, as videos of one frame.")] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(help="File of video ids to leave out (and delete from the store); repeatable.")
    ] = None,
    keep_duplicates: Annotated[bool, typer.Option(help="Keep videos that show the same as another.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, say index.min_frames=4; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Videos at a time, with --engine local.")] = 2,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes on this machine, or a Ray cluster.")
    ] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="The cluster's address, or auto; else one is started here.")
    ] = None,
    slice_: Annotated[
        str | None, typer.Option("--slice", help="Only part i/n of the videos; the index is made without it.")
    ] = None,
) -> None:
    """Turn videos into a store: frames, people, timed sentences and their emotion.

    The same command again goes on where it was stopped and skips what is done. Exit status 1 if a video failed.

    Example: `mien prepare VIDEOS --out stores/mine`, then `mien inspect stores/mine`
    """
    with errors():
        from mien.config import validate
        from mien.prepare import Engine, PrepareSettings, Slice, prepare

        chosen = {
            "frames": {"fps": fps},
            "words": {"language": language, "punctuation": punctuation, "sentiment": sentiment, "asr": asr},
            "boxes": {"source": boxes, "detector": detector},
            "faces": {"source": "detector" if faces or (subject == "speaking" and boxes == "detector") else "none"},
            "subject": subject,
            "images": images,
            "exclude": ["bold_sources", *(exclude or [])],
            "keep_duplicates": keep_duplicates,
        }
        settings = validate(PrepareSettings, chosen, source="the options", overrides=set_ or [])
        part = Slice.parse(slice_) if slice_ else None
        if ray_address and engine != "ray":
            raise MienError(f"--ray-address {ray_address} goes with --engine ray")
        with progress() as bars:
            shown = PrepareBars(bars)
            report = prepare(
                videos,
                out,
                settings=settings,
                engine=Engine(kind=engine, workers=workers, ray_address=ray_address),
                part=part,
                on_progress=shown,
                on_video=shown.video,
            )
        show_prepared(report, out)


@app.command()
def inspect(
    store: Annotated[Path, typer.Argument(help="What `mien prepare` made.")],
    out: Annotated[Path | None, typer.Option("--out", help="The page to write; STORE/inspect.html by default.")] = None,
    clips: Annotated[int, typer.Option(help="Clips to show.")] = 60,
    videos: Annotated[str, typer.Option(help="Pattern that names of videos must match, say train/*.")] = "*",
    seed: Annotated[int, typer.Option(help="Another seed shows other clips.")] = 0,
) -> None:
    """Show a store as one HTML page: clips with boxes, tracks and emotions, its numbers, what was left out.

    Example: `mien inspect stores/mine`, or `mien inspect stores/mine --out mine.html`
    """
    with errors():
        from mien.inspect import InspectSettings, inspect_store

        settings = InspectSettings(clips=clips, videos=videos, seed=seed)
        with console.status(f"drawing clips of {store}"):
            report = inspect_store(store, out, settings=settings)
        say(report.summary())
        show_failures(report.skipped)


@app.command()
def export(
    store: Annotated[Path, typer.Argument(help="What `mien prepare` made.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the shards, to make or to go on with.")],
    format_: Annotated[
        Literal["webdataset"], typer.Option("--format", help="Tar shards as video2dataset's.")
    ] = "webdataset",
    codec: Annotated[
        Literal["h264", "mjpeg"],
        typer.Option(help="h264 plays everywhere; mjpeg keeps the stored pictures as they are."),
    ] = "h264",
    crf: Annotated[int, typer.Option(help="Quality of h264: 18 is about invisible, each 6 more halve the size.")] = 18,
    clips_per_shard: Annotated[int, typer.Option(help="Clips a tar.")] = 1000,
    workers: Annotated[int, typer.Option(min=1, help="Shards at a time.")] = 2,
) -> None:
    """Write a store's clips as tar shards of .mp4, .json and .txt, with a Parquet table beside each.

    The same command again goes on where it was stopped. Exit status 1 if a clip could not be read.

    Example: `mien export stores/mine --out shards`
    """
    with errors():
        from mien.exchange import ExportSettings, export_webdataset

        settings = ExportSettings(codec=codec, crf=crf, clips_per_shard=clips_per_shard)
        with progress() as bars:
            task = bars.add_task("export", total=None, note="", visible=False)
            report = export_webdataset(
                store,
                out,
                settings=settings,
                workers=workers,
                on_clip=lambda done, total: bars.update(task, completed=done, total=total, visible=True),
            )
        say(
            f"{out}: {counted(report.num_clips, 'clip')} in {counted(report.num_shards, 'shard')} "
            f"({report.num_new} written now), "
            f"{report.num_bytes / 1e6:.1f} MB"
        )
        show_failures(report.skipped)


@app.command("import")
def import_(
    sources: Annotated[list[Path], typer.Argument(help="Shards, or the folders of released data.")],
    out: Annotated[Path, typer.Option("--out", help="The store to make or to go on with.")],
    format_: Annotated[
        Literal["webdataset", "released"],
        typer.Option("--format", help="Tar shards, or the released EmotionCLIP pipeline's files."),
    ] = "webdataset",
    index: Annotated[Path | None, typer.Option(help="released: the index that the logits are rows of.")] = None,
    logits: Annotated[Path | None, typer.Option(help="released: the sentences' emotion logits.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, say index.min_frames=4; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Videos at a time.")] = 2,
) -> None:
    """Make a store of other people's data: tar shards, or what the released EmotionCLIP pipeline writes.

    The same command again goes on where it was stopped. Exit status 1 if a video failed.

    Example: `mien import shards --out stores/theirs`, or `mien import youtube --format released --out stores/released`
    """
    with errors():
        from mien.config import validate
        from mien.exchange import ReleasedSettings, import_released, import_webdataset
        from mien.prepare import PrepareSettings

        if format_ == "webdataset" and (index or logits):
            raise MienError("--index and --logits go with --format released")
        with progress() as bars:
            shown = PrepareBars(bars, verb="import")
            if format_ == "released":
                report = import_released(
                    sources,
                    out,
                    settings=validate(ReleasedSettings, {}, source="--set", overrides=set_ or []),
                    index=index,
                    logits=logits,
                    workers=workers,
                    on_video=shown.video,
                )
            else:
                if len(sources) > 1:
                    raise MienError(f"{len(sources)} sources; name one folder of shards, or a pattern in quotes")
                (shards,) = sources
                chosen = validate(PrepareSettings, {}, source="--set", overrides=set_ or [])
                report = import_webdataset(shards, out, settings=chosen, workers=workers, on_video=shown.video)
        say(
            f"{out}: {counted(report.num_videos, 'video')} ({report.num_new} worked on now), "
            f"{counted(report.num_clips, 'clip')}; {counted(report.num_skipped, 'thing')} left out "
            f"(listed in {out}/skipped.jsonl)"
        )
        show_failures(report.failed)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, say optim.lr=1e-4")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder; by default runs/NAME, after the name of CONFIG.")
    ] = None,
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
                say(f"[yellow]{stopped}[/yellow]")
                raise typer.Exit(130) from None
        say(f"model in {model}, measurements in {run / 'metrics.jsonl'}")


@app.command()
def evaluate(
    benchmark: Annotated[str | None, typer.Argument(help="Its name; see --list.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder, or hf:ID of one on the hub.")] = None,
    root: Annotated[Path | None, typer.Option(help="The benchmark's release, as you received it.")] = None,
    store: Annotated[
        Path | None, typer.Option(help="What was prepared of ROOT; stores/BENCHMARK by default, made if need be.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The JSON file to write.")] = None,
    save_heads: Annotated[Path | None, typer.Option(help="Folder for the fitted probes.")] = None,
    protocol: Annotated[str, typer.Option(help="How it is scored: paper, or another the benchmark has.")] = "paper",
    split: Annotated[str | None, typer.Option(help="The split to score on; the protocol's by default.")] = None,
    splits: Annotated[Path | None, typer.Option(help="A file of splits that `mien data splits` drew.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare the release.")] = 2,
    table: Annotated[list[Path] | None, typer.Option(help="Collect results: a JSON file or a folder of them.")] = None,
    format_: Annotated[
        Literal["terminal", "markdown", "csv", "latex"], typer.Option("--format", help="How tables are written.")
    ] = "terminal",
    as_json: Annotated[bool, typer.Option("--json", help="The result, or the table's numbers, as JSON.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="Name the benchmarks.")] = False,
) -> None:
    """Score a model by linear probes on its frozen features; or set results beside published ones in tables.

    Example: `mien evaluate theatre --root runs/demo/theatre --store runs/demo/store --model runs/demo/train/model`,
    then `mien evaluate --table runs/demo/results`
    """
    with errors():
        from mien.eval.benchmarks import BENCHMARKS
        from mien.eval.comparison import compare, load_results
        from mien.eval.comparison_formats import show, show_groups

        if list_all:
            output.print("\n".join(sorted(BENCHMARKS)))
            return
        if table:
            if benchmark:
                raise MienError(f"--table takes one file or folder; repeat it for more: --table … --table {benchmark}")
            show(compare(load_results(table)), form="json" if as_json else format_)
            return
        name, root = require(benchmark=benchmark), require(root=root)
        from mien.whole_file import require_writable

        for place in (out, save_heads):
            if place is not None:
                require_writable(place)
        from mien.evaluate import evaluate_model
        from mien.train.trainer import Interrupted

        try:
            with console.status(f"embedding the clips of {name}, fitting the probes"):
                result = evaluate_model(
                    name,
                    model=require(model=model),
                    root=root,
                    store=store,
                    protocol=protocol,
                    split=split,
                    splits=splits,
                    out=out,
                    heads=save_heads,
                    workers=workers,
                    on_epoch=show_epoch,
                )
        except Interrupted as stopped:
            say(f"[yellow]{stopped}[/yellow]")
            raise typer.Exit(130) from None
        if as_json:
            print_json(result.model_dump(mode="json"))
        else:
            named = [(Path(result.model_id).name, result)]
            show(compare(named), form=format_)
            if format_ == "terminal":
                show_groups(named)
            show_tuned(result.tasks)
            show_skipped(result.skipped, used=result.num_used)
            for other in result.other_splits:
                say(f"the protocol is scored on {other} too: --split {other}", style="dim")
            if out:
                say(f"result in {out}; `mien evaluate --table {out.parent}` sets it beside others")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    root: Annotated[Path | None, typer.Option(help="The benchmark's release: for map and true emotions.")] = None,
    store: Annotated[
        Path | None, typer.Option(help="What `mien prepare` made; by default, what was trained on.")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of results that `mien evaluate` wrote.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page to write; RUN/report.html by default.")] = None,
    untrained: Annotated[Path | None, typer.Option(help="A model to compare with in the map.")] = None,
) -> None:
    """Draw a run as one self-contained HTML page: curves, settings, attention; probes and a map if evaluated.

    Of UniEmoX also pictures that its latest checkpoint rebuilds, and the nearest to some by embedding.

    Example: `mien report runs/mine`, or with all there is:
    `mien report runs/demo/train --root runs/demo/theatre --store runs/demo/store --results runs/demo/results`
    """
    with errors():
        from mien.report import ReportInputs, left_off, report

        page, models = out or run / "report.html", {"untrained": untrained} if untrained else {}
        with console.status("drawing the report"):
            content = report(ReportInputs(run=run, root=root, store=store, results=results, models=models), page)
        say(f"report in {page}")
        for part in left_off(content):
            say(f"  without {part.what}: {part.reason}", style="dim")


for verb in (analyze, classify, search, explain, serve):
    app.command()(verb)
app.command("to-onnx")(to_onnx)
app.command()(push)


@app.command()
def embed(
    paths: Annotated[list[Path], typer.Argument(help="Videos, pictures, or folders of them.")],
    model: Annotated[str, typer.Option(help="Model folder, or hf:ID of one on the hub.")],
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    window: Annotated[float, typer.Option(help="Seconds a moment.")] = 4.0,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="Pictures are filled by their subject (cut-out faces): look for nothing.")
    ] = False,
    precision: PrecisionOption = "float32",
    backend: BackendOption = None,
) -> None:
    """Embed videos: a table with video, start_s, end_s and embedding, a row every few seconds of video.

    What cannot be read is listed; the rest is embedded. Exit status 1 if something could not.

    Example: `mien embed MY_VIDEOS --model runs/mine/model --out embeddings.parquet`
    """
    with errors():
        from mien.inference import Mien
        from mien.moment_table import write_moments
        from mien.whole_file import require_writable

        require_writable(out)
        loaded = Mien.from_pretrained(model, precision=precision, backend=backend)
        with progress() as bars:
            task = bars.add_task("embed", total=None, note="", visible=False)
            written = write_moments(
                out,
                loaded,
                paths,
                window_s=window,
                cropped=cropped,
                on_file=lambda name, done, total: bars.update(
                    task, completed=done, total=total, note=escape(name), visible=True
                ),
            )
        if written.num_moments:
            say(f"{counted(written.num_moments, 'moment')} of {counted(written.num_videos, 'file')} in {out}")
        else:
            say(f"nothing could be embedded; {out} is not written")
        show_cut_off(written.cut_off)
        show_failures(written.failed)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A checkpoint file, or a Hugging Face CLIP folder.")],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
    quick_gelu: Annotated[
        bool, typer.Option(help="OpenAI's activation; Hugging Face folders say it themselves.")
    ] = False,
    vision_heads: Annotated[
        int | None, typer.Option(help="Image tower's heads; one per 64 channels by default.")
    ] = None,
    text_heads: Annotated[int | None, typer.Option(help="Text tower's heads; one per 64 channels by default.")] = None,
    temporal_heads: Annotated[int, typer.Option(help="Temporal encoder's heads.")] = 8,
    weights_license: Annotated[str, typer.Option(help="On what terms the weights may be used.")] = "unknown",
) -> None:
    """Convert foreign weights: the released EmotionCLIP, OpenCLIP state dicts, Hugging Face CLIP folders.

    Example: `mien convert emotionclip_latest.pt models/emotionclip`
    """
    with errors():
        from mien.convert import convert

        report = convert(
            source,
            out,
            quick_gelu=quick_gelu,
            vision_heads=vision_heads,
            text_heads=text_heads,
            temporal_heads=temporal_heads,
            weights_license=weights_license,
        )
        say(report.summary())


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
