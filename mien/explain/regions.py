"""Regions of a face by its landmarks: eyes and brows, nose, mouth, and the rest, as masks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

REGIONS = ("eyes and brows", "nose", "mouth", "the rest")

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom around a middle, in units of the face: 1 is from the line of the eyes to that of the mouth,
or from eye to eye if that is more. Across is along the line of the eyes, so regions turn with the face."""

EYE: Rectangle = (-0.42, -0.5, 0.42, 0.25)  # around each eye; up to the brows
NOSE: Rectangle = (-0.3, -0.5, 0.3, 0.18)  # around its tip
MOUTH: Rectangle = (-0.28, -0.22, 0.28, 0.32)  # around each corner, and what lies between


def face_regions(landmarks: Float[np.ndarray, "5 2"], *, size: int) -> dict[str, Bool[np.ndarray, "s s"]]:
    """The regions of a face that was cut out as a picture of `size` × `size`; they share no pixel and cover all.

    landmarks: x, y in pixels of that picture, as Detections has them: eyes, tip of the nose, corners of the mouth. The
    rectangles are this project's, by eye on faces seen from the front; of faces in profile regions are rough.
    """
    left_eye, right_eye, nose, left_corner, right_corner = landmarks.astype(np.float64)
    across = right_eye - left_eye
    unit = max(np.hypot(*across), np.hypot(*((left_corner + right_corner) / 2 - (left_eye + right_eye) / 2)), 1.0)
    across = across / max(np.hypot(*across), 1e-6)  # a zero vector, of eyes in one place, stays one
    axes = np.stack([across, np.array([-across[1], across[0]])])  # along the eyes' line, and down
    rows, columns = np.mgrid[:size, :size] + 0.5  # middles of pixels
    pixels = np.stack([columns, rows], axis=-1)  # s s 2: x, y

    def around(first: np.ndarray, last: np.ndarray, rectangle: Rectangle) -> Bool[np.ndarray, "s s"]:
        """The rectangle around all points from the first to the last."""
        place = (pixels - (first + last) / 2) @ axes.T / unit
        reach = np.abs((last - first) / 2 @ axes.T) / unit
        low, high = np.array(rectangle[:2]) - reach, np.array(rectangle[2:]) + reach
        return ((place >= low) & (place < high)).all(axis=-1)

    mouth = around(left_corner, right_corner, MOUTH)
    eyes = around(left_eye, right_eye, EYE) & ~mouth
    of_nose = around(nose, nose, NOSE) & ~eyes & ~mouth
    return dict(zip(REGIONS, (eyes, of_nose, mouth, ~(eyes | of_nose | mouth)), strict=True))
