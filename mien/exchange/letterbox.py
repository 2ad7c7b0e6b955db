"""The letterbox that YOLOv7 puts pictures in, and the way back to the picture's own pixels.

The released EmotionCLIP pipeline stores boxes in pixels of the letterboxed picture and later only divides them by the
scale, so its masks are shifted by half the padding: up to 15 pixels of the letterboxed picture. Here the padding is
taken off first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

SIDE, STRIDE = 640, 32
"""What YOLOv7's detection script uses unless it is told otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterbox:
    """A picture of `source_width` x `source_height` scaled to `width` x `height`, `left` and `top` pixels into padding.

    `padded_width` x `padded_height` is the whole, padding included.
    """

    source_width: int
    source_height: int
    width: int
    height: int
    left: int
    top: int
    padded_width: int
    padded_height: int

    def to_source(self, xyxy: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
        """Boxes in pixels of the letterboxed picture as boxes in pixels of the picture, cut at its edges."""
        points = (xyxy.astype(np.float64) - self._offset) / self._scale
        edges = np.array([self.source_width, self.source_height] * 2)
        return np.clip(points, 0, edges).astype(np.float32)

    def from_source(self, xyxy: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
        """The way there."""
        return (xyxy.astype(np.float64) * self._scale + self._offset).astype(np.float32)

    @property
    def _offset(self) -> np.ndarray:
        return np.array([self.left, self.top] * 2, np.float64)

    @property
    def _scale(self) -> np.ndarray:
        return np.array([self.width / self.source_width, self.height / self.source_height] * 2)


def letterbox(*, source_width: int, source_height: int, side: int = SIDE, stride: int = STRIDE) -> Letterbox:
    """The letterbox of a picture: its long side made `side`, then padding all round up to multiples of `stride`.

    Scaled sides are rounded to whole pixels, so the two scales differ a little from `side / long side`. Where the
    padding is odd, the extra row or column is below or to the right. A source of 640x360: 12 rows above and below.
    """
    scale = min(side / source_width, side / source_height)
    width, height = max(1, round(source_width * scale)), max(1, round(source_height * scale))
    pad_x, pad_y = (side - width) % stride, (side - height) % stride
    return Letterbox(
        source_width=source_width,
        source_height=source_height,
        width=width,
        height=height,
        left=pad_x // 2,
        top=pad_y // 2,
        padded_width=width + pad_x,
        padded_height=height + pad_y,
    )
