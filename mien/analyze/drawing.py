"""Drawing on pictures: a person's box, and beside it who it is and what is shown, readable on any background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

COLOURS = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (143, 107, 0), (86, 180, 233), (106, 61, 154),
    (110, 110, 110),
)  # fmt: skip
"""One a person, by turns: Okabe and Ito's set, told apart by colour-blind readers too, dark enough for white text."""
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
"""Comes with matplotlib; Latin, Greek, Cyrillic, Arabic and more, no Chinese, Japanese or Korean."""
DIM = 0.55
"""How bright uncertain answers' lines are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What is written at a box: a heading, then lines of a word and its share of a bar's length.

    `widest` is the longest line to be expected: labels are as wide, so that they keep their place.
    """

    heading: str
    bars: tuple[tuple[str, float], ...]
    widest: str
    is_certain: bool


def colour_of(track: int) -> tuple[int, int, int]:
    """A person's colour."""
    return COLOURS[track % len(COLOURS)]


def draw_person(
    rgb: UInt8[np.ndarray, "h w 3"],
    xyxy: Float[np.ndarray, "4"],
    label: Label,
    *,
    track: int,
    size: int,
    taken: list[tuple[int, int, int, int]],
) -> None:
    """Draws a box and its label into `rgb`, where the labels `taken` are not; adds its own place to them.

    size: of the letters, in pixels.
    """
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = (round(float(v)) for v in xyxy)
    thick = max(1, round(size / 7))
    for colour, more in (((0, 0, 0), 2), (colour_of(track), 0)):  # a dark rim, for bright backgrounds
        cv2.rectangle(rgb, (x0, y0), (x1 - 1, y1 - 1), colour, thick + more, cv2.LINE_AA)
    chip = _chip(label, colour_of(track), size)
    left, top = _place((x0, y0, x1, y1), chip.shape[:2], height=height, width=width, taken=taken)
    chip = chip[: height - top, : width - left]
    taken.append((left, top, left + chip.shape[1], top + chip.shape[0]))
    rgb[top : top + chip.shape[0], left : left + chip.shape[1]] = chip


def _place(
    box: tuple[int, int, int, int],
    chip: tuple[int, ...],
    *,
    height: int,
    width: int,
    taken: Sequence[tuple[int, int, int, int]],
) -> tuple[int, int]:
    """Above the box, below it, beside it, or inside: the first place that is in the picture and free."""
    x0, y0, x1, y1 = box
    chip_h, chip_w = chip[:2]
    places = [(x0, y0 - chip_h), (x0, y1), (x1, y0), (x0 - chip_w, y0), (x0, y1 - chip_h), (x0, y0)]
    inside = [(x, y) for x, y in places if y >= 0 and y + chip_h <= height and x + chip_w <= width and x >= 0]
    for left, top in inside:
        if not any(
            left < right and x < left + chip_w and top < bottom and y < top + chip_h for x, y, right, bottom in taken
        ):
            return left, top
    left, top = inside[0] if inside else places[0]
    return max(0, min(left, width - chip_w)), max(0, min(top, height - chip_h))


@lru_cache(maxsize=512)
def _chip(label: Label, colour: tuple[int, int, int], size: int) -> UInt8[np.ndarray, "h w 3"]:
    """A label as a picture of its own: white on the person's colour, the words on near-black with bars behind them."""
    font, pad, line = _font(size), max(2, size // 4), round(size * 1.35)
    texts = [label.heading, label.widest, *(word for word, _ in label.bars)]
    wide = max(round(font.getlength(text)) for text in texts) + 4 * pad
    image = Image.new("RGB", (wide, line * (1 + len(label.bars))), (24, 24, 24))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, wide, line - 1), fill=colour)
    draw.text((pad, line / 2), label.heading, font=font, fill="white", anchor="lm")
    for number, (word, share) in enumerate(label.bars, start=1):
        brightness = 1.0 if label.is_certain else DIM
        bar = tuple(round(brightness * 0.75 * channel) for channel in colour)
        draw.rectangle((0, number * line, round(share * (wide - 1)), (number + 1) * line - 1), fill=bar)
        grey = round(255 * (1.0 if label.is_certain else 0.8))
        draw.text((pad, (number + 0.5) * line), word, font=font, fill=(grey, grey, grey), anchor="lm")
    return np.asarray(image)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)
