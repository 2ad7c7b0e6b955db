"""ONNX graphs in 8-bit integers: what the transformers multiply by, for the CPU; a quarter of the bytes.

Weights keep one scale an output channel, as `mien.models.int8` has them. Activations get one scale a tensor, which
onnxruntime takes from the tensor itself, so nothing is calibrated. What else there is, convolutions, norms, attention
itself and the projections, stays float32.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from mien.types import MienError

NAME_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where torch writes down which module a node of the graph was made of."""
OF_BLOCKS = ".blocks."


def quantize_graph(source: Path, target: Path) -> None:
    """Writes the graph `source`, which `mien.onnx_export` wrote in float32, as `target` in 8-bit integers."""
    layers = linear_layers(onnx.load(source))
    if not layers:
        raise MienError(f"{source} has no linear layers of a transformer; nothing in it can be quantised")
    with _quiet():
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=layers,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def linear_layers(model: onnx.ModelProto) -> list[str]:
    """The names of the nodes that multiply by the weights of a transformer's block."""
    weights = {initializer.name for initializer in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights and OF_BLOCKS in _module_of(node)
    ]


def _module_of(node: onnx.NodeProto) -> str:
    return next((prop.value for prop in node.metadata_props if prop.key == NAME_SCOPES), "")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without onnxruntime's advice to fold and fuse the graph before, which it does when it opens the file."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
