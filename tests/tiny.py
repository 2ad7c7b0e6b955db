"""The smallest EmotionCLIP and a random batch for it."""

from __future__ import annotations

import torch

from mien.methods import EmotionClipConfig
from mien.models.video_clip import VideoClipConfig
from mien.types import ClipBatch

VOCABULARY = 20

CONFIG = EmotionClipConfig(
    model=VideoClipConfig.model_validate(
        {
            "embed_dim": 8,
            "vision": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
            "text": {
                "context_length": 8, "vocab_size": VOCABULARY, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16,
            },
            "temporal": {"layers": 1, "heads": 2, "mlp_width": 16, "dropout": 0.0, "num_frames": 3},
        }
    ),
    beta=1.0,
)  # fmt: skip


def random_batch(size: int = 8, *, seed: int = 0) -> ClipBatch:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(size, 3, 2, 2, generator=generator) * 10
    token_ids = torch.randint(0, VOCABULARY - 1, (size, 6), generator=generator)
    token_ids[torch.arange(size), torch.arange(size) % 5 + 1] = VOCABULARY - 1
    return ClipBatch(
        frames=torch.randint(0, 256, (size, 3, 3, 16, 16), dtype=torch.uint8, generator=generator),
        boxes=torch.cat([corner, corner + torch.rand(size, 3, 2, 2, generator=generator) * 9], dim=-1),
        token_ids=token_ids,
        sentiment_logits=2 * torch.randn(size, 7, generator=generator),
        ids=tuple(f"clip {i}" for i in range(size)),
    )


def part_of(batch: ClipBatch, rows: slice) -> ClipBatch:
    return ClipBatch(
        frames=batch.frames[rows],
        boxes=batch.boxes[rows],
        token_ids=batch.token_ids[rows],
        sentiment_logits=batch.sentiment_logits[rows],
        ids=batch.ids[rows],
    )
