"""Key pictures: what the video shows at a person's peaks, cut out around the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from jaxtyping import Float, UInt8

from mien.analyze.page.people import View
from mien.analyze.record import Peak
from mien.media.video import pictures_at

JPEG_QUALITY = 80
HEIGHT = 200
"""Pixels of a key picture; it is shown at two thirds of that and is sharp on dense screens too."""
ASPECT = 4 / 5
"""Width to height of the pictures of persons; a whole picture keeps its own."""
ROOM = 1.9
"""The cut-out's longer side to the box's, so that one sees where the person is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPicture:
    """A picture cut out around a person, as JPEG; `box` is left, top, width, height in per cent of it."""

    peak: Peak
    jpeg: bytes
    width: int
    height: int
    box: tuple[float, float, float, float]


def key_pictures(
    video: Path, people: Sequence[View], words: Sequence[str], *, at_most: int
) -> dict[tuple[int, str], list[KeyPicture]]:
    """At most `at_most` pictures of each view's peaks, in the order of time, by the view's key.

    The video is gone through once, in the order of time, and only one of its pictures is held at a time. Raises
    MienError where the video cannot be read.
    """
    wanted = [(view, peak) for view in people for peak in _peaks(view, words, at_most=at_most)]
    wanted.sort(key=lambda each: each[1].time_s)
    found: dict[tuple[int, str], list[KeyPicture]] = {view.key: [] for view in people}
    shown = pictures_at(video, [peak.time_s for _, peak in wanted], short_side=None)
    for (view, peak), picture in zip(wanted, shown, strict=True):
        sample = int(np.abs(view.time_s - peak.time_s).argmin())
        found[view.key].append(_cut_out(picture.rgb, view.xyxy[sample], peak=peak))
    return found


def _peaks(view: View, words: Sequence[str], *, at_most: int) -> list[Peak]:
    """The person's most probable peaks; of someone who never shows anything for certain, the likeliest all the same."""
    if view.person.peaks:
        return sorted(view.person.peaks, key=lambda peak: -peak.probability)[:at_most]
    sample, word = (int(i) for i in np.unravel_index(int(view.scores.argmax()), view.scores.shape))
    found = Peak(word=words[word], time_s=float(view.time_s[sample]), probability=float(view.scores[sample, word]))
    return [found]


def _cut_out(rgb: UInt8[np.ndarray, "h w 3"], xyxy: Float[np.ndarray, "4"], *, peak: Peak) -> KeyPicture:
    height, width = rgb.shape[:2]
    left, top, right, bottom = _around(xyxy.astype(np.float64).tolist(), width=width, height=height)
    scale = HEIGHT / (bottom - top)
    size = max(1, round((right - left) * scale)), HEIGHT
    small = cv2.resize(
        rgb[top:bottom, left:right], size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    x0, x1 = (100 * (float(x) - left) / (right - left) for x in np.clip(xyxy[[0, 2]], left, right))
    y0, y1 = (100 * (float(y) - top) / (bottom - top) for y in np.clip(xyxy[[1, 3]], top, bottom))
    return KeyPicture(
        peak=peak,
        jpeg=bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(small), quality=JPEG_QUALITY, colorsubsampling="420")),
        width=size[0],
        height=size[1],
        box=(x0, y0, x1 - x0, y1 - y0),
    )


def _around(box: list[float], *, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a rectangle of ASPECT around the box, moved into the picture, or cut by it."""
    x0, y0, x1, y1 = box
    tall = min(max(ROOM * (y1 - y0), ROOM * (x1 - x0) / ASPECT, 16.0), float(height))
    wide = min(max(tall * ASPECT, x1 - x0), float(width))
    left = min(max((x0 + x1 - wide) / 2, 0.0), width - wide)
    top = min(max((y0 + y1 - tall) / 2, 0.0), height - tall)
    return int(left), int(top), max(int(left) + 1, int(left + wide)), max(int(top) + 1, int(top + tall))
