"""The square around a face that face models are fed: the same margin in training and in use.

FER2013's pictures, on which the shipped face model is trained, were cut by another detector. `bench/face_crop.py` finds
with CenterFace what of such a picture the face takes; cutting so from a whole picture gives what the model knows.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

SIDE_PER_FACE = 1.1
"""The square's side, in longer sides of the detector's box: in FER2013 that is 0.91 of the picture (median)."""

RISE = 0.015
"""How far the square's middle lies above the box's, in sides of the square (median)."""


def face_square(xyxy: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 4"]:
    """Squares around the boxes of faces, x0 y0 x1 y1 in the boxes' pixels; they may leave the picture."""
    sides = xyxy[..., 2:] - xyxy[..., :2]
    side = SIDE_PER_FACE * sides.max(axis=-1, keepdims=True)  # *n 1
    middle = (xyxy[..., :2] + xyxy[..., 2:]) / 2 - np.concatenate([0 * side, RISE * side], axis=-1)
    return np.concatenate([middle - side / 2, middle + side / 2], axis=-1)


def cut_face(rgb: UInt8[np.ndarray, "h w 3"], xyxy: Float[np.ndarray, "4"], *, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The face in the box as a picture of `size` × `size`; what lies outside of `rgb` repeats its edge."""
    left, top, side = _whole_pixels(xyxy)
    rows = np.clip(np.arange(top, top + side), 0, rgb.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, rgb.shape[1] - 1)
    square = rgb[rows[:, None], columns]
    if side == size:
        return square
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)


def points_in_cut(
    points: Float[np.ndarray, "n 2"], xyxy: Float[np.ndarray, "4"], *, size: int
) -> Float[np.ndarray, "n 2"]:
    """Where points (x, y) of a picture are in what `cut_face` makes of the face in the box."""
    left, top, side = _whole_pixels(xyxy)
    return (points - np.array([left, top])) * (size / side)


def _whole_pixels(xyxy: Float[np.ndarray, "4"]) -> tuple[int, int, int]:
    """The square's left, top and side."""
    x0, y0, x1, _ = face_square(xyxy)
    return int(np.floor(x0)), int(np.floor(y0)), max(1, round(float(x1 - x0)))
