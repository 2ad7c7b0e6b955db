"""`mien finetune`: a model trained on a benchmark's labels, and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.terminal import console, errors, say, show_epoch, show_skipped, show_tuned

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
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare the release, and read clips.")] = 2,
) -> None:
    """Train a model and a linear head on a benchmark's labels, and score them.

    The same command again goes on from the latest checkpoint. Ctrl-C writes one first. OUT/result.json is what
    `mien evaluate --table OUT` reads; a task's model lies in OUT/TASK/model, its head in OUT/TASK/head.safetensors.

    Example: `mien finetune ferplus --model models/emotionclip --root DATA --out runs/ferplus epochs=10 choose_on=val`
    """
    with errors():
        from mien.eval.comparison import compare
        from mien.eval.comparison_formats import show
        from mien.evaluate import evaluate_model
        from mien.train.trainer import Interrupted

        try:
            with console.status(f"fine-tuning {model} on {benchmark}"):
                result = evaluate_model(
                    benchmark,
                    model=model,
                    root=root,
                    store=store,
                    protocol=protocol,
                    split=split,
                    out=out / RESULT,
                    workers=workers,
                    run=out,
                    overrides=overrides or (),
                    on_epoch=show_epoch,
                )
        except Interrupted as stopped:
            say(f"[yellow]{stopped}[/yellow]")
            raise typer.Exit(130) from None
        show(compare([(out.name, result)]), form="terminal")
        show_skipped(result.skipped, used=result.num_used)
        show_tuned(result.tasks)
        for task in result.tasks:
            say(f"model in {out / task.name / 'model'}, its head beside it")
        say(f"result in {out / RESULT}")
