"""The smallest UniEmoX, a teacher of random weights for it, and a random batch of views."""

from __future__ import annotations

from typing import Any

import torch

from mien.media.transforms import Preprocess
from mien.methods import UniEmoX, UniEmoxConfig
from mien.methods.teacher import Teacher
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import ViewBatch

ENCODER = {
    "embed_dim": 16,
    "subject": "vanilla",
    "text": None,
    "temporal": {"kind": "mean"},
    "vision": {
        "image_size": 16, "patch_size": 4, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32, "layout": "mae",
    },
}  # fmt: skip
TEACHER = {
    "embed_dim": 12,
    "subject": "vanilla",
    "temporal": {"kind": "mean"},
    "vision": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
    "text": {"context_length": 16, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
}


def teacher(*, image_size: int = 16) -> Teacher:
    torch.manual_seed(1)
    config = VideoClipConfig.model_validate(TEACHER)
    config = config.model_copy(update={"vision": config.vision.model_copy(update={"image_size": image_size})})
    return Teacher(VideoClip(config), preprocess=Preprocess(image_size=image_size), tokenizer=Tokenizer.clip())


def views_config(**changes: Any) -> UniEmoxConfig:
    small = {"model": ENCODER, "decoder": {"width": 16, "layers": 1, "heads": 2}, "teacher": "a teacher"}
    return UniEmoxConfig.model_validate(small | changes)


def build(**changes: Any) -> UniEmoX:
    config = views_config(**changes)
    torch.manual_seed(0)
    return UniEmoX(config, teacher=teacher() if config.teacher else None).train()


def views_batch(size: int = 6, *, seed: int = 0) -> ViewBatch:
    generator = torch.Generator().manual_seed(seed)

    def pixels(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    token_ids = torch.randint(0, 49406, (size, 7), generator=generator)
    token_ids[:, -1] = 49407
    return ViewBatch(
        frames=pixels(size, 1, 3, 16, 16),
        boxes=torch.zeros(size, 1, 1, 4),
        token_ids=token_ids,
        sentiment_logits=torch.zeros(size, 7),
        ids=tuple(f"picture {i}" for i in range(size)),
        person=pixels(size, 3, 16, 16),
        has_person=torch.rand(size, generator=generator) < 0.7,
        patch_order=torch.rand(size, 2, 16, generator=generator).argsort(dim=2),
    )
