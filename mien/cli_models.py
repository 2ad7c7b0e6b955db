"""`mien to-onnx` and `mien push`: a trained model as others run it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.terminal import console, errors, say

ModelArgument = Annotated[str, typer.Argument(help="Model folder, hf:ID of one on the hub, or face.")]


def to_onnx(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights of the transformers in 8-bit integers: smaller, and faster.")
    ] = False,
) -> None:
    """Write a model as ONNX graphs, with its tokenizer, for onnxruntime on the CPU. Needs pip install 'mien[onnx]'.

    Every verb that only embeds takes the folder as --model, and runs it by onnxruntime.

    Example: `mien to-onnx face --out models/face-onnx`, then
    `mien classify photo.jpg --faces --model models/face-onnx`
    """
    with errors():
        from mien.onnx_export import export_onnx
        from mien.whole_file import require_writable

        require_writable(out)
        with console.status("reading the model") as status:
            export_onnx(
                model,
                out,
                precision="int8" if int8 else "float32",
                on_graph=lambda graph: status.update(f"writing {graph}"),
            )
        num_bytes = sum(file.stat().st_size for file in out.iterdir())
        say(f"{out}: {', '.join(sorted(file.name for file in out.glob('*.onnx')))}; {num_bytes / 1e6:.1f} MB in all")


def push(
    model: ModelArgument,
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face hub.")],
    public: Annotated[bool, typer.Option("--public", help="For everybody to see; otherwise private.")] = False,
    results: Annotated[
        list[Path] | None, typer.Option(help="JSON that `mien evaluate --out` wrote, for the card; repeatable.")
    ] = None,
) -> None:
    """Upload a model folder to the Hugging Face hub, with its card; `--model hf:OWNER/NAME` finds it from then on.

    Wants a token: `hf auth login`, or HF_TOKEN. A repository that is there stays as private or public as it is.

    Example: `mien push runs/mine/model me/my-emotions --results results/mine.json`
    """
    with errors():
        from mien.eval.results import EvalResult
        from mien.hub import push_model

        measured = [row for path in results or [] for row in EvalResult.load(path).measured()]
        with console.status(f"uploading {model} to {repository}"):
            address = push_model(model, repository, private=not public, measured=measured)
        say(f"{model} is on the hub: {address}")
