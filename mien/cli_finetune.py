"""`mien finetune`: a model trained on a benchmark's labels, and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mien.terminal import console, errors, output, say, show_epoch, show_skipped, show_tuned

RESULT = "result.json"


def finetune(
    benchmark: Annotated[str, typer.Argument(help="Its name; see `mien data list`.")],
    model: Annotated[str, typer.Option(help="Model folder to start from, or hf:ID of one on the hub.")],
    root: Annotated[Path, typer.Option(help="The benchmark's release, as you received it.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder, to make or to go on with.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, say epochs=10 choose_on=val")] = None,
    store: Annotated[
        Path | None, typer.Option(help="What was prepared of ROOT; stores/BENCHMARK by default, made if need be.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="One that fine-tunes; the settings are those of its tasks.")] = (
        "finetune"
    ),
    split: Annotated[str | None, typer.Option(help="The split to score on; the protocol's by default.")] = None,
    splits: Annotated[Path | None, typer.Option(help="A file of splits that `mien data splits` drew.")] = None,
    fractions: Annotated[
        str | None, typer.Option(help="A series: shares of the training labels, say 0.01,0.1,1; runs of each.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="A series: runs of each share, seeds 0, 1, …")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare the release, and read clips.")] = 2,
) -> None:
    """Train a model and a linear head on a benchmark's labels, and score them.

    The same command again goes on from the latest checkpoint. Ctrl-C writes one first. OUT/result.json is what
    `mien evaluate --table OUT` reads; a task's model lies in OUT/TASK/model, its head in OUT/TASK/head.safetensors.

    With --fractions or --seeds, a series of runs, one folder each: their table, mean ± standard error, is in
    OUT/label_efficiency.html (and .json, .png).

    Example: `mien finetune ferplus --model models/emotionclip --root DATA --out runs/ferplus epochs=10 choose_on=val`
    """
    with errors():
        from mien.evaluate import evaluate_model
        from mien.label_efficiency import fine_tune_series, shares_of
        from mien.train.trainer import Interrupted

        try:
            with console.status(f"fine-tuning {model} on {benchmark}"):
                if fractions is None and seeds is None:
                    result = evaluate_model(
                        benchmark,
                        model=model,
                        root=root,
                        store=store,
                        protocol=protocol,
                        split=split,
                        splits=splits,
                        out=out / RESULT,
                        workers=workers,
                        run=out,
                        overrides=overrides or (),
                        on_epoch=show_epoch,
                    )
                else:
                    series = fine_tune_series(
                        benchmark,
                        model=model,
                        root=root,
                        out=out,
                        fractions=shares_of(fractions or "1"),
                        num_seeds=seeds or 1,
                        store=store,
                        protocol=protocol,
                        split=split,
                        splits=splits,
                        workers=workers,
                        overrides=overrides or (),
                        on_run=_say_run,
                        on_epoch=show_epoch,
                    )
        except Interrupted as stopped:
            say(f"[yellow]{stopped}[/yellow]")
            raise typer.Exit(130) from None
        if fractions is None and seeds is None:
            _show_result(result, out)
        else:
            _show_series(series, out)


def _show_result(result: Any, out: Path) -> None:
    from mien.eval.comparison import compare
    from mien.eval.comparison_formats import show

    show(compare([(out.name, result)]), form="terminal")
    show_skipped(result.skipped, used=result.num_used)
    show_tuned(result.tasks)
    for task in result.tasks:
        say(f"model in {out / task.name / 'model'}, its head beside it")
    say(f"result in {out / RESULT}")


def _say_run(fraction: float, seed: int, is_there: bool) -> None:
    say(f"share {fraction:g}, seed {seed}" + (": there already" if is_there else ""), style="bold")


def _show_series(series: Any, out: Path) -> None:
    from mien.eval.efficiency_page import to_rich
    from mien.label_efficiency import CHART, PAGE

    for task in series.tasks:
        output.print(f"[bold]{series.benchmark}, {series.split}: {task.name}[/]")
        output.print(to_rich(task))
    if len(series.seeds) > 1:
        say(f"  ±: standard error over {len(series.seeds)} seeds; the test samples are the same in all", style="dim")
    say(f"table and chart in {out / PAGE}, the chart alone in {out / CHART}")
