"""Pictures of a report: frames with the subject's box, and where tokens look, layer by layer."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.media.boxes import coverage
from mien.types import MienError

BOX_COLOUR = (255, 255, 255)
BOX_EDGE = (20, 20, 20)
HEAT_SHARE = 0.65
"""How much of an overlay is heat; the rest is the picture in grey."""
JPEG_QUALITY = 85


@dataclass(frozen=True, kw_only=True, slots=True)
class Still:
    """A frame, and the boxes of its subjects in pixels of that frame."""

    frame: UInt8[np.ndarray, "h w 3"]
    boxes: Float[np.ndarray, "k 4"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionPicture:
    """What a token attends to in one frame: its weights on the patches, a layer each, from `first_layer` on."""

    still: Still
    attention: Float[np.ndarray, "layers gh gw"]
    caption: str
    token: str = "hmn"
    first_layer: int = 1


def hmn_attention(
    matrices: Float[Tensor, "layers n heads q k"], *, grid: int
) -> Float[np.ndarray, "n layers {grid} {grid}"]:
    """The rows of `hmn`, mean over heads, on the patches, from the matrices that `VideoClip.attention` returns.

    Tokens are `[cls]`, the patches row by row, `hmn`. The part that falls on `[cls]` and on `hmn` itself is left out,
    so a layer's weights sum to less than one.
    """
    if matrices.shape[-1] != grid**2 + 2:
        raise MienError(
            f"{matrices.shape[-1]} tokens are not [cls], {grid}² patches and hmn; a vanilla model has no hmn to draw"
        )
    weights = matrices[..., -1, 1:-1].float().mean(dim=2)  # [layers, n, patches]
    return weights.transpose(0, 1).reshape(weights.shape[1], weights.shape[0], grid, grid).cpu().numpy()


def plain_attention(
    matrices: Float[Tensor, "layers n heads q k"], *, grid: int
) -> dict[str, Float[np.ndarray, "n layers {grid} {grid}"]]:
    """Of a model without a subject token: the rows of `[cls]`, and the mean of the `patches`' rows, on the patches.

    Mean over heads. The part that falls on `[cls]` is left out, so a layer's weights sum to less than one.
    """
    on_patches = matrices[..., 1:].float().mean(dim=2)  # [layers, n, tokens, patches]
    rows = {"[cls]": on_patches[:, :, 0], "patches": on_patches[:, :, 1:].mean(dim=2)}
    return {
        token: rearrange(weights, "l n (gh gw) -> n l gh gw", gh=grid).cpu().numpy() for token, weights in rows.items()
    }


def subject_coverage(picture: AttentionPicture) -> Float[np.ndarray, "gh gw"]:
    """The share of each patch that the subjects' boxes cover."""
    height, width = picture.still.frame.shape[:2]
    rows, columns = picture.attention.shape[1:]
    boxes = torch.from_numpy(picture.still.boxes).float() * torch.tensor([columns / width, rows / height] * 2)
    return coverage(boxes, height=rows, width=columns, patch=1).numpy()


def share_on_subject(picture: AttentionPicture) -> Float[np.ndarray, "layers"]:
    """Of the token's attention to patches, the share that falls on the subject, in each layer."""
    covered = subject_coverage(picture)
    total = picture.attention.sum(axis=(1, 2))
    return (picture.attention * covered).sum(axis=(1, 2)) / np.maximum(total, np.finfo(np.float32).tiny)


def draw_still(still: Still, *, side: int) -> str:
    """The frame with its boxes as a data URI, `side` pixels high."""
    height, width = still.frame.shape[:2]
    scale = side / height
    image = _resize(still.frame, width=round(width * scale), height=side)
    return _data_uri(_with_boxes(image, still.boxes * scale))


def draw_attention(picture: AttentionPicture, *, side: int) -> list[str]:
    """A data URI a layer: heat over the frame in grey, the box drawn in.

    There is one scale, from 0 to the largest weight in any of the layers, so layers can be compared with each other;
    pictures cannot.
    """
    frame = picture.still.frame
    scale = side / frame.shape[0]
    width = round(frame.shape[1] * scale)
    grey = cv2.cvtColor(_resize(frame, width=width, height=side), cv2.COLOR_RGB2GRAY)[..., None]
    highest = max(float(picture.attention.max()), np.finfo(np.float32).tiny)
    drawn = []
    for layer in picture.attention:
        smooth = cv2.resize(layer.astype(np.float32) / highest, (width, side), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        heat = 255 * matplotlib.colormaps["inferno"](smooth)[..., :3]
        image = (HEAT_SHARE * heat + (1 - HEAT_SHARE) * grey).astype(np.uint8)
        drawn.append(_data_uri(_with_boxes(image, picture.still.boxes * scale)))
    return drawn


def _resize(frame: UInt8[np.ndarray, "h w 3"], *, width: int, height: int) -> UInt8[np.ndarray, "{height} {width} 3"]:
    shrinks = height < frame.shape[0]
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _with_boxes(image: UInt8[np.ndarray, "h w 3"], boxes: Float[np.ndarray, "k 4"]) -> UInt8[np.ndarray, "h w 3"]:
    drawn = np.ascontiguousarray(image).copy()
    for x0, y0, x1, y1 in np.round(boxes).astype(int).tolist():
        if x1 > x0 and y1 > y0:
            for colour, thickness in ((BOX_EDGE, 4), (BOX_COLOUR, 2)):
                cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, thickness)
    return drawn


def _data_uri(image: UInt8[np.ndarray, "h w 3"]) -> str:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
