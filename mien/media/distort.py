"""Distortions: small changes to pictures that leave what they show as it is, so that little data teaches more.

They are drawn once a clip and are the same in all its frames, but for the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import Field
from torch import Tensor

from mien.config import Config
from mien.media.rand_augment import STRONGEST, Operation, draw_operations, matrix_of, recolour


class Distortions(Config):
    """How strong each may be; 0 is none."""

    rotation: float = Field(0.0, ge=0, le=180)
    """Degrees, either way."""
    zoom: float = Field(0.0, ge=0, lt=1)
    """0.2 makes things between 1/1.2 and 1.2 times as large."""
    shift: float = Field(0.0, ge=0, lt=1)
    """Of the side, each way."""
    light: float = Field(0.0, ge=0, lt=1)
    """0.3 multiplies contrast by 0.7 to 1.3, and adds up to 0.3 × 128 either way."""
    blur: float = Field(0.0, ge=0, le=1)
    """The share of clips that are shrunk to between a third and all of their pixels, and enlarged again."""
    noise: float = Field(0.0, ge=0, le=128)
    """The largest standard deviation of normal noise, in steps of 255; half of the clips have some."""
    erase: float = Field(0.0, ge=0, le=1)
    """The share of clips that lose a rectangle of 2 to 15 % of their area to an even grey (Zhong et al. 2017)."""
    random_operations: int = Field(0, ge=0)
    """RandAugment: so many of its operations, one after the other; published for fine-tuning MAE: 2."""
    random_strength: float = Field(9.0, ge=0, le=STRONGEST)
    """How strong these are, of 30."""

    @property
    def changes_anything(self) -> bool:
        return any(value > 0 for name, value in self.model_dump().items() if name != "random_strength")

    def draw(self, rng: np.random.Generator, *, size: int) -> Distortion:
        """One distortion of pictures of `size` × `size`: a pure function of the generator's state."""
        angle, bigger = rng.uniform(-self.rotation, self.rotation), (1 + self.zoom) ** rng.uniform(-1, 1)
        shift = rng.uniform(-self.shift, self.shift, 2) * size
        contrast, offset = 1 + rng.uniform(-self.light, self.light), 128 * rng.uniform(-self.light, self.light)
        shrink = rng.uniform(1 / 3, 1) if rng.random() < self.blur else 1.0
        noise = rng.uniform(0, self.noise) if rng.random() < 0.5 else 0.0
        erased = _rectangle(rng, size=size) if rng.random() < self.erase else None
        seed = int(rng.integers(2**32))
        operations = draw_operations(rng, count=self.random_operations, strength=self.random_strength)
        moved = matrix_of(operations, size=size) @ np.vstack(
            [_about_the_centre(angle, bigger, shift, size=size), [0, 0, 1]]
        )
        return Distortion(
            matrix=moved[:2],
            operations=operations,
            contrast=contrast,
            offset=offset,
            shrink=shrink,
            noise=noise,
            erased=erased,
            seed=seed,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Distortion:
    """One draw. What moves in is mirrored.

    `matrix` takes pixels of the picture to pixels of the distorted one, both counted from their middles, as OpenCV has
    it: the edges of pixel 0 are at -0.5 and 0.5.
    """

    matrix: Float[np.ndarray, "2 3"]
    operations: tuple[Operation, ...] = ()
    contrast: float
    offset: float
    shrink: float
    noise: float
    erased: tuple[int, int, int, int, int] | None
    """x0 y0 x1 y1 and the grey."""
    seed: int

    def picture(self, rgb: UInt8[np.ndarray, "s s 3"], *, number: int = 0) -> UInt8[np.ndarray, "s s 3"]:
        """The distorted picture. number: which frame of the clip it is; frames have noise of their own."""
        size = rgb.shape[0]
        out = cv2.warpAffine(rgb, self.matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        out = recolour(np.asarray(out), self.operations)
        if self.shrink < 1:
            small = max(1, round(size * self.shrink))
            out = cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA)
            out = cv2.resize(out, (size, size), interpolation=cv2.INTER_LINEAR)
        values = (out.astype(np.float32) - 128) * self.contrast + (128 + self.offset)
        if self.noise:
            rng = np.random.default_rng((self.seed, number))
            values += rng.standard_normal((size, size, 1), dtype=np.float32) * self.noise
        if self.erased:
            x0, y0, x1, y1, grey = self.erased
            values[y0:y1, x0:x1] = grey
        return np.clip(values, 0, 255).round().astype(np.uint8)

    def boxes(self, boxes: Float[Tensor, "n 4"], *, size: int) -> Float[Tensor, "n 4"]:
        """The extent of each distorted box within the picture; all zero where it is empty, or outside."""
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).double() - 0.5  # edges, from pixels' middles
        matrix = torch.from_numpy(self.matrix)
        moved = (corners @ matrix[:, :2].T + matrix[:, 2] + 0.5).clamp(0, size)
        extent = torch.cat([moved.amin(dim=1), moved.amax(dim=1)], dim=1).to(boxes.dtype)
        return extent.masked_fill(_is_empty(boxes) | _is_empty(extent), 0)


def _is_empty(boxes: Float[Tensor, "n 4"]) -> Bool[Tensor, "n 1"]:
    return (boxes[:, 2:] <= boxes[:, :2]).any(dim=1, keepdim=True)


def _about_the_centre(
    angle: float, bigger: float, shift: Float[np.ndarray, "2"], *, size: int
) -> Float[np.ndarray, "2 3"]:
    """Turned and enlarged about the picture's centre, then moved."""
    centre = (size - 1) / 2
    cos, sin = bigger * math.cos(math.radians(angle)), bigger * math.sin(math.radians(angle))
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, centre - turn @ [centre, centre] + shift])


def _rectangle(rng: np.random.Generator, *, size: int) -> tuple[int, int, int, int, int]:
    area, ratio = rng.uniform(0.02, 0.15) * size**2, math.exp(rng.uniform(-1, 1))
    width, height = (min(size, max(1, round(math.sqrt(side)))) for side in (area * ratio, area / ratio))
    x0, y0 = int(rng.integers(size - width + 1)), int(rng.integers(size - height + 1))
    return x0, y0, x0 + width, y0 + height, int(rng.integers(256))
