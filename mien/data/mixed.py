"""Mixed clips: each is blended with another of the set, or has a piece of it, and so are their labels.

Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), the partner being drawn from the whole set and not from the
batch: so a sample stays a pure function of (seed, epoch, index), at the price of reading two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from mien.config import Config
from mien.data.clips import ClipDataset, Sample, collate
from mien.types import MixedBatch

MIX_DRAW = 3
"""Sets these draws apart from the others that use the same seed."""


class MixSettings(Config):
    """How strongly clips are mixed; with both, half of them each way."""

    mixup: float = Field(0.0, ge=0)
    """α of the Beta distribution that the own share is drawn from; 0 blends none. MAE's fine-tuning has 0.8."""
    cutmix: float = Field(0.0, ge=0)
    """The same of the piece's area; MAE's fine-tuning has 1."""

    @property
    def mixes(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MixedSample:
    """A mixture: of its labels, `share` are the sample's own and the rest those of the clip `partner_id`."""

    sample: Sample
    partner_id: str
    share: float


class MixedDataset(Dataset[MixedSample]):
    """The samples of `clips`, each mixed with another."""

    def __init__(self, clips: ClipDataset, settings: MixSettings) -> None:
        self.clips = clips
        self.settings = settings

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: tuple[int, int]) -> MixedSample:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> list[MixedSample]:
        draws = [np.random.default_rng((self.clips.seed, epoch, index, MIX_DRAW)) for epoch, index in keys]
        partners = [(epoch, int(rng.integers(len(self)))) for (epoch, _), rng in zip(keys, draws, strict=True)]
        read = self.clips.__getitems__([*keys, *partners])
        own, others = read[: len(keys)], read[len(keys) :]
        return [self._mixed(*each) for each in zip(own, others, draws, strict=True)]

    def _mixed(self, own: Sample, other: Sample, rng: np.random.Generator) -> MixedSample:
        settings = self.settings
        cuts = settings.cutmix > 0 and (settings.mixup == 0 or rng.random() < 0.5)
        alpha = settings.cutmix if cuts else settings.mixup
        share = float(rng.beta(alpha, alpha))
        if cuts:
            share = _cut_in(own.frames, other.frames, 1 - share, rng)
        else:
            blend = share * own.frames.float() + (1 - share) * other.frames.float()
            own.frames.copy_(blend.round().to(torch.uint8))
        boxes = [torch.cat(both) for both in zip(own.boxes, other.boxes, strict=True)]
        return MixedSample(sample=replace(own, boxes=boxes), partner_id=other.id, share=share)


def _cut_in(
    frames: UInt8[Tensor, "t 3 h w"], other: UInt8[Tensor, "t 3 h w"], area: float, rng: np.random.Generator
) -> float:
    """Puts a rectangle of `area` (a share, less what falls outside) of `other` into `frames`; the share that stays."""
    height, width = frames.shape[2:]
    h, w = round(height * area**0.5), round(width * area**0.5)
    top, left = int(rng.integers(height)) - h // 2, int(rng.integers(width)) - w // 2
    rows, columns = slice(max(0, top), max(0, top + h)), slice(max(0, left), max(0, left + w))
    frames[:, :, rows, columns] = other[:, :, rows, columns]
    covered = frames[0, 0, rows, columns].numel()
    return 1 - covered / (height * width)


def collate_mixed(samples: Sequence[MixedSample]) -> MixedBatch:
    """Mixtures as one batch, without texts."""
    batch = collate([mixed.sample for mixed in samples], tokenizer=None, context_length=0)
    return MixedBatch(
        frames=batch.frames,
        boxes=batch.boxes,
        token_ids=batch.token_ids,
        sentiment_logits=batch.sentiment_logits,
        ids=batch.ids,
        partner_ids=tuple(mixed.partner_id for mixed in samples),
        share=torch.tensor([mixed.share for mixed in samples], dtype=torch.float32),
    )
