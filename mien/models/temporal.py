"""From T frame embeddings to one clip embedding: EmotionCLIP's temporal encoder (§3.2) and its ablations."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from mien.config import Config
from mien.types import MienError


class TemporalConfig(Config):
    """`transformer` is the published encoder; `conv1d` and `mean` are its ablations."""

    kind: Literal["transformer", "conv1d", "mean"] = "transformer"
    num_frames: int = Field(8, gt=0)
    """Positions the transformer has; clips may have fewer frames, not more."""
    layers: int = Field(6, gt=0)
    heads: int = Field(8, gt=0)
    mlp_width: int = Field(2048, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)


def build_temporal(config: TemporalConfig, *, width: int) -> nn.Module:
    """A module from `[b, t, width]` to `[b, width]`."""
    if config.kind == "transformer":
        return TemporalTransformer(config, width=width)
    return TemporalConv(width=width) if config.kind == "conv1d" else TemporalMean()


class TemporalTransformer(nn.Module):
    """`mean_t(Enc(f_t + p_t) + f_t)`: post-norm layers with a final norm, learnable positions, one residual around."""

    def __init__(self, config: TemporalConfig, *, width: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            d_model=width,
            nhead=config.heads,
            dim_feedforward=config.mlp_width,
            dropout=config.dropout,
            activation="gelu",
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.position_embedding = nn.Parameter(width**-0.5 * torch.randn(config.num_frames, width))

    def forward(self, frames: Float[Tensor, "b t e"]) -> Float[Tensor, "b e"]:
        num_frames = frames.shape[1]
        if num_frames > len(self.position_embedding):
            raise MienError(
                f"a clip has {num_frames} frames but the temporal encoder has {len(self.position_embedding)} "
                "positions; sample fewer frames or train with a larger temporal.num_frames"
            )
        return (self.encoder(frames + self.position_embedding[:num_frames]) + frames).mean(dim=1)


class TemporalConv(nn.Module):
    """A depthwise convolution over three neighbouring frames, no bias, no padding, then the mean."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel_size=3, groups=width, bias=False)

    def forward(self, frames: Float[Tensor, "b t e"]) -> Float[Tensor, "b e"]:
        if frames.shape[1] < 3:
            raise MienError(f"the conv1d temporal encoder needs 3 frames or more, got {frames.shape[1]}")
        return self.conv(rearrange(frames, "b t e -> b e t")).mean(dim=-1)


class TemporalMean(nn.Module):
    """The mean of the frames."""

    def forward(self, frames: Float[Tensor, "b t e"]) -> Float[Tensor, "b e"]:
        return frames.mean(dim=1)
