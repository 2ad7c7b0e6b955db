"""Clips of a store as samples: frames, the subject's boxes, tokens, sentiment; and their batches.

A sample is a pure function of the store, the settings and (seed, epoch, index): not of workers, ranks or what was read
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from mien.config import Config
from mien.data.batch_memory import BatchMemory, as_one
from mien.data.store import Store
from mien.media.distort import Distortions
from mien.media.sampling import SampleFrames, evenly, random_in_order
from mien.media.transforms import Augment, Crop, Preprocess, centre_crop, crop_boxes_with, crop_frame, random_crop
from mien.text import Tokenizer
from mien.types import EMOTIONS, BoxTable, Clip, ClipBatch, MienError

NEUTRAL = EMOTIONS.index("neutral")


class ClipSettings(Config):
    """What is read of a clip, in training and in evaluation alike."""

    num_frames: int = Field(8, gt=0)
    subject: Literal["all", "largest", "speaking"] | None = None
    """Whose boxes form the subject area: everyone's, as published, the largest person's, or the speaker's; None is as
    the store says."""
    min_box_score: float = Field(0.35, ge=0, le=1)
    """Detections below do not count. The paper has 0.5 with YOLOv7; the embedded detector's scores run lower."""
    max_boxes: int = Field(8, gt=0)
    """The highest-scoring persons of a frame that are used."""


class ClipFilter(Config):
    """Which clips of a store are trained on."""

    videos: str = "*"
    """A pattern (`train/*`) that names of videos must match."""
    min_person_share: float = Field(0.0, ge=0, le=1)
    max_neutral: float = Field(0.05, gt=0, le=1)
    """Utterances more probably neutral than this are left out, as published; 1 keeps all."""

    def apply(self, clips: Sequence[Clip]) -> list[Clip]:
        return [clip for clip in clips if self._keeps(clip)]

    def _keeps(self, clip: Clip) -> bool:
        return (
            fnmatch(clip.video, self.videos)
            and clip.person_share >= self.min_person_share
            and neutral_probability(clip) <= self.max_neutral
        )


def neutral_probability(clip: Clip) -> float:
    logits = np.asarray(clip.sentiment_logits)
    p = np.exp(logits - logits.max())
    return float(p[NEUTRAL] / p.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One clip, read. Boxes are in pixels of `frames`, one array a frame."""

    frames: UInt8[Tensor, "t 3 h w"]
    boxes: list[Float[Tensor, "_ 4"]]
    text: str
    sentiment_logits: Float32[np.ndarray, "7"]
    id: str


class ClipDataset(Dataset[Sample]):
    """Clips by (epoch, index). Frames and crop are random with `augment`; else `sample_frames`', and central."""

    def __init__(
        self,
        store: Store,
        clips: Sequence[Clip],
        *,
        settings: ClipSettings,
        preprocess: Preprocess,
        augment: Augment | None = None,
        seed: int = 0,
        sample_frames: SampleFrames = evenly,
    ) -> None:
        self.store = store
        self.clips = clips
        self.settings = settings
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self.sample_frames = sample_frames
        self._memory = BatchMemory()
        self.subject = settings.subject or store.settings["subject"]
        require_speakers(store, self.subject)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> list[Sample]:
        """The samples of a batch, their frames in one block of memory, so that `collate` need not copy them."""
        size = self.preprocess.image_size
        frames = self._memory.take(len(keys), self.settings.num_frames, 3, size, size)
        return [self._read(epoch, index, own) for (epoch, index), own in zip(keys, frames, strict=True)]

    def _read(self, epoch: int, index: int, frames: UInt8[Tensor, "t 3 h w"]) -> Sample:
        """One sample; its pictures are written to `frames`."""
        clip = self.clips[index]
        rng = np.random.default_rng((self.seed, epoch, index))
        reader = self.store.frames(clip.video)
        info = reader.info
        if self.augment is None:
            chosen = self.sample_frames(clip.num_frames, count=self.settings.num_frames)
            crop = centre_crop(height=info.height, width=info.width)
        else:
            chosen = random_in_order(clip.num_frames, count=self.settings.num_frames, rng=rng)
            crop = random_crop(self.augment, height=info.height, width=info.width, rng=rng)
        chosen = chosen + clip.start_frame
        self._read_frames(clip, chosen, crop, frames.numpy())
        boxes = self._read_boxes(clip, chosen, crop)
        if self.augment is not None and self.augment.distort.changes_anything:
            boxes = self._distort(self.augment.distort, frames.numpy(), boxes, rng)
        return Sample(
            frames=frames,
            boxes=boxes,
            text=clip.text,
            sentiment_logits=np.asarray(clip.sentiment_logits, dtype=np.float32),
            id=clip.id,
        )

    def _read_frames(
        self, clip: Clip, chosen: Int[np.ndarray, "t"], crop: Crop, to: UInt8[np.ndarray, "t 3 h w"]
    ) -> None:
        reader, size = self.store.frames(clip.video), self.preprocess.image_size
        short_side = min(reader.info.height, reader.info.width)
        needed = round(size * short_side / crop.side)  # of the whole frame, for the crop to have `size` pixels
        for planes, frame in zip(to, chosen, strict=True):
            picture = reader.decode(int(frame), min_short_side=needed)
            shrunk = picture.shape[0] / reader.info.height
            own_crop = Crop(left=crop.left * shrunk, top=crop.top * shrunk, side=crop.side * shrunk, flip=crop.flip)
            square = np.ascontiguousarray(crop_frame(picture, own_crop, size=size))  # without it `split` is slow
            cv2.split(square, list(planes))  # five times as fast as `transpose`

    def _distort(
        self,
        distortions: Distortions,
        frames: UInt8[np.ndarray, "t 3 h w"],
        boxes: list[Float[Tensor, "_ 4"]],
        rng: np.random.Generator,
    ) -> list[Float[Tensor, "_ 4"]]:
        """The boxes in the distorted pictures, which take the place of `frames`."""
        size = self.preprocess.image_size
        distortion = distortions.draw(rng, size=size)
        for number, planes in enumerate(frames):
            cv2.split(distortion.picture(cv2.merge(list(planes)), number=number), list(planes))
        return [distortion.boxes(own, size=size) for own in boxes]

    def _read_boxes(self, clip: Clip, chosen: Int[np.ndarray, "t"], crop: Crop) -> list[Float[Tensor, "_ 4"]]:
        table, info = self.store.boxes(clip.video), self.store.frames(clip.video).info
        to_stored = torch.tensor(info.stored_per_source * 2)
        largest = None
        if self.subject == "largest":
            require_tracks(table, clip)
            largest = largest_track(table, clip.start_frame, clip.end_frame, min_score=self.settings.min_box_score)
        wanted = chosen.astype(table.frame.dtype)  # other numbers would have the whole table converted
        first, last = np.searchsorted(table.frame, wanted), np.searchsorted(table.frame, wanted, side="right")
        rows = [self._subject_rows(table, slice(*ends), largest) for ends in zip(first, last, strict=True)]
        stored = torch.from_numpy(table.xyxy[np.concatenate(rows)]) * to_stored
        cropped = crop_boxes_with(stored, crop, size=self.preprocess.image_size)
        return list(torch.split(cropped, [len(own) for own in rows]))

    def _subject_rows(self, table: BoxTable, frame: slice, largest: int | None) -> Int[np.ndarray, "_"]:
        """The rows, of one frame's, that hold the subject, highest score first."""
        score = table.score[frame]
        is_used = score >= self.settings.min_box_score
        if self.subject == "speaking":
            is_used &= table.speaking[frame]
        if self.subject == "largest":
            is_used &= table.track[frame] == largest
        rows = np.flatnonzero(is_used)
        return frame.start + rows[np.argsort(-score[rows], kind="stable")][: self.settings.max_boxes]


def require_speakers(store: Store, subject: str) -> None:
    """Raise MienError where the speaker is to be the subject, and the store does not say who speaks."""
    settings = store.settings
    if subject == "speaking" and settings["subject"] != "speaking" and settings["boxes"]["source"] != "sidecar":
        raise MienError(
            f"the subject is to be the speaker, but {store.path} does not say who speaks; run `mien prepare` again "
            "with --subject speaking, or use subject all or largest"
        )


def require_tracks(boxes: BoxTable, clip: Clip) -> None:
    """Raise MienError where the clip's boxes do not say who is who, as those imported from the released pipeline."""
    first, last = _rows_of(boxes, clip.start_frame, clip.end_frame)
    if (boxes.track[first:last] < 0).any():
        raise MienError(
            f"the subject is to be the largest person, but the boxes of {clip.id} do not say who is who (their tracks "
            "are unknown); use data.clip.subject=all, or run `mien prepare` on the videos"
        )


def largest_track(boxes: BoxTable, start_frame: int, end_frame: int, *, min_score: float) -> int | None:
    """The person whose boxes have the greatest area, summed over the frames of a clip; None where nobody is.

    Boxes that score below `min_score` do not count.
    """
    first, last = _rows_of(boxes, start_frame, end_frame)
    rows = first + np.flatnonzero(boxes.score[first:last] >= min_score)
    if not len(rows):
        return None
    sides = boxes.xyxy[rows, 2:] - boxes.xyxy[rows, :2]  # n 2
    tracks, number = np.unique(boxes.track[rows], return_inverse=True)
    return int(tracks[np.bincount(number, weights=sides.prod(axis=1)).argmax()])


def _rows_of(boxes: BoxTable, start_frame: int, end_frame: int) -> Int[np.ndarray, "2"]:
    """The first row of these frames and the row after their last."""
    ends = np.array([start_frame, end_frame], boxes.frame.dtype)  # other numbers would have the whole table converted
    return np.searchsorted(boxes.frame, ends)


def collate(samples: Sequence[Sample], *, tokenizer: Tokenizer | None, context_length: int) -> ClipBatch:
    """Samples of equal size as one batch; boxes padded with empty ones, texts to the longest.

    Without a tokenizer there are no token ids, `[b, 0]`: enough to embed clips, not to embed their texts.
    """
    most = max([len(b) for sample in samples for b in sample.boxes] + [1])
    num_frames = len(samples[0].boxes)
    boxes = torch.zeros(len(samples), num_frames, most, 4)
    for i, sample in enumerate(samples):
        for t, own in enumerate(sample.boxes):
            boxes[i, t, : len(own)] = own
    token_ids = torch.empty(len(samples), 0, dtype=torch.int64)
    if tokenizer is not None:
        token_ids = tokenizer.encode([s.text for s in samples], context_length=context_length)
    return ClipBatch(
        frames=as_one([s.frames for s in samples]),
        boxes=boxes,
        token_ids=token_ids,
        sentiment_logits=torch.from_numpy(np.stack([s.sentiment_logits for s in samples])),
        ids=tuple(s.id for s in samples),
    )
