"""Rebuilt pictures: what a masked autoencoder saw of a picture, and what it painted where it saw nothing."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Bool, UInt8

from mien.eval.pictures import Still, draw_still

HIDDEN = (172, 180, 196)
"""The grey of patches that are masked; a little blue, for pictures that are grey themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuiltView:
    """A view of a picture, and the same with its masked patches rebuilt; `is_masked` patch by patch."""

    original: UInt8[np.ndarray, "s s 3"]
    rebuilt: UInt8[np.ndarray, "s s 3"]
    is_masked: Bool[np.ndarray, "g g"]

    @property
    def seen(self) -> UInt8[np.ndarray, "s s 3"]:
        """What the encoder is given: masked patches are grey."""
        patch = self.original.shape[0] // self.is_masked.shape[0]
        hidden = self.is_masked.repeat(patch, axis=0).repeat(patch, axis=1)[..., None]
        return np.where(hidden, np.array(HIDDEN, np.uint8), self.original)


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuiltPicture:
    """The scene of a picture and the largest person in it, each rebuilt; `person` is None where nobody is."""

    scene: RebuiltView
    person: RebuiltView | None
    caption: str


def rebuilt_section(pictures: tuple[RebuiltPicture, ...], *, mask_ratio: float) -> str:
    """The part of a report that shows them."""
    rows = "".join(_row(picture) for picture in pictures)
    return (
        "<h2>What is rebuilt of what is hidden</h2><p>Of each view the encoder sees the patches that are not grey; "
        f"{mask_ratio:.0%} are hidden. The decoder paints the hidden ones, of which the last picture of three is made, "
        "beside those that were seen, which stay as they are. Views are cut as in evaluation: the whole picture made "
        "square, and the largest person. The decoder is trained on scenes alone; people are larger there than it is "
        "used to.</p>" + rows
    )


def _row(picture: RebuiltPicture) -> str:
    views = [("scene", picture.scene)] + ([] if picture.person is None else [("person", picture.person)])
    cells = "".join(
        f'<div><img alt="{name}: {what}" src="{_drawn(pixels)}"><span>{name}<br>{what}</span></div>'
        for name, view in views
        for what, pixels in (("original", view.original), ("seen", view.seen), ("rebuilt", view.rebuilt))
    )
    return (
        f'<figure class="sample"><figcaption>{escape(picture.caption)}</figcaption><div class="wide">'
        f'<div class="layers" style="grid-template-columns:repeat({3 * len(views)},minmax(76px,150px))">'
        f"{cells}</div></div></figure>"
    )


def _drawn(pixels: UInt8[np.ndarray, "s s 3"]) -> str:
    return draw_still(Still(frame=pixels, boxes=np.zeros((0, 4), np.float32)), side=176)
