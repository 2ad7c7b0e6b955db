"""A letterbox: how a frame lies in a network's input, and the way back from the input's pixels to the frame's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterbox:
    """A frame scaled to `width` x `height` in the upper left of an input, `fill` beside and below."""

    frame_width: int
    frame_height: int
    width: int
    height: int
    input_width: int
    input_height: int
    fill: int = 0

    def apply(self, frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "ih iw 3"]:
        """The network's input for this frame."""
        shrinks = self.width < self.frame_width
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        padded = np.full((self.input_height, self.input_width, 3), self.fill, np.uint8)
        padded[: self.height, : self.width] = cv2.resize(frame, (self.width, self.height), interpolation=way)
        return padded

    def to_frame(self, xyxy: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
        """Boxes in pixels of the input as boxes in pixels of the frame, cut at its edges."""
        points = self.points_to_frame(xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
        return np.clip(points, 0, np.array([self.frame_width, self.frame_height] * 2, np.float32))

    def points_to_frame(self, xy: Float32[np.ndarray, "n k 2"]) -> Float32[np.ndarray, "n k 2"]:
        """Points in pixels of the input as points in pixels of the frame, which they may leave."""
        return xy * np.array([self.frame_width / self.width, self.frame_height / self.height], np.float32)


def fit_inside(*, frame_height: int, frame_width: int, input_height: int, input_width: int, fill: int = 0) -> Letterbox:
    """The frame as large as it fits into an input of that size, with its own proportions."""
    scale = min(input_height / frame_height, input_width / frame_width)
    return Letterbox(
        frame_width=frame_width,
        frame_height=frame_height,
        width=min(max(1, round(frame_width * scale)), input_width),
        height=min(max(1, round(frame_height * scale)), input_height),
        input_width=input_width,
        input_height=input_height,
        fill=fill,
    )


def fit_long_side(*, frame_height: int, frame_width: int, long_side: int, multiple: int) -> Letterbox:
    """The frame scaled to that long side, in the smallest input around it whose sides are such multiples."""
    scale = long_side / max(frame_height, frame_width)
    width, height = max(1, round(frame_width * scale)), max(1, round(frame_height * scale))
    return Letterbox(
        frame_width=frame_width,
        frame_height=frame_height,
        width=width,
        height=height,
        input_width=-(-width // multiple) * multiple,
        input_height=-(-height // multiple) * multiple,
    )


def stretch(*, frame_height: int, frame_width: int, input_height: int, input_width: int) -> Letterbox:
    """The frame over the whole input, its proportions given up."""
    return Letterbox(
        frame_width=frame_width,
        frame_height=frame_height,
        width=input_width,
        height=input_height,
        input_width=input_width,
        input_height=input_height,
    )
