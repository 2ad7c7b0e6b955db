"""A detector of persons from anyone's ONNX file, `onnx:PATH`.

What files are understood: mien/perception/onnx_layout.py.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from mien.file_digest import sha256_of
from mien.perception.detections import choose, highest_first, in_frame, without_doubles
from mien.perception.letterbox import Letterbox, fit_inside, stretch
from mien.perception.onnx_layout import STRIDES, Layout, find_layout, read_side_file, side_file_of
from mien.perception.onnx_session import open_session
from mien.types import Detections, MienError

FLOOR = 0.1  # scores below are noise
SAME_IOU = 0.6  # two boxes that overlap so much are one person
FILL = 114  # grey beside the frame in YOLOX's letterbox
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class OnnxDetector:
    """Finds persons with the file at `path`, of YOLOX's, DETR's or RT-DETR's layout.

    Raises MienError at once where the file is not of such a layout, with what was found in it.
    """

    finds: Literal["persons"] = "persons"

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        self.path = path
        self.threads = threads
        session = self._session
        self.layout = find_layout(session.get_inputs(), session.get_outputs(), read_side_file(path), path=path)
        if self.layout.picture_type not in DTYPES:
            raise MienError(f"{path} takes pictures as {self.layout.picture_type}; known are {', '.join(DTYPES)}")
        self.threshold = self.layout.threshold
        self.id = f"onnx:{path.name}@{_digest(path)}"

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """Persons in each frame, highest score first, down to a score of 0.1, in pixels of these frames."""
        return [self._detect(frame) for frame in frames]  # one by one: many exports have a fixed batch of one

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, (self.path, self.threads)

    @cached_property
    def _session(self) -> Any:
        return open_session(self.path, threads=self.threads)

    @cached_property
    def _is_decoded(self) -> bool:
        """Whether YOLOX's boxes are in pixels: those of a grey picture then lie all over it, else all near zero."""
        if self.layout.is_decoded is not None:
            return self.layout.is_decoded
        grey = np.full((self.layout.height, self.layout.width, 3), FILL, np.uint8)
        (out,) = self._run(grey, frame_height=self.layout.height, frame_width=self.layout.width)
        return bool(np.median(np.abs(out[0, :, :2])) > min(grey.shape[:2]) / 8)

    def _detect(self, frame: UInt8[np.ndarray, "h w 3"]) -> Detections:
        layout, (height, width) = self.layout, frame.shape[:2]
        sides = {"input_height": layout.height, "input_width": layout.width}
        if layout.is_letterbox:
            letterbox = fit_inside(frame_height=height, frame_width=width, **sides, fill=FILL)
        else:
            letterbox = stretch(frame_height=height, frame_width=width, **sides)
        out = self._run(letterbox.apply(frame), frame_height=height, frame_width=width)
        found = in_frame(self._read(out, letterbox), letterbox)
        return without_doubles(highest_first(found), same_iou=SAME_IOU)

    def _run(self, picture: UInt8[np.ndarray, "h w 3"], *, frame_height: int, frame_width: int) -> list[Any]:
        layout = self.layout
        feed: dict[str, Any] = {layout.picture: to_input(picture, layout)}
        if layout.frame_size is not None:
            feed[layout.frame_size] = np.array([[frame_width, frame_height]], np.int64)
        try:
            return self._session.run(list(layout.outputs), feed)
        except Exception as error:  # onnxruntime's errors have no common class that it exports
            raise MienError(f"{self.path} does not run on a {picture.shape} picture: {error}") from error

    def _read(self, out: list[Any], letterbox: Letterbox) -> Detections:
        layout = self.layout
        match layout.kind:
            case "yolox":
                return read_yolox(out[0][0], layout, is_decoded=self._is_decoded)
            case "detr":
                return read_detr(out[0][0], out[1][0], layout)
            case "boxes":
                found = read_boxes(out[0][0], out[1][0], out[2][0], layout)
        if layout.frame_size is None:
            return found
        back = np.array([letterbox.width / letterbox.frame_width, letterbox.height / letterbox.frame_height] * 2)
        return Detections(xyxy=(found.xyxy * back).astype(np.float32), score=found.score)


def _build(path: Path, threads: int) -> OnnxDetector:
    return OnnxDetector(path, threads=threads)


def to_input(picture: UInt8[np.ndarray, "h w 3"], layout: Layout) -> Shaped[np.ndarray, "1 a b c"]:
    """The picture in the channels, scale and type that the file takes."""
    channels = picture[..., ::-1] if layout.is_bgr else picture
    dtype = DTYPES[layout.picture_type]
    if dtype is not np.uint8:  # a file that takes bytes normalises itself
        scaled = channels.astype(np.float32) * np.float32(layout.scale)
        channels = (scaled - np.array(layout.mean, np.float32)) / np.array(layout.std, np.float32)
    ordered = channels.transpose(2, 0, 1) if layout.channels_first else channels
    return np.ascontiguousarray(ordered[None], dtype)


def read_yolox(rows: Float[np.ndarray, "a k"], layout: Layout, *, is_decoded: bool) -> Detections:
    """Persons among YOLOX's rows (x, y, width, height, score, classes), in pixels of the input.

    Ge et al., "YOLOX" (2021). Where they are not decoded, x and y count cells from the cell's corner, width and height
    are logs of cells. Raises MienError where there are not as many rows as cells.
    """
    rows = rows.astype(np.float32)
    middle, sides = rows[:, :2], rows[:, 2:4]
    if not is_decoded:
        corner, stride = _grid(layout.height, layout.width)
        if len(corner) != len(rows):
            raise MienError(
                f"YOLOX gave {len(rows)} rows for {layout.width} x {layout.height} pixels, whose grids of 8, 16 and 32 "
                f'have {len(corner)} cells; say the side of its input in the file beside it, e.g. {{"side": 416}}'
            )
        middle, sides = (middle + corner) * stride, np.exp(np.minimum(sides, 20)) * stride  # 20: no infinite boxes
    return _above(_corners(middle, sides), rows[:, 4] * rows[:, 5 + layout.person])


def read_detr(logits: Float[np.ndarray, "q c"], boxes: Float[np.ndarray, "q 4"], layout: Layout) -> Detections:
    """Persons among DETR's queries, in pixels of the input; boxes are middle and sides as shares of the picture."""
    score = person_score(logits.astype(np.float32), layout.person, is_softmax=layout.is_softmax)
    size = np.array([layout.width, layout.height], np.float32)
    return _above(_corners(boxes[:, :2].astype(np.float32) * size, boxes[:, 2:].astype(np.float32) * size), score)


def read_boxes(
    labels: Shaped[np.ndarray, "q"], boxes: Float[np.ndarray, "q 4"], scores: Float[np.ndarray, "q"], layout: Layout
) -> Detections:
    """Persons among finished boxes."""
    keep = labels == layout.person
    return _above(boxes[keep].astype(np.float32), scores[keep].astype(np.float32))


def person_score(logits: Float32[np.ndarray, "q c"], person: int, *, is_softmax: bool) -> Float32[np.ndarray, "q"]:
    """Each query's probability of being a person: its own sigmoid, or its part of a softmax over all classes and
    "nothing"."""
    if is_softmax:
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted[:, person] / shifted.sum(axis=1)
    return 1 / (1 + np.exp(-np.clip(logits[:, person], -60, 60)))  # 60: beyond, exp overflows and nothing changes


def _grid(height: int, width: int) -> tuple[Float32[np.ndarray, "a 2"], Float32[np.ndarray, "a 1"]]:
    """Each cell's corner in cells, x and y, row by row and grid by grid, and its size in pixels."""
    corners, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        corners.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _corners(middle: Float32[np.ndarray, "n 2"], sides: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 4"]:
    return np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)


def _above(xyxy: Float32[np.ndarray, "n 4"], score: Float32[np.ndarray, "n"]) -> Detections:
    return choose(Detections(xyxy=xyxy, score=score), np.flatnonzero(score >= FLOOR))


def _digest(path: Path) -> str:
    """Of the weights and of what the side file says of them."""
    side = side_file_of(path)
    return sha256_of([path, side] if side.is_file() else [path])[:12]
