"""The smallest EmoCapCLIP, a random captioned batch for it, and captions of the tiny store's videos."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from tiny import CONFIG, VOCABULARY, random_batch
from torch import Tensor

from mien.captions.record import CaptionRecord, write_captions
from mien.captions.writer import write_caption
from mien.methods import EmoCapClipConfig
from mien.models.video_clip import VideoClipConfig
from mien.types import CaptionBatch

WITHOUT_SENTENCES = 2
"""The row of `captioned_batch` that has no local sentence."""


def captioned_config(**changes: Any) -> EmoCapClipConfig:
    """One-to-one unless told, on `tiny.CONFIG`'s network without a subject."""
    model = VideoClipConfig.model_validate(CONFIG.model.model_dump() | {"subject": "vanilla"})
    return EmoCapClipConfig.model_validate({"model": model, "mining": {"space": "none"}} | changes)


def captioned_batch(size: int = 8, *, seed: int = 0) -> CaptionBatch:
    """Up to three local sentences a clip, many of them equal; votes for four emotions."""
    generator = torch.Generator().manual_seed(seed + 1)
    clips = random_batch(size, seed=seed)
    said = _texts(5, generator)
    present = torch.rand(size, 3, generator=generator) < 0.7
    present[WITHOUT_SENTENCES] = False
    votes = torch.rand(size, 4, generator=generator)
    return CaptionBatch(
        **{field.name: getattr(clips, field.name) for field in fields(clips)},
        summary_ids=_texts(size, generator),
        local_ids=said[torch.randint(0, len(said), (size, 3), generator=generator)],
        present=present,
        votes=votes / votes.sum(dim=1, keepdim=True),
        naming_ids=_texts(4, generator).expand(size, 4, 6),
    )


def _texts(count: int, generator: torch.Generator) -> Tensor:
    token_ids = torch.randint(0, VOCABULARY - 1, (count, 6), generator=generator)
    token_ids[:, -1] = VOCABULARY - 1
    return token_ids


def derived(image: str, *, emotion: str = "anger") -> CaptionRecord:
    """Written from the votes of ten judges, seven of whom agree."""
    return write_caption({emotion: 7, "neutral": 3}, image=image, seed=0, source="labels:toy")


def by_hand(image: str, *, number_of_sentences: int = 3) -> CaptionRecord:
    """Written by a human, without votes."""
    regions = ("brows", "eyes", "cheeks", "lips", "chin")[:number_of_sentences]
    return CaptionRecord(
        image=image,
        overall=f"The face of {image}.",
        local=tuple(f"The {region} of {image} are still." for region in regions),
        summary=f"Nothing moves in {image}.",
        source="human",
    )


def write_tiny_captions(path: Path, *, images: list[str]) -> Path:
    """Derived captions of these images, of another emotion each."""
    emotions = ("anger", "happiness", "sadness", "surprise", "fear", "disgust")
    write_captions(path, [derived(image, emotion=emotions[i % len(emotions)]) for i, image in enumerate(images)])
    return path
