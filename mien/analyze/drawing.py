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

Rectangle = tuple[int, int, int, int]
Colour = tuple[int, int, int]

BLACK, DARK = (0, 0, 0), (24, 24, 24)
COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (196, 78, 0), (0, 125, 90), (170, 70, 130), (125, 94, 0), (70, 90, 110), (106, 61, 154),
    (140, 60, 50),
)  # fmt: skip
"""One a person, by turns: after Okabe and Ito's, darkened until white text on each has a contrast of 4.5 or more."""
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
"""Comes with matplotlib; Latin, Greek, Cyrillic, Arabic and more, no Chinese, Japanese or Korean."""
TOLD = 2
"""Words told of each person, the likeliest first; always as many, so that labels do not jump about."""
LETTERS_PER_SIDE, LEAST_LETTERS = 1 / 36, 11
LONGEST_WORD = 24
"""In letters; what is longer is shortened."""
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawn:
    """Someone to draw: a box in the picture's pixels, a label, a colour."""

    xyxy: Float[np.ndarray, "4"]
    label: Label
    colour: Colour


def told_word(word: str, probability: float) -> str:
    """A word and its probability as a line of a label, long words shortened."""
    short = word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1].rstrip()}…"
    return f"{short} {100 * probability:.0f} %"


def letters_of(height: int, width: int) -> int:
    """Letters' size in pixels, for a picture of such sides."""
    return max(LEAST_LETTERS, round(min(height, width) * LETTERS_PER_SIDE))


def colour_of(track: int) -> Colour:
    """A person's colour."""
    return COLOURS[track % len(COLOURS)]


def draw_persons(rgb: UInt8[np.ndarray, "h w 3"], persons: Sequence[Drawn], *, size: int) -> None:
    """Draws everyone's box into `rgb`, then everyone's label where it hides no box and no other label, if it can be.

    size: of the letters, in pixels.
    """
    boxes = [_rounded(person.xyxy) for person in persons]
    thick = max(1, round(size / 8))
    for person, (x0, y0, x1, y1) in zip(persons, boxes, strict=True):
        for colour, more in ((BLACK, 2), (person.colour, 0)):  # a dark rim, for bright backgrounds
            cv2.rectangle(rgb, (x0, y0), (x1 - 1, y1 - 1), colour, thick + more, cv2.LINE_AA)
    labels: list[Rectangle] = []
    for person, box in zip(persons, boxes, strict=True):
        chip = _chip(person.label, person.colour, size)
        left, top = _place(box, chip.shape[:2], picture=rgb.shape[:2], boxes=boxes, labels=labels)
        shown = chip[: rgb.shape[0] - top, : rgb.shape[1] - left]
        labels.append((left, top, left + shown.shape[1], top + shown.shape[0]))
        rgb[top : top + shown.shape[0], left : left + shown.shape[1]] = shown


def _place(
    box: Rectangle,
    chip: tuple[int, ...],
    *,
    picture: tuple[int, ...],
    boxes: Sequence[Rectangle],
    labels: Sequence[Rectangle],
) -> tuple[int, int]:
    """Above the box, below it, beside it, or inside: where in the picture it hides least of boxes and labels."""
    (x0, y0, x1, y1), (chip_h, chip_w), (height, width) = box, chip, picture
    left, right, above = x0 - chip_w, x1 - chip_w, y0 - chip_h
    places = [
        (x0, above), (right, above), (x0, y1), (right, y1), (x1, y0), (left, y0), (x1, y1 - chip_h),
        (left, y1 - chip_h), (x0, y1 - chip_h), (x0, y0),
    ]  # fmt: skip
    inside = [(x, y) for x, y in places if x >= 0 and y >= 0 and x + chip_w <= width and y + chip_h <= height]
    if not inside:
        return max(0, min(x0, width - chip_w)), max(0, min(above, height - chip_h))
    return min(
        inside,  # of equals, the first
        key=lambda place: sum(
            _shared((*place, place[0] + chip_w, place[1] + chip_h), other) for other in (*boxes, *labels)
        ),
    )


def _shared(a: Rectangle, b: Rectangle) -> int:
    """The area that two rectangles have in common."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0, width) * max(0, height)


def _rounded(xyxy: Float[np.ndarray, "4"]) -> Rectangle:
    x0, y0, x1, y1 = (round(float(v)) for v in xyxy)
    return x0, y0, x1, y1


@lru_cache(maxsize=64)
def _chip(label: Label, colour: Colour, size: int) -> UInt8[np.ndarray, "h w 3"]:
    """A label as a picture of its own: white on the person's colour, the words on near-black with bars behind them."""
    font, pad, line = _font(size), max(2, size // 4), round(size * 1.35)
    texts = [label.heading, label.widest, *(word for word, _ in label.bars)]
    wide = max(round(font.getlength(text)) for text in texts) + 4 * pad
    image = Image.new("RGB", (wide, line * (1 + len(label.bars))), DARK)
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
