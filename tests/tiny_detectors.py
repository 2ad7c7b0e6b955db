"""Detectors in other people's formats that find the one white rectangle of a dark picture, by arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64
STRIDES = (8, 16, 32)
CELLS = sum((SIDE // s) ** 2 for s in STRIDES)
DIM = 0.5  # of full white


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(kind, names, [f"t{len(self.nodes)}"], **attributes))
        return str(self.nodes[-1].output[0])

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return str(self.constants[-1].name)

    def name(self, value: str, name: str) -> str:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def save(self, path: Path, inputs: list[Any], outputs: dict[str, tuple[int, list[Any]]]) -> Path:
        made = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()]
        graph = helper.make_graph(self.nodes, "tiny", inputs, made, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return path


def _picture(kind: int = TensorProto.FLOAT, side: Any = SIDE) -> Any:
    return helper.make_tensor_value_info("images", kind, [1, 3, side, side])


def _corners(graph: _Graph, *, full: float, side: int = SIDE) -> tuple[list[str], str]:
    """x0, y0, x1, y1 of what is brighter than half of `full`, each of shape (1,), and whether there is any, (1,)."""
    grey = graph.op("ReduceMean", "images", axes=[1], keepdims=0)  # 1 h w
    lit = graph.op("Cast", graph.op("Greater", grey, np.float32(DIM * full)), to=TensorProto.FLOAT)
    ends = {}
    count = np.arange(side, dtype=np.float32)
    for axis, across in (("x", 1), ("y", 2)):
        line = graph.op("ReduceMax", lit, axes=[across], keepdims=0)  # 1 side
        ends[f"{axis}1"] = graph.op("ReduceMax", graph.op("Mul", line, count + 1), axes=[1], keepdims=0)
        from_end = graph.op("ReduceMax", graph.op("Mul", line, side - count), axes=[1], keepdims=0)
        ends[f"{axis}0"] = graph.op("Sub", np.float32(side), from_end)
    seen = graph.op("ReduceMax", lit, axes=[1, 2], keepdims=0)
    return [ends["x0"], ends["y0"], ends["x1"], ends["y1"]], seen


def _middle_and_sides(graph: _Graph, corners: list[str]) -> list[str]:
    x0, y0, x1, y1 = corners
    middle = [graph.op("Mul", graph.op("Add", a, b), np.float32(0.5)) for a, b in ((x0, x1), (y0, y1))]
    return [*middle, graph.op("Sub", x1, x0), graph.op("Sub", y1, y0)]


def save_yolox(path: Path, *, decoded: bool, num_classes: int = 80, has_open_rows: bool = False) -> Path:
    """One output (1, cells, 5 + classes): cell 0 tells of the rectangle, cell 1 of the last class.

    With `has_open_rows` the file does not tell the number of cells.
    """
    graph = _Graph()
    corners, seen = _corners(graph, full=255.0)
    box = _middle_and_sides(graph, corners)
    if not decoded:  # cell 0 is at the corner of the grid of 8 pixels
        eighths = [graph.op("Div", b, np.float32(STRIDES[0])) for b in box]
        box = [*eighths[:2], *(graph.op("Log", graph.op("Max", b, np.float32(1e-3))) for b in eighths[2:])]
    score = graph.op("Mul", seen, np.float32(0.9))
    ones = np.ones(1, np.float32)
    first = graph.op("Concat", *box, score, ones, *[np.zeros(1, np.float32)] * (num_classes - 1), axis=0)
    rest = np.zeros((1, CELLS - 1, 5 + num_classes), np.float32)
    if decoded:
        rest[0, :, :4] = _grid()[1:]
    rest[0, 0, 4], rest[0, 0, 5 + num_classes - 1] = 0.95, float(num_classes > 1)
    whole = graph.op("Concat", graph.op("Reshape", first, np.array([1, 1, -1])), rest, axis=1)
    rows: Any = CELLS
    if has_open_rows:  # cut at an end that is known only when it is run
        rows, nothing = "rows", graph.op("Mul", seen, np.float32(0))
        end = graph.op("Cast", graph.op("Add", nothing, np.float32(CELLS)), to=TensorProto.INT64)
        whole = graph.op("Slice", whole, np.array([0]), end, np.array([1]))
    graph.name(whole, "output")
    return graph.save(path, [_picture()], {"output": (TensorProto.FLOAT, [1, rows, 5 + num_classes])})


def save_detr(path: Path, *, num_classes: int = 80, person: int = 0, side: Any = SIDE) -> Path:
    """Logits (1, 3, classes) and boxes (1, 3, 4): query 1 tells of the rectangle, query 2 of another class."""
    graph = _Graph()
    corners, seen = _corners(graph, full=1.0)
    shares = [graph.op("Div", b, np.float32(SIDE)) for b in _middle_and_sides(graph, corners)]
    box = graph.op("Reshape", graph.op("Concat", *shares, axis=0), np.array([1, 1, 4]))
    half = np.full((1, 1, 4), 0.5, np.float32)
    graph.name(graph.op("Concat", half, box, half, axis=1), "pred_boxes")
    logits = np.full((1, 3, num_classes), -12.0, np.float32)
    logits[0, 2, (person + 1) % num_classes] = 9.0 if num_classes > 1 else -12.0
    lift = np.zeros((1, 3, num_classes), np.float32)
    lift[0, 1, person] = 16.0
    raised = graph.op("Add", logits, graph.op("Mul", graph.op("Reshape", seen, np.array([1, 1, 1])), lift))
    graph.name(raised, "logits")
    kinds = {"logits": (TensorProto.FLOAT, [1, 3, num_classes]), "pred_boxes": (TensorProto.FLOAT, [1, 3, 4])}
    return graph.save(path, [_picture(side=side)], kinds)


def save_boxes(path: Path, *, takes_size: bool) -> Path:
    """Labels, boxes, scores, as RT-DETR's own export has them; in pixels of the frame if its size is an input."""
    graph = _Graph()
    corners, seen = _corners(graph, full=1.0)
    box = graph.op("Reshape", graph.op("Concat", *corners, axis=0), np.array([1, 1, 4]))
    inputs = [_picture()]
    if takes_size:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
        size = graph.op("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
        twice = graph.op("Reshape", graph.op("Concat", size, size, axis=1), np.array([1, 1, 4]))
        box = graph.op("Div", graph.op("Mul", box, twice), np.float32(SIDE))
    other = np.array([[[0, 0, 9, 9]]], np.float32)
    graph.name(graph.op("Concat", other, box, axis=1), "boxes")
    score = graph.op("Reshape", graph.op("Mul", seen, np.float32(0.8)), np.array([1, 1]))
    graph.name(graph.op("Concat", np.array([[0.9]], np.float32), score, axis=1), "scores")
    graph.name(graph.constant(np.array([[7, 0]], np.int64)), "labels")
    kinds = {
        "scores": (TensorProto.FLOAT, [1, 2]),
        "labels": (TensorProto.INT64, [1, 2]),
        "boxes": (TensorProto.FLOAT, [1, 2, 4]),
    }
    return graph.save(path, inputs, kinds)


def save_unknown(path: Path) -> Path:
    """A classifier: one output (1, 10)."""
    graph = _Graph()
    mean = graph.op("ReduceMean", "images", axes=[1, 2, 3], keepdims=0)
    graph.name(graph.op("Mul", graph.op("Reshape", mean, np.array([1, 1])), np.ones((1, 10), np.float32)), "classes")
    return graph.save(path, [_picture()], {"classes": (TensorProto.FLOAT, [1, 10])})


def save_yolos(folder: Path) -> Path:
    """A YOLOS of random weights in transformers' format; softmax over classes and nothing, shortest edge resized."""
    from transformers import YolosConfig, YolosForObjectDetection
    from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

    labels = {0: "N/A", 1: "person", 2: "car"}
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=[64, 96],
        patch_size=16, num_detection_tokens=5, id2label=labels, label2id={v: k for k, v in labels.items()},
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(folder)
    YolosImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 100}).save_pretrained(folder)
    return folder


def save_rt_detr(folder: Path) -> Path:
    """An RT-DETR of random weights in transformers' format; sigmoid, pictures stretched to a square."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    labels = {0: "person", 1: "car"}
    config = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8, 8, 8], encoder_layers=1,
        encoder_ffn_dim=16, encoder_attention_heads=2, d_model=16, num_queries=6, decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16, decoder_layers=1, decoder_attention_heads=2, num_denoising=0, id2label=labels,
        label2id={v: k for k, v in labels.items()},
    )  # fmt: skip
    RTDetrForObjectDetection(config).save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def _grid() -> np.ndarray:
    """Each cell's middle, and a box of its size."""
    rows = []
    for stride in STRIDES:
        y, x = np.mgrid[: SIDE // stride, : SIDE // stride]
        middle = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride
        rows.append(np.concatenate([middle, np.full_like(middle, stride)], axis=1))
    return np.concatenate(rows)
