"""Pictures seen twice: the scene, and the person in it, as UniEmoX's encoder looks at both.

A sample is a pure function of the store, the settings and (seed, epoch, index), which patches are masked included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from pydantic import Field, model_validator
from torch import Tensor
from torch.utils.data import Dataset

from mien.config import Config
from mien.data.clips import ClipDataset
from mien.media.sampling import evenly
from mien.text import Tokenizer
from mien.types import Clip, ViewBatch

VIEWS_DRAW = 2
"""Sets these draws apart from those of pictures and captions, which use the same seed."""
TRIES = 10

Rectangle = tuple[int, int, int, int]
"""Left, top, right and bottom, in whole pixels of a picture."""


class ViewSettings(Config):
    """How a picture's two views are cut."""

    scene_scale: tuple[float, float] = (0.2, 1.0)
    """The scene's share of the picture's area: anything between these."""
    scene_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Its width over its height."""
    grow: float = Field(0.1, ge=0)
    """The person's box is made larger by this share of its sides."""

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> ViewSettings:
        low, high = self.scene_scale
        if not (0 < low <= high <= 1 and 0 < self.scene_ratio[0] <= self.scene_ratio[1]):
            raise ValueError(f"scene_scale {self.scene_scale} and scene_ratio {self.scene_ratio} are no (low, high)")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewSample:
    """One picture. box: the person's in pixels of `scene`, which it may leave; zeros without one. patch_order: of the
    scene's and of the person's patches, the first of which are seen."""

    scene: UInt8[Tensor, "3 h w"]
    box: Float[Tensor, "4"]
    person: UInt8[Tensor, "3 h w"]
    has_person: bool
    patch_order: Int[Tensor, "v n"]
    text: str
    id: str


class ViewDataset(Dataset[ViewSample]):
    """The two views of clips by (epoch, index); `clips` says which, of which store, and whether anything is drawn.

    The person is the one whose box is largest in the frame, if its score suffices; without one the second view is
    another cut of the scene. Without augmentation: the whole picture, in the middle of the clip.
    """

    def __init__(self, clips: ClipDataset, settings: ViewSettings, *, patches: int) -> None:
        """patches: how many a view has, whose order is drawn."""
        self.clips = clips
        self.settings = settings
        self.patches = patches

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: tuple[int, int]) -> ViewSample:
        epoch, index = key
        clip, size = self.clips.clips[index], self.clips.preprocess.image_size
        rng = np.random.default_rng((self.clips.seed, epoch, index, VIEWS_DRAW))
        is_drawn = self.clips.augment is not None
        within = int(rng.integers(clip.num_frames)) if is_drawn else int(evenly(clip.num_frames, count=3)[1])
        frame = clip.start_frame + within
        picture = self.clips.store.frames(clip.video).decode(frame)
        box = self._person(clip, frame)
        grown = None if box is None else _grown(box, self.settings.grow, picture)
        scene = self._scene(picture, rng if is_drawn else None)
        other = grown or self._scene(picture, rng if is_drawn else None)
        flips = bool(self.clips.augment is not None and self.clips.augment.horizontal_flip and rng.random() < 0.5)
        return ViewSample(
            scene=_cut(picture, scene, size=size, flips=flips),
            box=torch.zeros(4) if box is None or grown is None else _box_in(box, scene, size=size, flips=flips),
            person=_cut(picture, other, size=size, flips=flips),
            has_person=grown is not None,
            patch_order=torch.from_numpy(np.stack([rng.permutation(self.patches) for _ in range(2)])),
            text=clip.text,
            id=clip.id,
        )

    def _scene(self, picture: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator | None) -> Rectangle:
        """A rectangle of random area, shape and place (Inception's); the whole picture if nothing is drawn."""
        height, width = picture.shape[:2]
        for _ in range(TRIES if rng is not None else 0):
            assert rng is not None
            area = rng.uniform(*self.settings.scene_scale) * height * width
            ratio = np.exp(rng.uniform(*np.log(self.settings.scene_ratio)))
            w, h = round(float(np.sqrt(area * ratio))), round(float(np.sqrt(area / ratio)))
            if 0 < w <= width and 0 < h <= height:
                left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
                return left, top, left + w, top + h
        return 0, 0, width, height

    def _person(self, clip: Clip, frame: int) -> Float[np.ndarray, "4"] | None:
        """The largest person's box in pixels of the stored frame."""
        store = self.clips.store
        table, info = store.boxes(clip.video), store.frames(clip.video).info
        rows = np.flatnonzero((table.frame == frame) & (table.score >= self.clips.settings.min_box_score))
        if not len(rows):
            return None
        boxes = table.xyxy[rows] * np.array(info.stored_per_source * 2)
        sides = boxes[:, 2:] - boxes[:, :2]
        return boxes[int(sides.prod(axis=1).argmax())]


def _grown(box: Float[np.ndarray, "4"], share: float, picture: UInt8[np.ndarray, "h w 3"]) -> Rectangle | None:
    """The box made larger by `share` of its sides, half on each, within the picture; None if nothing of it is."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = map(float, box)
    more_x, more_y = share * (x1 - x0) / 2, share * (y1 - y0) / 2
    left, top = max(0, round(x0 - more_x)), max(0, round(y0 - more_y))
    right, bottom = min(width, round(x1 + more_x)), min(height, round(y1 + more_y))
    return (left, top, right, bottom) if right > left and bottom > top else None


def _box_in(box: Float[np.ndarray, "4"], cut: Rectangle, *, size: int, flips: bool) -> Float[Tensor, "4"]:
    """A box of the picture in pixels of what `_cut` makes of it."""
    left, top, right, bottom = cut
    x0, x1 = (box[[0, 2]] - left) * size / (right - left)
    y0, y1 = (box[[1, 3]] - top) * size / (bottom - top)
    return torch.tensor([size - x1, y0, size - x0, y1] if flips else [x0, y0, x1, y1], dtype=torch.float32)


def _cut(
    picture: UInt8[np.ndarray, "h w 3"], rectangle: Rectangle, *, size: int, flips: bool
) -> UInt8[Tensor, "3 s s"]:
    left, top, right, bottom = rectangle
    part = picture[top:bottom, left:right]
    shrinks = min(part.shape[:2]) > size
    square = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return torch.from_numpy(np.ascontiguousarray((square[:, ::-1] if flips else square).transpose(2, 0, 1)))


def collate_views(samples: Sequence[ViewSample], *, tokenizer: Tokenizer | None, context_length: int) -> ViewBatch:
    """Samples as one batch; texts padded to the longest, none without a tokenizer."""
    count = len(samples)
    token_ids = torch.empty(count, 0, dtype=torch.int64)
    if tokenizer is not None:
        token_ids = tokenizer.encode([s.text for s in samples], context_length=context_length)
    return ViewBatch(
        frames=torch.stack([s.scene for s in samples])[:, None],
        boxes=torch.stack([s.box for s in samples])[:, None, None],
        token_ids=token_ids,
        sentiment_logits=torch.zeros(count, 7),
        ids=tuple(s.id for s in samples),
        person=torch.stack([s.person for s in samples]),
        has_person=torch.tensor([s.has_person for s in samples]),
        patch_order=torch.stack([s.patch_order for s in samples]).long(),
    )
