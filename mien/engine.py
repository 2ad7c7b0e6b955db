"""What computes a model's embeddings: `VideoClip` by torch, or `OnnxClip` by onnxruntime; and how either is opened."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mien.hub import load_model, load_tokenizer, read_card, read_config, resolve
from mien.model_folder import ModelFolder
from mien.models.bfloat16 import use_bfloat16
from mien.models.int8 import use_int8
from mien.onnx_clip import OnnxClip
from mien.onnx_export import export_onnx
from mien.text import Tokenizer
from mien.types import MienError

Backend = Literal["torch", "onnx"]
Precision = Literal["float32", "bfloat16", "int8"]


@runtime_checkable
class Engine(Protocol):
    """Embeds frames, clips and texts in one space. Pixels come normalised; embeddings leave un-normalised."""

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        """ln of the factor that cosines are multiplied by."""
        ...

    @property
    def temporal(self) -> Callable[[Float[Tensor, "b t e"]], Float[Tensor, "b e"]]:
        """Embeddings of clips from those of their frames."""
        ...

    def encode_frames(
        self, frames: Float[Tensor, "n 3 h w"], coverage: Float[Tensor, "n gh gw"]
    ) -> Float[Tensor, "n e"]: ...

    def encode_video(
        self, video: Float[Tensor, "b t 3 h w"], coverage: Float[Tensor, "b t gh gw"]
    ) -> Float[Tensor, "b e"]: ...

    def encode_text(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b e"]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A model folder with its engine; without a tokenizer or card where the folder has none."""

    engine: Engine
    config: ModelFolder
    tokenizer: Tokenizer | None
    card: str | None
    device: str | None


def open_engine(
    name: str | Path, *, backend: Backend | None, precision: Precision, device: str | None, threads: int | None
) -> Opened:
    """The model `name` and what computes it, as `Mien.from_pretrained` says."""
    if precision not in get_args(Precision):
        raise MienError(f"precision {precision!r} is none of {', '.join(get_args(Precision))}")
    if backend not in (None, *get_args(Backend)):
        raise MienError(f"backend {backend!r} is none of {', '.join(get_args(Backend))}")
    folder = resolve(name)
    graphs = read_config(folder).graphs
    if backend == "torch" and graphs is not None:
        raise MienError(f"{name} holds ONNX graphs; leave out backend torch, or take the model they were made of")
    if graphs is None and backend != "onnx":
        if threads is not None:
            raise MienError("threads goes with backend onnx; torch has torch.set_num_threads, and OMP_NUM_THREADS")
        return _open_torch(name, folder, precision=precision, device=device)
    if device not in (None, "cpu"):
        raise MienError(f"backend onnx is for the CPU, not for {device}; leave one of them out")
    if precision == "bfloat16":
        raise MienError("backend onnx computes in float32 or int8; bfloat16 is torch's, for GPUs")
    count = torch.get_num_threads() if threads is None else threads
    if graphs is not None:
        if precision == "int8" and graphs.precision != "int8":
            raise MienError(
                f"{name} holds graphs in {graphs.precision}; mien to-onnx MODEL --out FOLDER --int8 makes such"
            )
        return _open_onnx(folder, threads=count, card=read_card(folder))
    with tempfile.TemporaryDirectory() as aside:
        export_onnx(name, Path(aside) / "model", precision=precision)
        return _open_onnx(Path(aside) / "model", threads=count, card=read_card(folder))


def _require_device(device: str | None) -> None:
    """Raise MienError where torch cannot compute there."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # what torch raises of a device it was not built for
        cause = str(error).partition("\n")[0]
        raise MienError(f"nothing can be computed on device {device!r} here: {cause}") from None


def _open_torch(name: str | Path, folder: Path, *, precision: Precision, device: str | None) -> Opened:
    if precision == "int8" and device not in (None, "cpu"):
        raise MienError(f"precision int8 is for the CPU, not for {device}; leave one of them out")
    _require_device(device)
    model, config, tokenizer = load_model(name)
    if precision == "int8":
        device = "cpu"
        use_int8(model)
    elif precision == "bfloat16":
        use_bfloat16(model)
    return Opened(engine=model, config=config, tokenizer=tokenizer, card=read_card(folder), device=device)


def _open_onnx(folder: Path, *, threads: int, card: str | None) -> Opened:
    return Opened(
        engine=OnnxClip(folder, threads=threads),
        config=read_config(folder),
        tokenizer=load_tokenizer(folder),
        card=card,
        device="cpu",
    )
