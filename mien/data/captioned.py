"""Captioned pictures and clips as samples: those of a store, joined by name to the records of a caption file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch.utils.data import Dataset

from mien.captions.naming import name_emotions
from mien.captions.record import CaptionRecord, read_captions
from mien.captions.writer import rewrite_caption
from mien.config import Config
from mien.data.clips import ClipDataset, Sample, collate
from mien.data.store import Store
from mien.text import Tokenizer
from mien.types import CaptionBatch, Clip, MienError

VARIANTS_DRAW = 1
"""Sets the draws of captions apart from those of pictures, which use the same seed."""
NAMINGS = 4
"""In an epoch, emotions are named in so many ways: few, so that a batch's prompts are soon read."""


class CaptionSettings(Config):
    """Where captions are, and how much of one is read."""

    file: Path
    """JSON lines, as `mien captions write` makes them. Of several records of one picture each epoch draws one, and what
    was written from votes is written anew."""
    max_local: int = Field(5, ge=0)
    """Local sentences read of a caption; drawn anew in each epoch where it has more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionedSample:
    """A clip, read, and what is said of it. votes: shares by emotion, in the dataset's order; zeros if not known.
    naming: a prompt for each of these emotions."""

    sample: Sample
    caption: CaptionRecord
    local: tuple[str, ...]
    votes: tuple[float, ...]
    naming: tuple[str, ...]


class Captions:
    """The records of a file by the picture's name, which is that of its video in a store."""

    def __init__(self, records: Iterable[CaptionRecord], *, source: str) -> None:
        self.source = source
        self.by_image: dict[str, list[CaptionRecord]] = {}
        for record in records:
            self.by_image.setdefault(record.image, []).append(record)
        named = {emotion for own in self.by_image.values() for record in own for emotion in record.votes or ()}
        self.emotions = tuple(sorted(named))

    @classmethod
    def read(cls, path: Path) -> Captions:
        return cls(read_captions(path), source=str(path))

    def clips(self, store: Store) -> list[Clip]:
        """The store's videos and pictures that have a caption, each as one clip. Raises MienError if none has."""
        videos = store.videos
        found = [store.whole_clip(video) for video in videos if video in self.by_image]
        if not found:
            ours, theirs = next(iter(videos), "nothing"), next(iter(self.by_image), "nothing")
            raise MienError(
                f"{self.source} has captions of nothing in {store.path}: the store has {ours!r}, the captions "
                f"{theirs!r}; the names must be the same"
            )
        return found


class CaptionedDataset(Dataset[CaptionedSample]):
    """The samples of `clips` by (epoch, index), each with a caption. Without augmentation, always its first."""

    def __init__(self, clips: ClipDataset, captions: Captions, *, max_local: int) -> None:
        self.clips = clips
        self.captions = captions
        self.max_local = max_local

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: tuple[int, int]) -> CaptionedSample:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> list[CaptionedSample]:
        samples = self.clips.__getitems__(keys)
        return [self._captioned(sample, *key) for sample, key in zip(samples, keys, strict=True)]

    def _naming(self, epoch: int, number: int) -> tuple[str, ...]:
        return name_emotions(self.captions.emotions, seed=self.clips.seed, variant=epoch * NAMINGS + number)

    def _captioned(self, sample: Sample, epoch: int, index: int) -> CaptionedSample:
        records = self.captions.by_image[self.clips.clips[index].video]
        if self.clips.augment is None:
            caption, local = records[0], records[0].local[: self.max_local]
        else:
            rng = np.random.default_rng((self.clips.seed, epoch, index, VARIANTS_DRAW))
            caption = records[int(rng.integers(len(records)))]
            if caption.is_derived and caption.votes:  # in other words each time: nobody wrote the ones in the file
                caption = rewrite_caption(caption, seed=self.clips.seed, variant=epoch)
            count = min(self.max_local, len(caption.local))
            local = tuple(caption.local[i] for i in np.sort(rng.permutation(len(caption.local))[:count]))
        votes = caption.votes or {}
        return CaptionedSample(
            sample=replace(sample, text=caption.overall),
            caption=caption,
            local=local,
            votes=tuple(votes.get(emotion, 0.0) for emotion in self.captions.emotions),
            naming=self._naming(epoch, index % NAMINGS),
        )


def collate_captioned(
    samples: Sequence[CaptionedSample], *, tokenizer: Tokenizer, context_length: int, max_local: int
) -> CaptionBatch:
    """Samples as one batch; all texts padded to the longest, the local sentences of each to `max_local`."""
    batch = collate([s.sample for s in samples], tokenizer=None, context_length=context_length)
    local = [[*s.local, *[""] * (max_local - len(s.local))] for s in samples]
    texts = [s.caption.overall for s in samples] + [s.caption.summary for s in samples]
    token_ids = tokenizer.encode(texts + [text for own in local for text in own], context_length=context_length)
    count, length = len(samples), token_ids.shape[1]
    prompts = {text: number for number, text in enumerate(dict.fromkeys(text for s in samples for text in s.naming))}
    naming_ids = tokenizer.encode(list(prompts) or [""], context_length=context_length)
    present = [[k < len(s.local) for k in range(max_local)] for s in samples]
    return CaptionBatch(
        frames=batch.frames,
        boxes=batch.boxes,
        token_ids=token_ids[:count],
        sentiment_logits=batch.sentiment_logits,
        ids=batch.ids,
        summary_ids=token_ids[count : 2 * count],
        local_ids=token_ids[2 * count :].reshape(count, max_local, length),
        present=torch.tensor(present, dtype=torch.bool),
        votes=torch.tensor([s.votes for s in samples], dtype=torch.float32),
        naming_ids=naming_ids[torch.tensor([[prompts[text] for text in s.naming] for s in samples], dtype=torch.int64)],
    )
