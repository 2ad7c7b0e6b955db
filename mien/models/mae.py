"""A masked autoencoder (He et al., CVPR 2022): most patches are hidden, and a small decoder rebuilds their pixels."""

from __future__ import annotations

import torch
from einops import repeat
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor, nn

from mien.config import Config
from mien.losses import patches_of, pictures_of
from mien.models.transformer import Transformer
from mien.models.vit import MAE_NORM_EPS, VisionConfig, VisionTransformer, sincos_positions

TOKEN_DEVIATION = 0.02


class DecoderConfig(Config):
    """Sizes of the decoder: the published one's by default."""

    width: int = Field(512, gt=0)
    layers: int = Field(8, gt=0)
    heads: int = Field(16, gt=0)


def encode_seen(
    encoder: VisionTransformer, pictures: Float[Tensor, "b 3 h w"], order: Int64[Tensor, "b n"], *, num_seen: int
) -> Float[Tensor, "b m d"]:
    """`[cls]` and the patches that are seen, m = 1 + num_seen, normalised as MAE's encoder ends. Normalised pixels in.

    order: in which order a picture's patches count; the first `num_seen` are seen, the others masked.
    """
    tokens = encoder.embed(pictures)
    seen = _rows(tokens[:, 1:], order[:, :num_seen])
    return encoder.post_norm(encoder.encode(torch.cat([tokens[:, :1], seen], dim=1)))


@torch.no_grad()
def rebuild(
    encoder: VisionTransformer,
    decoder: MaskedDecoder,
    pictures: Float[Tensor, "b 3 h w"],
    order: Int64[Tensor, "b n"],
    *,
    num_seen: int,
) -> Float[Tensor, "b 3 h w"]:
    """The pictures with their masked patches as the decoder paints them; those that are seen stay as they are."""
    patch = encoder.config.patch_size
    painted = decoder(encode_seen(encoder, pictures, order, num_seen=num_seen), order)
    masked = masked_of(order, num_seen=num_seen)[..., None]
    return pictures_of(torch.where(masked, painted, patches_of(pictures, patch=patch)), patch=patch)


class MaskedDecoder(nn.Module):
    """From what `encode_seen` gives to the pixels of all patches."""

    def __init__(self, vision: VisionConfig, config: DecoderConfig, *, checkpointing: bool = False) -> None:
        super().__init__()
        self.from_encoder = nn.Linear(vision.width, config.width)
        self.mask_token = nn.Parameter(TOKEN_DEVIATION * torch.randn(config.width))
        self.positions = nn.Parameter(sincos_positions(vision.grid, width=config.width), requires_grad=False)
        self.transformer = Transformer(
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            mlp_width=4 * config.width,
            norm_eps=MAE_NORM_EPS,
            checkpointing=checkpointing,
        )
        self.norm = nn.LayerNorm(config.width, eps=MAE_NORM_EPS)
        self.to_pixels = nn.Linear(config.width, 3 * vision.patch_size**2)

    def forward(self, encoded: Float[Tensor, "b m d"], order: Int64[Tensor, "b n"]) -> Float[Tensor, "b n p"]:
        """All patches' pixels, row by row, as `mien.losses.patches_of` cuts them."""
        tokens = self.from_encoder(encoded)
        num_masked = order.shape[1] - (encoded.shape[1] - 1)
        masked = repeat(self.mask_token, "d -> b n d", b=len(tokens), n=num_masked).to(tokens.dtype)
        patches = _rows(torch.cat([tokens[:, 1:], masked], dim=1), order.argsort(dim=1))
        decoded = self.transformer(torch.cat([tokens[:, :1], patches], dim=1) + self.positions)
        return self.to_pixels(self.norm(decoded[:, 1:]))  # without `[cls]`, which the released code keeps instead


def num_seen(config: VisionConfig, *, mask_ratio: float) -> int:
    """How many patches of a picture are seen: `mask_ratio` of 196 is masked, rounded as MAE's code does."""
    return int(config.grid**2 * (1 - mask_ratio))


def masked_of(order: Int64[Tensor, "b n"], *, num_seen: int) -> Bool[Tensor, "b n"]:
    """Which patches are masked, row by row of the picture."""
    return order.argsort(dim=1) >= num_seen


def _rows(tokens: Float[Tensor, "b n d"], index: Int64[Tensor, "b m"]) -> Float[Tensor, "b m d"]:
    return tokens.gather(1, repeat(index, "b m -> b m d", d=tokens.shape[2]))
