"""Boxes as geometry: pixels, `x0 y0 x1 y1`, half-open; scaling, cropping, and how much of a patch they cover."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def scale_boxes(boxes: Float[Tensor, "*n 4"], *, x: float, y: float) -> Float[Tensor, "*n 4"]:
    """The boxes after the picture was resized by the factors `x` and `y`."""
    return boxes * boxes.new_tensor([x, y, x, y])


def crop_boxes(
    boxes: Float[Tensor, "*n 4"], *, left: float, top: float, width: float, height: float
) -> Float[Tensor, "*n 4"]:
    """The boxes in the coordinates of a crop, cut at its borders; what lies outside becomes an empty box."""
    shifted = boxes - boxes.new_tensor([left, top, left, top])
    return shifted.clamp(min=boxes.new_zeros(4), max=boxes.new_tensor([width, height, width, height]))


def coverage(boxes: Float[Tensor, "*n k 4"], *, height: int, width: int, patch: int) -> Float[Tensor, "*n gh gw"]:
    """The share of each patch's area that lies in the union of the k boxes, in [0, 1].

    boxes: pixels of a picture of `height` × `width`, fractional edges allowed; they may overlap, leave the picture, or
    be empty. The result has one number a `patch` × `patch` square, is exact for any boxes, and is differentiable to
    their edges. This is the subject mask EmotionCLIP's released code gets by drawing 0/1 pixels and averaging them.
    Its type is the boxes', float32 of bfloat16 ones, under autocast too.

    The boxes' edges cut the picture into (2k+1)² cells, each wholly in or wholly out of the union; a patch's coverage
    is then a sum over inner cells of overlap in x times overlap in y, two small matrix products.
    """
    with torch.autocast(boxes.device.type, enabled=False):  # bfloat16 has 8 bits, too few for places of pixels
        return _coverage(boxes.float() if boxes.dtype == torch.bfloat16 else boxes, height, width, patch)


def _coverage(boxes: Tensor, height: int, width: int, patch: int) -> Tensor:
    x0, y0, x1, y1 = boxes.unbind(dim=-1)  # *n k
    is_box = (x1 > x0) & (y1 > y0)
    x0, x1 = (torch.where(is_box, x, 0.0).clamp(0, width) for x in (x0, x1))
    y0, y1 = (torch.where(is_box, y, 0.0).clamp(0, height) for y in (y0, y1))
    x_edges = torch.cat([x0, x1], dim=-1).sort(dim=-1).values  # *n 2k
    y_edges = torch.cat([y0, y1], dim=-1).sort(dim=-1).values
    in_x = _spans_cells(x0, x1, x_edges)  # *n k 2k-1
    in_y = _spans_cells(y0, y1, y_edges)
    inside = ((in_y.mT @ in_x) > 0).to(boxes.dtype)  # *n 2k-1 2k-1: a cell is inside if any box spans it
    share_x = _overlap(x_edges, num_patches=width // patch, patch=patch)  # *n gw 2k-1
    share_y = _overlap(y_edges, num_patches=height // patch, patch=patch)
    return share_y @ inside @ share_x.mT  # *n gh gw


def _spans_cells(start: Tensor, end: Tensor, edges: Tensor) -> Tensor:
    """1 where the interval of a box contains the cell between two neighbouring edges."""
    first, last = edges[..., None, :-1], edges[..., None, 1:]
    return ((start[..., None] <= first) & (end[..., None] >= last) & (last > first)).to(edges.dtype)


def _overlap(edges: Tensor, *, num_patches: int, patch: int) -> Tensor:
    """The share of each patch's side that lies in each cell."""
    left = torch.arange(num_patches, device=edges.device, dtype=edges.dtype)[:, None] * patch
    start = torch.maximum(edges[..., None, :-1], left)
    end = torch.minimum(edges[..., None, 1:], left + patch)
    return (end - start).clamp(min=0) / patch
