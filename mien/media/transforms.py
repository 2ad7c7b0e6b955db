"""From stored frames to the model's square pictures, boxes along with them.

A clip has one geometry: the same crop in all its frames, so that motion stays motion and boxes stay on people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor

from mien.config import Config
from mien.media.boxes import crop_boxes, scale_boxes
from mien.media.distort import Distortions

NORMALIZATION = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation of RGB in [0, 1]."""


LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue give to grey."""


class Preprocess(Config):
    """How pictures are prepared for a model; travels with its weights.

    `normalization`: "imagenet" is what the released EmotionCLIP was trained with, although its backbone was made with
    CLIP's; "clip" is right for everything else.
    """

    image_size: int = Field(224, gt=0)
    normalization: Literal["clip", "imagenet"] = "clip"
    grayscale: bool = False
    """Colours become the grey of their luma (BT.601), three times: for models that were trained on grey pictures."""

    def normalize(self, frames: UInt8[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
        """Raw pixels 0..255 to the model's scale; on whatever device the pixels are."""
        mean, std = (
            torch.tensor(v, device=frames.device).view(3, 1, 1) * 255 for v in NORMALIZATION[self.normalization]
        )
        pixels = frames.float()
        if self.grayscale:
            luma = torch.tensor(LUMA, device=frames.device).view(3, 1, 1)
            pixels = (pixels * luma).sum(dim=-3, keepdim=True).expand_as(pixels)
        return (pixels - mean) / std

    def denormalize(self, pixels: Float[Tensor, "*n 3 h w"]) -> UInt8[Tensor, "*n 3 h w"]:
        """Pixels on the model's scale back to 0..255; what lies outside is cut off."""
        mean, std = (
            torch.tensor(v, device=pixels.device).view(3, 1, 1) * 255 for v in NORMALIZATION[self.normalization]
        )
        return (pixels.float() * std + mean).round().clamp(0, 255).to(torch.uint8)


class Augment(Config):
    """How training differs from evaluation."""

    crop: float = Field(0.875, gt=0, le=1)
    """The crop's side as a share of the short side: 224 of 256 in the paper. One crop per clip."""
    horizontal_flip: bool = False
    """Mirrors half of the clips; not in the paper."""
    distort: Distortions = Distortions()
    """Further changes, for small data sets; none by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """A square of a picture, in its pixels, that becomes the model's input; mirrored if `flip`."""

    left: float
    top: float
    side: float
    flip: bool = False


def centre_crop(*, height: int, width: int) -> Crop:
    """The largest square in the middle: short side to the model's size, then centre crop."""
    side = min(height, width)
    return Crop(left=(width - side) / 2, top=(height - side) / 2, side=side)


def random_crop(augment: Augment, *, height: int, width: int, rng: np.random.Generator) -> Crop:
    """A square of the share `augment.crop` of the short side, anywhere in the picture."""
    side = augment.crop * min(height, width)
    left, top = rng.random() * (width - side), rng.random() * (height - side)
    return Crop(left=left, top=top, side=side, flip=bool(augment.horizontal_flip and rng.random() < 0.5))


def crop_frame(frame: UInt8[np.ndarray, "h w 3"], crop: Crop, *, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The crop as a picture of `size` × `size`, averaged over area where it shrinks."""
    x, y, side = round(crop.left), round(crop.top), max(1, round(crop.side))
    x, y = min(x, frame.shape[1] - side), min(y, frame.shape[0] - side)
    square = frame[y : y + side, x : x + side]
    if side != size:
        square = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)
    return cv2.flip(square, 1) if crop.flip else square


def crop_boxes_with(boxes: Float[Tensor, "*n 4"], crop: Crop, *, size: int) -> Float[Tensor, "*n 4"]:
    """The boxes in the pixels of what `crop_frame` returns; those outside are empty."""
    inside = crop_boxes(boxes, left=crop.left, top=crop.top, width=crop.side, height=crop.side)
    scaled = scale_boxes(inside, x=size / crop.side, y=size / crop.side)
    if not crop.flip:
        return scaled
    x0, y0, x1, y1 = scaled.unbind(-1)
    return torch.stack([size - x1, y0, size - x0, y1], dim=-1)
