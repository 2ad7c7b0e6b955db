"""Known sizes of CLIP's towers and of masked autoencoders' encoders, by name."""

from __future__ import annotations

from typing import Any


def _clip(
    *,
    embed_dim: int,
    image_size: int = 224,
    patch_size: int,
    vision: tuple[int, int],
    text: tuple[int, int],
    context_length: int = 77,
    temporal_layers: int = 6,
) -> dict[str, Any]:
    """`vision` and `text` are (width, layers); heads are 64 channels wide, as in CLIP, 32 below a width of 256."""
    return {
        "embed_dim": embed_dim,
        "vision": {"image_size": image_size, "patch_size": patch_size, **_tower(*vision)},
        "text": {"context_length": context_length, **_tower(*text)},
        "temporal": {
            "layers": temporal_layers,
            "heads": max(1, embed_dim // 64),
            "mlp_width": 4 * embed_dim,
        },
    }


def _mae(*, width: int, layers: int, heads: int, patch_size: int) -> dict[str, Any]:
    """A masked autoencoder's encoder, which reads no texts."""
    vision = {"image_size": 224, "patch_size": patch_size, "layout": "mae"}
    return {
        "embed_dim": width,
        "vision": vision | {"width": width, "layers": layers, "heads": heads, "mlp_width": 4 * width},
        "text": None,
        "subject": "vanilla",
        "temporal": {"kind": "mean"},
    }


def _tower(width: int, layers: int) -> dict[str, int]:
    head_width = 64 if width >= 256 else 32
    return {"width": width, "layers": layers, "heads": width // head_width, "mlp_width": 4 * width}


PRESETS: dict[str, dict[str, Any]] = {
    "ViT-B/32": _clip(embed_dim=512, patch_size=32, vision=(768, 12), text=(512, 12)),
    "ViT-B/16": _clip(embed_dim=512, patch_size=16, vision=(768, 12), text=(512, 12)),
    "ViT-L/14": _clip(embed_dim=768, patch_size=14, vision=(1024, 24), text=(768, 12)),
    # These two train from random weights on a CPU: the first in minutes, the second in hours.
    "nano": _clip(
        embed_dim=128, image_size=96, patch_size=16, vision=(128, 4), text=(128, 2), context_length=40,
        temporal_layers=1,
    ),
    "micro": _clip(
        embed_dim=256, image_size=128, patch_size=16, vision=(256, 6), text=(256, 4), temporal_layers=2
    ),
    "MAE-B/16": _mae(width=768, layers=12, heads=12, patch_size=16),
    "MAE-L/16": _mae(width=1024, layers=24, heads=16, patch_size=16),
    "MAE-H/14": _mae(width=1280, layers=32, heads=16, patch_size=14),
}  # fmt: skip
"""The published EmotionCLIP is ViT-B/32 with a temporal transformer of 6 layers, 8 heads and 2048 channels; UniEmoX is
MAE-L/16."""
