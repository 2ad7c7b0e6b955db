"""Looks: everyone in the pictures of a store at some moments, as models embed them, in full batches.

Faces are cut out and embedded one by one. Persons are embedded picture by picture, each as the subject of a square of
the picture, and then over some seconds; pictures that several clips share are embedded once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int32, UInt8

from mien.data.seen_faces import OnFrame, SeenFace, rows_by_frame, seen_faces
from mien.data.store import Store
from mien.inference import Mien
from mien.media.sampling import evenly
from mien.media.transforms import Crop, crop_boxes_with, crop_frame

T = TypeVar("T")

BATCH = 64
"""Pictures a batch; larger ones are not faster on a CPU."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Looks:
    """Some of those who were looked at: `frame` numbers stored pictures, boxes are in pixels of the source."""

    frame: Int32[np.ndarray, "n"]
    track: Int32[np.ndarray, "n"]
    xyxy: Float32[np.ndarray, "n 4"]
    embedding: Float32[np.ndarray, "n e"]


def look_at_faces(
    model: Mien, store: Store, video: str, *, every: int = 1, on_frame: OnFrame = lambda done, total: None
) -> Iterator[Looks]:
    """Every face in each `every`-th stored picture, by picture; embeddings are L2-normalised."""
    size, frames = model.config.preprocess.image_size, range(0, len(store.frames(video)), every)
    for faces in batches(seen_faces(store, video, frames=frames, size=size, on_frame=on_frame)):
        yield _looks(faces, embed_squares(model, [face.picture for face in faces]).numpy())


def embed_squares(model: Mien, squares: Sequence[UInt8[np.ndarray, "s s 3"]]) -> Float32[torch.Tensor, "n e"]:
    """L2-normalised embeddings of pictures at the model's size, a batch at a time."""
    parts = [
        model.encode_frames(_pixels(squares[start : start + BATCH]), normalize=True).float().cpu()
        for start in range(0, len(squares), BATCH)
    ]
    return torch.cat(parts)


def look_at_persons(
    model: Mien,
    store: Store,
    video: str,
    *,
    every: int = 1,
    clip_s: float,
    on_frame: OnFrame = lambda done, total: None,
) -> Iterator[Looks]:
    """Every person in each `every`-th stored picture, over the `clip_s` seconds around it; L2-normalised, in no order.

    Of these seconds, those count in which the person can be followed, and as many of the pictures looked at as the
    model takes, evenly chosen. The subject is that person alone.
    """
    reader = store.frames(video)
    reach = clip_s / 2 * reader.info.fps  # in stored pictures, to both sides
    waiting = _Waiting(reach=reach, num_frames=model.config.clip.num_frames)
    pictures = _persons(model, store, video, every=every, on_frame=on_frame)
    for cuts in batches(pictures):
        boxes = torch.stack([torch.from_numpy(cut.box) for cut in cuts])[:, None]  # n 1 4
        x = model.encode_subjects(_pixels([cut.square for cut in cuts]), boxes).float().cpu()
        yield from _joined(model, waiting.add(cuts, x.numpy()))
    yield from _joined(model, waiting.rest())


# ── one picture of one of them ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Cut:
    """A square cut out of a stored picture, and where in it the subject is; `xyxy` is the box in the source."""

    frame: int
    person: int
    xyxy: Float32[np.ndarray, "4"]
    square: UInt8[np.ndarray, "s s 3"]
    box: Float32[np.ndarray, "4"]


def _persons(model: Mien, store: Store, video: str, *, every: int, on_frame: OnFrame) -> Iterator[_Cut]:
    reader, table, size = store.frames(video), store.boxes(video), model.config.preprocess.image_size
    to_stored = np.array(reader.info.stored_per_source * 2, np.float32)
    least = model.config.clip.min_box_score
    for frame, rows in rows_by_frame(table, range(0, len(reader), every), on_frame=on_frame):
        rgb = reader.decode(frame)
        for row in rows[table.score[rows] >= least]:
            stored = table.xyxy[row] * to_stored
            crop = square_around(stored, height=rgb.shape[0], width=rgb.shape[1])
            box = crop_boxes_with(torch.from_numpy(stored), crop, size=size).numpy()
            square = crop_frame(rgb, crop, size=size)
            yield _Cut(frame=frame, person=int(table.track[row]), xyxy=table.xyxy[row], square=square, box=box)


def square_around(xyxy: Float[np.ndarray, "4"], *, height: int, width: int) -> Crop:
    """The largest square of a picture that has the box as near to its middle as it can; models are trained on such.

    Training takes it from the picture's middle, which someone at its edge would not be in.
    """
    side = min(height, width)
    left, top = ((xyxy[i] + xyxy[i + 2] - side) / 2 for i in (0, 1))
    return Crop(left=float(np.clip(left, 0, width - side)), top=float(np.clip(top, 0, height - side)), side=float(side))


def batches(cuts: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(cuts)
    while batch := list(itertools.islice(waiting, BATCH)):
        yield batch


def _pixels(squares: Sequence[UInt8[np.ndarray, "s s 3"]]) -> UInt8[torch.Tensor, "n 3 s s"]:
    return rearrange(torch.from_numpy(np.stack(squares)), "n h w c -> n c h w")


def _looks(cuts: Sequence[_Cut] | Sequence[SeenFace], embedding: Float32[np.ndarray, "n e"]) -> Looks:
    return Looks(
        frame=np.array([cut.frame for cut in cuts], np.int32),
        track=np.array([cut.person for cut in cuts], np.int32),
        xyxy=np.stack([cut.xyxy for cut in cuts]),
        embedding=embedding,
    )


# ── clips of persons ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Clip:
    """A person at a moment, and the embeddings of the pictures around it."""

    cut: _Cut
    frames: Float32[np.ndarray, "t e"]


class _Waiting:
    """Embedded pictures of persons whose clips are not over yet; of each person, those of `clip_s` seconds are held."""

    def __init__(self, *, reach: float, num_frames: int) -> None:
        self._reach = reach
        self._num_frames = num_frames
        self._held: dict[int, list[tuple[_Cut, np.ndarray]]] = {}
        self._next: dict[int, int] = {}
        """By person, which of those held is the middle of the next clip."""

    def add(self, cuts: list[_Cut], x: Float32[np.ndarray, "n e"]) -> Iterator[_Clip]:
        """Takes the pictures of a batch, by time, and gives the clips that have all they can have."""
        for cut, own in zip(cuts, x, strict=True):
            self._held.setdefault(cut.person, []).append((cut, own))
        now = cuts[-1].frame
        for track in list(self._held):
            yield from self._over(track, before=now - self._reach)
            if self._held[track][-1][0].frame < now - 2 * self._reach:  # gone, for all we know
                yield from self._over(track, before=np.inf)
                del self._held[track], self._next[track]

    def rest(self) -> Iterator[_Clip]:
        for track in self._held:
            yield from self._over(track, before=np.inf)

    def _over(self, track: int, *, before: float) -> Iterator[_Clip]:
        held, middle = self._held[track], self._next.get(track, 0)
        frames = np.array([cut.frame for cut, _ in held])
        while middle < len(held) and frames[middle] < before:
            start, end = np.searchsorted(frames, [frames[middle] - self._reach, frames[middle] + self._reach + 1e-6])
            chosen = start + evenly(int(end - start), count=self._num_frames)
            yield _Clip(cut=held[middle][0], frames=np.stack([held[i][1] for i in chosen]))
            middle += 1
        dropped = int(np.searchsorted(frames, frames[min(middle, len(held) - 1)] - self._reach))
        del held[:dropped]
        self._next[track] = middle - dropped


def _joined(model: Mien, clips: Iterable[_Clip]) -> Iterator[Looks]:
    waiting = iter(clips)
    while batch := list(itertools.islice(waiting, BATCH)):
        x = model.join_frames(torch.from_numpy(np.stack([clip.frames for clip in batch])))
        yield _looks([clip.cut for clip in batch], torch.nn.functional.normalize(x.float(), dim=-1).cpu().numpy())
