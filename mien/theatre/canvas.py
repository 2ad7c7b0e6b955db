"""A canvas: anti-aliased flat shapes in world coordinates, drawn into an RGB image through a camera.

Points are complex numbers (x to the right, y downwards), so that moving is `+`, turning and scaling `*`.
One unit of the world is the height of an adult's head.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

Colour = tuple[float, float, float]
Points = np.ndarray  # complex128, one number a point

_SHIFT = 4  # sub-pixel positions in sixteenths of a pixel
_CIRCLE = np.exp(2j * np.pi * np.arange(28) / 28)
_HALF_CIRCLE = np.exp(1j * np.pi * np.linspace(-0.5, 0.5, 8))
_SPLINE_STEPS = np.linspace(0.0, 1.0, 7)[:, None]


class Canvas:
    """Draws world shapes into `image`; `gain` is pixels a unit, `origin` the pixel of the world's (0, 0)."""

    def __init__(self, image: np.ndarray, *, gain: float, origin: complex) -> None:
        self.image = image
        self.gain = gain
        self.origin = origin
        self._fine_gain = gain * (1 << _SHIFT)
        self._fine_origin = origin * (1 << _SHIFT)
        self._touched: list[np.ndarray] = []

    def polygon(self, points: Points, colour: Colour) -> None:
        """A filled polygon of any form."""
        cv2.fillPoly(self.image, [self._pixels(points)], colour, cv2.LINE_AA, _SHIFT)

    def convex(self, points: Points, colour: Colour) -> None:
        """A filled convex polygon (faster)."""
        cv2.fillConvexPoly(self.image, self._pixels(points), colour, cv2.LINE_AA, _SHIFT)

    def ellipse(self, centre: complex, rx: float, ry: float, colour: Colour, *, turn: complex = 1) -> None:
        """A filled ellipse with half axes `rx`, `ry`, turned by the unit number `turn`."""
        self.convex(centre + (rx * _CIRCLE.real + 1j * ry * _CIRCLE.imag) * turn, colour)

    def limb(self, a: complex, b: complex, ra: float, rb: float, colour: Colour) -> None:
        """A round-ended limb from `a` (half width `ra`) to `b` (half width `rb`)."""
        along = b - a
        length = abs(along)
        unit = along / length if length > 1e-6 else 1 + 0j
        self.convex(np.concatenate((b + _HALF_CIRCLE * (unit * rb), a - _HALF_CIRCLE * (unit * ra))), colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """A filled upright rectangle."""
        self.convex(np.array([x0 + y0 * 1j, x1 + y0 * 1j, x1 + y1 * 1j, x0 + y1 * 1j]), colour)

    def stroke(self, points: Points, width: float, colour: Colour) -> None:
        """An open line of the given width through `points`, at least one pixel wide."""
        pixels = max(1, round(width * self.gain))
        cv2.polylines(self.image, [self._pixels(points)], False, colour, pixels, cv2.LINE_AA, _SHIFT)

    def take_box(self) -> tuple[float, float, float, float] | None:
        """The pixels `x0 y0 x1 y1` around all that was drawn since the last call; None if nothing was."""
        if not self._touched:
            return None
        points = np.concatenate(self._touched)
        self._touched.clear()
        x0, y0 = (points.min(axis=0) / (1 << _SHIFT)).tolist()
        x1, y1 = (points.max(axis=0) / (1 << _SHIFT)).tolist()
        return x0, y0, x1, y1

    def _pixels(self, points: Points) -> np.ndarray:
        fine = points * self._fine_gain + self._fine_origin
        pixels: np.ndarray = fine.view(np.float64).reshape(-1, 2).astype(np.int32)
        self._touched.append(pixels)
        return pixels


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`share` of `b` in `a`."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above 1)."""
    if factor <= 1:
        return mix((0, 0, 0), colour, factor)
    return mix(colour, (255, 255, 255), factor - 1)


def smooth(points: Sequence[complex] | Points) -> Points:
    """A closed Catmull-Rom curve through `points`, as a polygon."""
    p = np.asarray(points, dtype=np.complex128)
    before, after, beyond = np.roll(p, 1), np.roll(p, -1), np.roll(p, -2)
    t = _SPLINE_STEPS[:-1]
    curve = 0.5 * (
        2 * p
        + (after - before) * t
        + (2 * before - 5 * p + 4 * after - beyond) * t**2
        + (3 * p - before - 3 * after + beyond) * t**3
    )
    return np.ascontiguousarray(curve.T).reshape(-1)
