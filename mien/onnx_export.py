"""A model as ONNX graphs, which onnxruntime runs on a CPU without torch: `frames`, `temporal` and `text`.

A clip's embedding is `temporal` of its frames' embeddings, so that pictures and videos share one graph and its weights.
Inputs' first dimension is as large as one likes, and so are a clip's number of frames and a text's length up to what
the model has positions for.
"""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from mien.checkpoint import whole_folder
from mien.hub import load_model, read_card, require_replaceable, resolve, weights_hash
from mien.model_card import model_card
from mien.model_folder import (
    CARD,
    CONFIG,
    FRAMES,
    TEMPORAL,
    TEXT,
    TOKENIZER,
    WEIGHTS,
    GraphPrecision,
    Graphs,
    ModelFolder,
)
from mien.models.conv_stem import StandardizedConv2d
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.onnx_card import about_graphs, looks_at_subject
from mien.types import MienError

OPSET = 20
"""The first that has GELU as one operation."""
EXTRA = "writing ONNX graphs needs the libraries onnx and onnxscript: pip install 'mien[onnx]'"
LARGEST_BYTES = 2**31
"""Of an ONNX file: protobuf's limit."""

OnGraph = Callable[[str], None]
"""Told of a graph that is begun."""


def export_onnx(
    name: str | Path, out: Path, *, precision: GraphPrecision = "float32", on_graph: OnGraph = lambda graph: None
) -> ModelFolder:
    """Writes the model as graphs to the folder `out`, with its config, tokenizer and card; whole or not at all.

    precision: int8 writes the transformers' weights as 8-bit integers (see `mien.onnx_int8`). Returns what the folder's
    `config.json` says. Raises MienError where the libraries are missing, or `out` holds something else.
    """
    source, out = resolve(name), out.absolute()
    require_replaceable(out)
    if (out / WEIGHTS).exists():
        raise MienError(f"{out} holds a model's weights, which graphs would replace; name a new folder for them")
    model, config, tokenizer = load_model(name)
    graphs = Graphs(
        precision=precision, logit_scale=float(model.logit_scale.detach()), weights_hash=weights_hash(source)
    )
    config = config.model_copy(update={"graphs": graphs})
    with whole_folder(out) as folder:
        write_graphs(model, folder, precision=precision, on_graph=on_graph)
        (folder / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save(folder / TOKENIZER)
        count = sum(parameter.numel() for parameter in model.parameters())
        card = read_card(source) or model_card(config, num_parameters=count)
        (folder / CARD).write_text(card.rstrip() + "\n\n" + about_graphs(config), encoding="utf-8")
    return config


def write_graphs(
    model: VideoClip, folder: Path, *, precision: GraphPrecision = "float32", on_graph: OnGraph = lambda graph: None
) -> None:
    """Writes `frames.onnx`, `temporal.onnx` and, of a model that reads texts, `text.onnx` into the folder."""
    _require_libraries()
    from mien.onnx_int8 import quantize_graph

    model = with_plain_convolutions(model).eval().float().cpu()
    for file, graph in _graphs(model).items():
        on_graph(file)
        if precision == "float32" or file == TEMPORAL:
            _write(graph, folder / file)
            continue
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            _write(graph, Path(aside) / file)
            quantize_graph(Path(aside) / file, folder / file)


def with_plain_convolutions(model: VideoClip) -> VideoClip:
    """A copy that computes the same, the stem's weights standardised once and for all instead of in each call."""
    copied = copy.deepcopy(model)
    for owner in list(copied.modules()):
        for name, child in list(owner.named_children()):
            if isinstance(child, StandardizedConv2d):
                plain = nn.Conv2d(
                    child.in_channels, child.out_channels, child.kernel_size, child.stride, child.padding  # type: ignore[arg-type]
                )  # fmt: skip
                plain.weight = nn.Parameter(child.standardized().detach())
                plain.bias = child.bias
                setattr(owner, name, plain)
    return copied


# ── the graphs ───────────────────────────────────────────────────────────────────────────────────


class _Frames(nn.Module):
    def __init__(self, model: VideoClip) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Float[Tensor, "n 3 h w"], coverage: Float[Tensor, "n gh gw"]) -> Float[Tensor, "n e"]:
        return self.model.encode_frames(frames, coverage)


class _FramesAlone(nn.Module):
    """Of a model that does not look at the subject: what it is given for coverage makes no difference."""

    def __init__(self, model: VideoClip) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n e"]:
        grid = self.model.config.vision.grid
        return self.model.encode_frames(frames, frames.new_ones(frames.shape[0], grid, grid))


class _Temporal(nn.Module):
    def __init__(self, model: VideoClip) -> None:
        super().__init__()
        self.temporal = model.temporal

    def forward(self, frames: Float[Tensor, "b t e"]) -> Float[Tensor, "b e"]:
        return self.temporal(frames)


class _Text(nn.Module):
    def __init__(self, model: VideoClip) -> None:
        super().__init__()
        self.text = model.reader

    def forward(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b e"]:
        return self.text(token_ids)


@dataclass(frozen=True, slots=True)
class _Graph:
    """A module, an example of its inputs by name, and which of their dimensions vary."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    varies: Mapping[str, Mapping[int, Any]]


def _graphs(model: VideoClip) -> dict[str, _Graph]:
    config, many = model.config, torch.export.Dim("n")
    size, grid = config.vision.image_size, config.vision.grid
    frames: dict[str, Tensor] = {"frames": torch.zeros(2, 3, size, size)}
    looks = looks_at_subject(config)
    if looks:
        frames["coverage"] = torch.ones(2, grid, grid)
    graphs = {
        FRAMES: _Graph(_Frames(model) if looks else _FramesAlone(model), frames, {name: {0: many} for name in frames}),
        TEMPORAL: _Graph(
            _Temporal(model),
            {"frames": torch.zeros(2, _example_frames(config), config.embed_dim)},
            {"frames": {0: many, **_frame_dimension(config)}},
        ),
    }
    if config.text is not None:
        length = config.text.context_length
        of_length = {1: torch.export.Dim("l", max=length)} if length > 2 else {}
        graphs[TEXT] = _Graph(
            _Text(model), {"token_ids": torch.ones(2, length, dtype=torch.int64)}, {"token_ids": {0: many, **of_length}}
        )
    return graphs


def _example_frames(config: VideoClipConfig) -> int:
    return config.temporal.num_frames if config.temporal.kind == "transformer" else 4


def _frame_dimension(config: VideoClipConfig) -> dict[int, Any]:
    match config.temporal.kind:
        case "transformer":
            most = config.temporal.num_frames
            return {1: torch.export.Dim("t", max=most)} if most > 2 else {}
        case "conv1d":
            return {1: torch.export.Dim("t", min=3)}
        case "mean":
            return {1: torch.export.Dim("t")}


def _write(graph: _Graph, path: Path) -> None:
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            graph.module.eval(),
            tuple(graph.inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(graph.inputs),
            output_names=["embeddings"],
            dynamic_shapes=dict(graph.varies),
            verbose=False,
        )
    assert program is not None
    _save(program, path)


def _save(program: torch.onnx.ONNXProgram, path: Path) -> None:
    """Without what torch notes of each node, its lines of source and their paths, but for the module it is of."""
    import onnx

    from mien.onnx_int8 import NAME_SCOPES

    weights = (value.const_value for value in program.model.graph.initializers.values())
    num_bytes = sum(weight.nbytes for weight in weights if weight is not None)
    if num_bytes >= LARGEST_BYTES:
        raise MienError(
            f"{path.name} would have {num_bytes / 1e9:.1f} GB of weights; an ONNX file holds less than 2 GB"
        )
    proto = program.model_proto
    for node in proto.graph.node:
        kept = [prop for prop in node.metadata_props if prop.key == NAME_SCOPES]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(proto, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's warnings of its own parts, and of torchvision, which is not needed."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        registration.setLevel(level)


def _require_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise MienError(EXTRA) from None
