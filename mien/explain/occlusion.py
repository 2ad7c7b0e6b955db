"""Occlusion: parts of pictures hidden, and what a model then says of them (Zeiler & Fergus 2014, §4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import cv2
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, UInt8

from mien.explain.explanation import Fill, HeatMap, Masked, log_odds

Score = Callable[[UInt8[torch.Tensor, "n t 3 h w"]], Float[torch.Tensor, "n c"]]
"""Probabilities of the words for any number of clips of raw pixels; who the subject is stays as it was."""

BLUR_SHARE = 1 / 12
"""Of a picture's side, the standard deviation of the blur: faces and postures can no longer be read, colours can."""


def mask_parts(
    frames: UInt8[np.ndarray, "t h w 3"],
    parts: Mapping[str, Bool[np.ndarray, "t h w"]],
    *,
    score: Score,
    words: Sequence[str],
) -> tuple[Masked, ...]:
    """Each part hidden in each way, and the scores of the words then."""
    if not parts:
        return ()
    ways = [(name, fill) for name in parts for fill in get_args(Fill)]
    hidden = np.stack([hide(frames, parts[name], fill=fill) for name, fill in ways])
    scores = _named(score(as_clips(hidden)), words)
    middle = len(frames) // 2
    return tuple(
        Masked(
            part=name,
            fill=fill,
            share=float(parts[name].mean()),
            scores=own,
            picture=clip[middle],
        )
        for (name, fill), clip, own in zip(ways, hidden, scores, strict=True)
    )


def heat_map(
    frames: UInt8[np.ndarray, "t h w 3"],
    *,
    score: Score,
    words: Sequence[str],
    cells: int,
) -> HeatMap:
    """What hiding each of `cells` × `cells` squares, by the mean colour, takes from the likeliest word's log-odds."""
    before = _named(score(as_clips(frames[None])), words)[0]
    top = max(before, key=lambda word: before[word])
    masks = [np.broadcast_to(cell, frames.shape[:3]) for cell in squares(frames.shape[1], cells=cells)]
    hidden = np.stack([hide(frames, mask, fill="mean") for mask in masks])
    drops = [log_odds(before, top) - log_odds(after, top) for after in _named(score(as_clips(hidden)), words)]
    return HeatMap(word=top, drop=np.array(drops).reshape(cells, cells))


def hide(
    frames: UInt8[np.ndarray, "t h w 3"], mask: Bool[np.ndarray, "t h w"], *, fill: Fill
) -> UInt8[np.ndarray, "t h w 3"]:
    """The frames with the masked pixels replaced, each frame's by its own mean colour or by its own blur."""
    instead = [_mean(frame) if fill == "mean" else _blurred(frame) for frame in frames]
    return np.where(mask[..., None], np.stack(instead), frames)


def squares(size: int, *, cells: int) -> Bool[np.ndarray, "n s s"]:
    """`cells`² masks, row by row, that together cover a picture of `size` × `size` once.

    >>> squares(4, cells=2)[1].astype(int).tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    """
    cell = np.arange(size) * cells // size  # of each pixel along a side
    number = cell[:, None] * cells + cell[None, :]
    return number == np.arange(cells**2)[:, None, None]


def as_clips(clips: UInt8[np.ndarray, "n t h w 3"]) -> UInt8[torch.Tensor, "n t 3 h w"]:
    """Pictures as models take them."""
    return torch.from_numpy(np.ascontiguousarray(rearrange(clips, "n t h w c -> n t c h w")))


def _named(scores: Float[torch.Tensor, "n c"], words: Sequence[str]) -> list[dict[str, float]]:
    return [dict(zip(words, row, strict=True)) for row in scores.tolist()]


def _mean(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.broadcast_to(frame.mean(axis=(0, 1)).round().astype(np.uint8), frame.shape)


def _blurred(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return cv2.GaussianBlur(frame, (0, 0), BLUR_SHARE * frame.shape[0], borderType=cv2.BORDER_REFLECT)
