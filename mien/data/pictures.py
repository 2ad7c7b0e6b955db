"""Pictures of a user as a model's batches: read, their subject found, cut to the model's size."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Literal, TypeGuard

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from mien.data.clips import ClipSettings, Sample, collate
from mien.media.pictures import Picture, read_picture
from mien.media.transforms import Preprocess, centre_crop, crop_boxes_with, crop_frame
from mien.media.video import VIDEO_SUFFIXES
from mien.perception.detector import Detector, build_detector
from mien.perception.picture_faces import Face, find_faces
from mien.types import EMOTIONS, ClipBatch, MienError

Shown = Literal["scenes", "faces"]
"""What a model's pictures show: whole scenes with people in them, or a face each, cut out by
`mien.perception.face_crop`."""

Source = Picture | Face
"""What is embedded: a picture however it is held, a face that was found in one, or a video by its path."""

BATCH = 32
"""Pictures a batch: so many are in memory at a time, in the model's size, and one as it was."""


def named(sources: Source | Sequence[Source]) -> list[tuple[str, Source]]:
    """One source or several as a list; arrays `[n, h, w, 3]` and tensors `[n, 3, h, w]` are n pictures.

    Files are named by their paths, others by their place in the list, `#0`.
    """
    return [
        (str(source) if isinstance(source, str | PathLike) else f"#{place}", source)
        for place, source in enumerate(_listed(sources))
    ]


def _listed(sources: Source | Sequence[Source]) -> list[Source]:
    if isinstance(sources, np.ndarray | Tensor):
        return list(sources) if sources.ndim == 4 else [sources]
    if isinstance(sources, str | bytes | Image.Image) or not isinstance(sources, Iterable):
        return [sources]
    return list(sources)


def is_video(source: object) -> TypeGuard[str | PathLike[str]]:
    """Whether it is the path of a video, by its ending."""
    return isinstance(source, str | PathLike) and Path(source).suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, kw_only=True)
class PictureReader:
    """Reads pictures as clips of one frame, repeated as often as the model reads frames of a clip.

    shown: `scenes` are the largest square in the middle, with everyone the person detector finds as the subject (with
    `settings.subject: largest`, whoever is largest); `faces` are the largest face; a picture without one is refused.
    finds_people: whether the model has a use for the subject.
    """

    preprocess: Preprocess
    settings: ClipSettings
    shown: Shown
    finds_people: bool

    def batches(self, pictures: Sequence[tuple[str, Source]], *, cropped: bool) -> Iterator[ClipBatch]:
        """Of named pictures, in their order. cropped: the subject fills them, and is not looked for."""
        rest = iter(pictures)
        while batch := list(itertools.islice(rest, BATCH)):
            samples = [self._sample(name, picture, cropped=cropped) for name, picture in batch]
            yield collate(samples, tokenizer=None, context_length=0)

    def _sample(self, name: str, picture: Source, *, cropped: bool) -> Sample:
        size, count = self.preprocess.image_size, self.settings.num_frames
        if isinstance(picture, Face):
            rgb, cropped = picture.picture, True
        else:
            rgb = read_picture(picture, name=name)
        if self.shown == "faces" and not cropped:
            rgb, cropped = self._largest_face(rgb, name=name), True
        crop = centre_crop(height=rgb.shape[0], width=rgb.shape[1])
        square = torch.from_numpy(crop_frame(rgb, crop, size=size).transpose(2, 0, 1).copy())  # 3 s s
        whole = torch.tensor([[0, 0, size, size]], dtype=torch.float32)
        boxes = whole if cropped else crop_boxes_with(self._people(rgb), crop, size=size)
        return Sample(
            frames=square.expand(count, -1, -1, -1),
            boxes=[boxes] * count,
            text="",
            sentiment_logits=np.zeros(len(EMOTIONS), np.float32),
            id=name,
        )

    def _largest_face(self, rgb: UInt8[np.ndarray, "h w 3"], *, name: str) -> UInt8[np.ndarray, "s s 3"]:
        faces = find_faces(rgb, detector=self._face_detector)
        if not faces:
            raise MienError(
                f"no face is found in {name}; if it is itself a face, cut out, say cropped=True (--cropped)"
            )
        return max(faces, key=lambda face: face.area).picture

    def _people(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Float32[Tensor, "n 4"]:
        """Boxes of the subject in pixels of `rgb`, highest score first; what a store of the picture would have."""
        if not self.finds_people:
            return torch.empty(0, 4)
        (found,) = self._person_detector.detect(rgb[None])
        xyxy = found.xyxy[found.score >= max(self._person_detector.threshold, self.settings.min_box_score)]
        if self.settings.subject == "largest" and len(xyxy):
            xyxy = xyxy[[(xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1).argmax()]]
        return torch.from_numpy(xyxy[: self.settings.max_boxes])

    @cached_property
    def _face_detector(self) -> Detector:
        return build_detector("centerface")

    @cached_property
    def _person_detector(self) -> Detector:
        return build_detector("centernet")
