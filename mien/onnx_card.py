"""What the README of a folder of ONNX graphs says of them, for those who run them without mien."""

from __future__ import annotations

import math

from mien.media.transforms import NORMALIZATION
from mien.model_folder import FRAMES, TEMPORAL, TEXT, TOKENIZER, Graphs, ModelFolder
from mien.models.video_clip import VideoClipConfig


def about_graphs(config: ModelFolder) -> str:
    """What stands in the folder's README of the graphs, for those who run them without mien."""
    architecture, preprocess = config.architecture, config.preprocess
    size, grid, embed_dim = preprocess.image_size, architecture.vision.grid, architecture.embed_dim
    rows = [f"| `{FRAMES}` | `frames` float32 [n, 3, {size}, {size}]{_of_coverage(config)} | pictures |"]
    rows.append(
        f"| `{TEMPORAL}` | `frames` float32 [b, t, {embed_dim}]: embeddings of t frames{_most(config)} | clips |"
    )
    if architecture.text is not None:
        most = architecture.text.context_length
        rows.append(f"| `{TEXT}` | `token_ids` int64 [b, l], l up to {most}, of `{TOKENIZER}` | texts |")
    weights = "weights of the transformers in 8-bit integers" if _graphs_of(config).precision == "int8" else "float32"
    covers = f" `coverage` is the share of each of the {grid} × {grid} patches that the subject covers, 0 to 1."
    grey = " made grey (all three 0.299 r + 0.587 g + 0.114 b)," if preprocess.grayscale else ""
    mean, deviation = NORMALIZATION[preprocess.normalization]
    tokens = f"Token ids begin and end as `{TOKENIZER}` has it. " if architecture.text is not None else ""
    return f"""## As ONNX graphs
Written by `mien to-onnx` for onnxruntime, {weights}. Each graph gives `embeddings`, float32 […, {embed_dim}], not
normalised; a probability is the softmax over labels of {_factor(config):.2f} times the cosine of picture and text.

| file | inputs | embeddings of |
|---|---|---|
{chr(10).join(rows)}

Pixels are RGB from 0 to 1,{grey} less {mean}, divided by {deviation}.{covers if looks_at_subject(architecture) else ""}
{tokens}`Mien.from_pretrained` opens this folder like any other.
"""


def _graphs_of(config: ModelFolder) -> Graphs:
    assert config.graphs is not None
    return config.graphs


def _factor(config: ModelFolder) -> float:
    return math.exp(_graphs_of(config).logit_scale)


def _of_coverage(config: ModelFolder) -> str:
    grid = config.architecture.vision.grid
    return f", `coverage` float32 [n, {grid}, {grid}]" if looks_at_subject(config.architecture) else ""


def _most(config: ModelFolder) -> str:
    temporal = config.architecture.temporal
    return {"transformer": f", up to {temporal.num_frames}", "conv1d": ", 3 or more", "mean": ""}[temporal.kind]


def looks_at_subject(config: VideoClipConfig) -> bool:
    """Whether the graph of frames has the input `coverage`."""
    return config.subject != "vanilla"
