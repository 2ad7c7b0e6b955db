"""A foreign network's sizes, read off its tensors' shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mien.config import validate
from mien.models.transformer import Activation
from mien.models.video_clip import VideoClipConfig
from mien.types import MienError

HEAD_WIDTH = 64
"""Channels a head in every published CLIP; the number of heads is the one size no shape tells."""


HUGE, HUGE_HEAD_WIDTH = 1280, 80
"""MAE's huge encoder has 16 heads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unseen:
    """What the tensors' shapes do not tell. Heads: None is one per 64 channels, at least one."""

    vision_heads: int | None = None
    text_heads: int | None = None
    temporal_heads: int = 8
    vision_activation: Activation = "gelu"
    text_activation: Activation = "gelu"
    eot_id: int | None = None


def infer_config(state: Mapping[str, Tensor], *, subject: str, source: str, unseen: Unseen) -> VideoClipConfig:
    """All sizes from the shapes of tensors in own names."""

    def shape(name: str, dims: int) -> tuple[int, ...]:
        if name not in state or state[name].ndim != dims:
            found = tuple(state[name].shape) if name in state else "missing"
            raise MienError(f"{source}: the tensor for {name} must have {dims} dimensions, but it is {found}")
        return tuple(state[name].shape)

    def tower(prefix: str, width: int, heads: int | None) -> dict[str, Any]:
        return {
            "width": width,
            "layers": _count(state, rf"{prefix}\.transformer\.blocks\.(\d+)\."),
            "heads": heads or max(1, width // HEAD_WIDTH),
            "mlp_width": shape(f"{prefix}.transformer.blocks.0.mlp.up.weight", 2)[0],
        }

    vision_width, _, patch_size, _ = shape("vision.patch_embedding.weight", 4)
    num_positions = shape("vision.position_embedding", 2)[0]
    grid = math.isqrt(num_positions - 1)
    if grid**2 != num_positions - 1:
        raise MienError(f"{source}: {num_positions} image positions are not a square of patches and [cls]")
    vocab_size, text_width = shape("text.token_embedding.weight", 2)
    temporal: dict[str, Any] = {"kind": "mean"}
    if "temporal.position_embedding" in state:
        temporal = {
            "kind": "transformer",
            "num_frames": shape("temporal.position_embedding", 2)[0],
            "layers": _count(state, r"temporal\.encoder\.layers\.(\d+)\."),
            "heads": unseen.temporal_heads,
            "mlp_width": shape("temporal.encoder.layers.0.linear1.weight", 2)[0],
        }
    return validate(
        VideoClipConfig,
        {
            "embed_dim": shape("vision.projection", 2)[1],
            "vision": {
                "image_size": patch_size * grid,
                "patch_size": patch_size,
                "activation": unseen.vision_activation,
                **tower("vision", vision_width, unseen.vision_heads),
            },
            "text": {
                "context_length": shape("text.position_embedding", 2)[0],
                "vocab_size": vocab_size,
                "activation": unseen.text_activation,
                "eot_id": unseen.eot_id,
                **tower("text", text_width, unseen.text_heads),
            },
            "subject": subject,
            "temporal": temporal,
        },
        source=f"{source}, sizes taken from its tensors,",
    )


def infer_encoder_config(state: Mapping[str, Tensor], *, source: str, unseen: Unseen) -> VideoClipConfig:
    """Of a masked autoencoder's encoder, which reads no texts."""
    names = ("vision.patch_embedding.weight", "vision.position_embedding", "vision.transformer.blocks.0.mlp.up.weight")
    if missing := [name for name in names if name not in state]:
        raise MienError(f"{source} lacks the tensors for {', '.join(missing)}")
    if state[names[0]].ndim != 4:
        raise MienError(
            f"{source}: patch_embed.proj.weight must be a convolution's, of 4 dimensions, but it is "
            f"{tuple(state[names[0]].shape)}"
        )
    width, _, patch_size, _ = state[names[0]].shape
    grid = math.isqrt(len(state[names[1]]) - 1)
    return validate(
        VideoClipConfig,
        {
            "embed_dim": width,
            "vision": {
                "layout": "mae",
                "image_size": patch_size * grid,
                "patch_size": patch_size,
                "width": width,
                "layers": _count(state, r"vision\.transformer\.blocks\.(\d+)\."),
                "heads": unseen.vision_heads or max(1, width // (HUGE_HEAD_WIDTH if width == HUGE else HEAD_WIDTH)),
                "mlp_width": state[names[2]].shape[0],
            },
            "text": None,
            "subject": "vanilla",
            "temporal": {"kind": "mean"},
        },
        source=f"{source}, sizes taken from its tensors,",
    )


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    numbers = [int(match[1]) for name in state if (match := re.match(pattern, name))]
    return max(numbers, default=-1) + 1
