"""RandAugment (Cubuk et al., 2020): a few random operations on a picture, all of one strength.

The fourteen published operations. Those that move pixels are told as one affine matrix, so that boxes can move along;
those that change colours are applied one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

STRONGEST = 30.0
"""The published scale of strengths."""
MOVES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
SHEAR, TRANSLATE, ROTATE, BLEND = 0.3, 150 / 331, 30.0, 0.9
"""What the strongest do: as a slope, a share of the side, in degrees, and as a share of the change of a colour."""

Rgb = UInt8[np.ndarray, "h w 3"]
Operation = tuple[str, float]
"""A name, and how strong: signed where the operation has two directions, from 0 to 1."""


def draw_operations(rng: np.random.Generator, *, count: int, strength: float) -> tuple[Operation, ...]:
    """`count` of the published operations, each with the published chance. strength: from 0 to STRONGEST."""
    names = ("identity", *MOVES, *COLOURS)
    chosen = (names[int(rng.integers(len(names)))] for _ in range(count))
    return tuple((name, float(rng.choice([-1, 1])) * strength / STRONGEST) for name in chosen)


def matrix_of(operations: Sequence[Operation], *, size: int) -> Float[np.ndarray, "3 3"]:
    """What the moves among them do to pixels counted from their middles, about the centre of `size` × `size`."""
    total, centre = np.eye(3), (size - 1) / 2
    to_centre, back = np.eye(3), np.eye(3)
    to_centre[:2, 2], back[:2, 2] = -centre, centre
    for name, value in operations:
        move = np.eye(3)
        angle = math.radians(ROTATE * value)
        match name:
            case "shear_x":
                move[0, 1] = SHEAR * value
            case "shear_y":
                move[1, 0] = SHEAR * value
            case "translate_x":
                move[0, 2] = TRANSLATE * value * size
            case "translate_y":
                move[1, 2] = TRANSLATE * value * size
            case "rotate":
                move[:2, :2] = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        total = back @ move @ to_centre @ total
    return total


def recolour(rgb: Rgb, operations: Sequence[Operation]) -> Rgb:
    """The picture after the operations on colours among them."""
    for name, value in operations:
        if name in COLOURS:
            rgb = COLOURS[name](rgb, value)
    return rgb


def _blended(rgb: Rgb, plain: np.ndarray, value: float) -> Rgb:
    """Away from `plain` where `value` is positive, towards it where it is negative."""
    blend = plain + (1 + BLEND * value) * (rgb.astype(np.float32) - plain)
    return np.clip(blend, 0, 255).round().astype(np.uint8)


def _grey(rgb: Rgb) -> UInt8[np.ndarray, "h w"]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


def _brightness(rgb: Rgb, value: float) -> Rgb:
    return _blended(rgb, np.zeros(1, np.float32), value)


def _color(rgb: Rgb, value: float) -> Rgb:
    return _blended(rgb, _grey(rgb)[..., None].astype(np.float32), value)


def _contrast(rgb: Rgb, value: float) -> Rgb:
    return _blended(rgb, np.full(1, _grey(rgb).mean(), np.float32), value)


def _sharpness(rgb: Rgb, value: float) -> Rgb:
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
    return _blended(rgb, cv2.filter2D(rgb.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REPLICATE), value)


def _posterize(rgb: Rgb, value: float) -> Rgb:
    """Fewer bits a colour: 8 to 4."""
    dropped = round(4 * abs(value))
    return (rgb >> dropped) << dropped


def _solarize(rgb: Rgb, value: float) -> Rgb:
    """Colours from a threshold on, which falls from 255 to 0, are inverted."""
    return np.where(rgb >= 255 * (1 - abs(value)), 255 - rgb, rgb)


def _autocontrast(rgb: Rgb, value: float) -> Rgb:
    low, high = rgb.min(axis=(0, 1)).astype(np.float32), rgb.max(axis=(0, 1)).astype(np.float32)
    stretched = (rgb - low) * (255 / np.maximum(high - low, 1))
    return np.where(high > low, stretched.round(), rgb).astype(np.uint8)


def _equalize(rgb: Rgb, value: float) -> Rgb:
    return cv2.merge([cv2.equalizeHist(np.ascontiguousarray(channel)) for channel in cv2.split(rgb)])


COLOURS: dict[str, Callable[[Rgb, float], Rgb]] = {
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
