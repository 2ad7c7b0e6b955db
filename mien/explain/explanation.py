"""Explanations: what a model says of a moment, and what it says when parts of the pictures are hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

Fill = Literal["mean", "blur"]
"""What is put in place of what is hidden: the picture's mean colour, or the picture itself, blurred."""


SMALLEST = float(np.finfo(np.float32).tiny)
"""Probabilities are 32-bit floats; one that is smaller has been rounded to 0, of which there is no logarithm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Masked:
    """What the model says with a part hidden. share: of the pixels, how many are. picture: its middle frame then."""

    part: str
    fill: Fill
    share: float
    scores: dict[str, float]
    picture: UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatMap:
    """By how much a word's log-odds fall when one cell of the pictures is hidden, in all frames at once; cell by cell.

    Below 0 where hiding makes the word more probable.
    """

    word: str
    drop: Float[np.ndarray, "rows columns"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenAttention:
    """What one token attends to, mean over heads: its weights on the patches of each frame, layer by layer.

    The weights of a frame and layer sum to the share of the token's attention that patches get; the rest goes to
    `[cls]` and `hmn`.
    """

    token: str
    weights: Float[np.ndarray, "layers t gh gw"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """All that is told of one moment, or of one face.

    frames: as the model sees them, before they are normalised. parts: what can be hidden, as masks. unmarked: the
    scores if nobody is pointed out to the model; None for a model that is never told.
    """

    file: str
    title: str
    start_s: float
    end_s: float
    frames: UInt8[np.ndarray, "t h w 3"]
    boxes: tuple[Float[np.ndarray, "_ 4"], ...]
    parts: dict[str, Bool[np.ndarray, "t h w"]]
    scores: dict[str, float]
    unmarked: dict[str, float] | None
    masked: tuple[Masked, ...]
    heat_map: HeatMap
    attention: tuple[TokenAttention, ...]
    notes: tuple[str, ...] = ()

    @property
    def top_word(self) -> str:
        return max(self.scores, key=lambda word: self.scores[word])


def log_odds(scores: Mapping[str, float], word: str) -> float:
    """The natural logarithm of a word's probability over that of all others together.

    0 is even, 2.3 ten to one, 6.9 a thousand to one: unlike a probability near 1, it still tells more from less.
    """
    others = sum(p for other, p in scores.items() if other != word)
    return math.log(max(scores[word], SMALLEST)) - math.log(max(others, SMALLEST))


def share_on(attention: TokenAttention, part: Bool[np.ndarray, "t h w"]) -> Float[np.ndarray, "layers"]:
    """Of the token's attention to patches, the share that falls on a part, layer by layer."""
    layers, t, rows, columns = attention.weights.shape
    height, width = part.shape[1:]
    covered = part.reshape(t, rows, height // rows, columns, width // columns).mean(axis=(2, 4))  # t gh gw
    on_part = (attention.weights * covered).reshape(layers, -1).sum(axis=1)
    return on_part / np.maximum(attention.weights.reshape(layers, -1).sum(axis=1), np.finfo(np.float32).tiny)


def as_numbers(explanation: Explanation) -> dict[str, Any]:
    """The explanation without its pictures, for JSON. `log_odds` are those of `top_word`."""
    top = explanation.top_word
    return {
        "file": explanation.file,
        "title": explanation.title,
        "start_s": explanation.start_s,
        "end_s": explanation.end_s,
        "top_word": top,
        "scores": explanation.scores,
        "log_odds": log_odds(explanation.scores, top),
        "unmarked": explanation.unmarked,
        "masked": [
            {"part": m.part, "fill": m.fill, "share": m.share, "scores": m.scores, "log_odds": log_odds(m.scores, top)}
            for m in explanation.masked
        ],
        "heat_map": {"word": explanation.heat_map.word, "drop": explanation.heat_map.drop.tolist()},
        "attention": [
            {
                "token": each.token,
                "on_patches": each.weights.sum(axis=(2, 3)).mean(axis=1).tolist(),
                "share_on": {name: share_on(each, part).tolist() for name, part in explanation.parts.items()},
            }
            for each in explanation.attention
        ],
        "notes": list(explanation.notes),
    }
