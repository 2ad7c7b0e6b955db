"""A masked autoencoder (He et al., CVPR 2022): most patches are hidden, and a small decoder rebuilds their pixels."""

from __future__ import annotations

import torch
from einops import repeat
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor, nn

from mien.config import Config
from mien.models.transformer import Transformer
from mien.models.vit import VisionConfig, VisionTransformer, sincos_positions

TOKEN_DEVIATION = 0.02


class DecoderConfig(Config):
    """Sizes of the decoder: the published one's by default."""

    width: int = Field(512, gt=0)
    layers: int = Field(8, gt=0)
    heads: int = Field(16, gt=0)


class MaskedAutoencoder(nn.Module):
    """`reconstruct(encode(pictures, order, num_seen), order)`.

    `order` says of each picture in which order its patches count: the first `num_seen` are seen, the others masked.
    """

    def __init__(self, encoder: VisionTransformer, decoder: DecoderConfig, *, checkpointing: bool = False) -> None:
        super().__init__()
        vision = encoder.config
        self.encoder = encoder
        self.to_decoder = nn.Linear(vision.width, decoder.width)
        self.mask_token = nn.Parameter(TOKEN_DEVIATION * torch.randn(decoder.width))
        self.positions = nn.Parameter(sincos_positions(vision.grid, width=decoder.width), requires_grad=False)
        self.decoder = Transformer(
            width=decoder.width,
            layers=decoder.layers,
            heads=decoder.heads,
            mlp_width=4 * decoder.width,
            checkpointing=checkpointing,
        )
        self.decoder_norm = nn.LayerNorm(decoder.width)
        self.to_pixels = nn.Linear(decoder.width, 3 * vision.patch_size**2)

    def encode(
        self, pictures: Float[Tensor, "b 3 h w"], order: Int64[Tensor, "b n"], *, num_seen: int
    ) -> Float[Tensor, "b m d"]:
        """`[cls]` and the patches that are seen, m = 1 + num_seen, normalised as MAE's encoder ends. Normalised pixels
        in."""
        tokens = self.encoder.embed(pictures)
        seen = _rows(tokens[:, 1:], order[:, :num_seen])
        return self.encoder.post_norm(self.encoder.encode(torch.cat([tokens[:, :1], seen], dim=1)))

    def reconstruct(self, encoded: Float[Tensor, "b m d"], order: Int64[Tensor, "b n"]) -> Float[Tensor, "b n p"]:
        """All patches' pixels, row by row, as `mien.losses.distillation.patches_of` cuts them."""
        tokens = self.to_decoder(encoded)
        num_masked = order.shape[1] - (encoded.shape[1] - 1)
        masked = repeat(self.mask_token, "d -> b n d", b=len(tokens), n=num_masked).to(tokens.dtype)
        patches = _rows(torch.cat([tokens[:, 1:], masked], dim=1), order.argsort(dim=1))
        decoded = self.decoder(torch.cat([tokens[:, :1], patches], dim=1) + self.positions)
        return self.to_pixels(self.decoder_norm(decoded[:, 1:]))  # without `[cls]`: the released code keeps it alone


def num_seen(config: VisionConfig, *, mask_ratio: float) -> int:
    """How many patches of a picture are seen: `mask_ratio` of 196 is masked, rounded as MAE's code does."""
    return int(config.grid**2 * (1 - mask_ratio))


def masked_of(order: Int64[Tensor, "b n"], *, num_seen: int) -> Bool[Tensor, "b n"]:
    """Which patches are masked, row by row of the picture."""
    return order.argsort(dim=1) >= num_seen


def _rows(tokens: Float[Tensor, "b n d"], index: Int64[Tensor, "b m"]) -> Float[Tensor, "b m d"]:
    return tokens.gather(1, repeat(index, "b m -> b m d", d=tokens.shape[2]))
