"""The vision transformer: pictures to tokens, tokens to tokens, tokens to an embedding, as three calls.

Between the first and the second, others add tokens of their own (the subject's), drop some (masked autoencoding) or
change how tokens attend; so the model has no flags for any of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.config import Config
from mien.models.conv_stem import ConvStem, ConvStemConfig
from mien.models.transformer import NORM_EPS, SOFTMAX, Activation, Attend, Transformer

MAE_NORM_EPS = 1e-6


class VisionConfig(Config):
    """Sizes of the vision transformer, in pixels and channels."""

    image_size: int = Field(224, gt=0)
    patch_size: int = Field(32, gt=0)
    width: int = Field(768, gt=0)
    layers: int = Field(12, gt=0)
    heads: int = Field(12, gt=0)
    mlp_width: int = Field(3072, gt=0)
    activation: Activation = "gelu"
    layout: Literal["clip", "mae"] = "clip"
    """`mae` is the encoder of masked autoencoders (He et al. 2022): positions are sines and cosines that are not
    trained, the patch embedding has a bias, no norm stands before the blocks, and a picture is read from the mean of
    its patches, so that its embedding is as wide as the tower."""
    stem: ConvStemConfig | None = None
    """Convolutions that make the tokens, for small pictures and little data; CLIP's patch embedding by default."""

    @model_validator(mode="after")
    def _sizes_divide(self) -> VisionConfig:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}; "
                f"the nearest that is: {round(self.image_size / self.patch_size) * self.patch_size}"
            )
        if self.layout == "mae" and self.width % 4:
            raise ValueError(f"width {self.width} is not a multiple of 4: sines and cosines of two directions")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.stem and self.stem.stride != self.patch_size:
            raise ValueError(
                f"patch_size {self.patch_size} is not what the stem's {len(self.stem.widths)} stages make: "
                f"{self.stem.stride}"
            )
        return self

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size


class VisionTransformer(nn.Module):
    """CLIP's image tower (Radford et al. 2021), or the encoder of MAE: `pool(encode(embed(image)))`."""

    def __init__(self, config: VisionConfig, *, embed_dim: int, checkpointing: bool = False) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch_size
        is_mae = config.layout == "mae"
        self.patch_embedding = (
            nn.Conv2d(3, width, kernel_size=patch, stride=patch, bias=is_mae)
            if config.stem is None
            else ConvStem(config.stem, width=width)
        )
        self.class_embedding = nn.Parameter(width**-0.5 * torch.randn(width))
        self.position_embedding = (
            nn.Parameter(sincos_positions(config.grid, width=width), requires_grad=False)
            if is_mae
            else nn.Parameter(width**-0.5 * torch.randn(config.grid**2 + 1, width))
        )
        self.pre_norm = nn.Identity() if is_mae else nn.LayerNorm(width)
        self.transformer = Transformer(
            width=width,
            layers=config.layers,
            heads=config.heads,
            mlp_width=config.mlp_width,
            activation=config.activation,
            norm_eps=MAE_NORM_EPS if is_mae else NORM_EPS,
            checkpointing=checkpointing,
        )
        self.post_norm = nn.LayerNorm(width, eps=MAE_NORM_EPS if is_mae else NORM_EPS)
        self.projection = None if is_mae else nn.Parameter(width**-0.5 * torch.randn(width, embed_dim))

    def embed(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """`[cls]`, then the patches row by row, each with its position; n = 1 + grid². Normalised pixels in."""
        patches = rearrange(self.patch_embedding(image), "b d gh gw -> b (gh gw) d")
        # .shape[0], here as in other towers: len() would fix the batch's size in an exported graph
        cls = repeat(self.class_embedding, "d -> b 1 d", b=image.shape[0]).to(patches.dtype)
        return torch.cat([cls, patches], dim=1) + self.position_embedding

    def encode(
        self, tokens: Float[Tensor, "b n d"], *, attend: Sequence[Attend] | Attend = SOFTMAX, read: int | None = None
    ) -> Float[Tensor, "b m d"]:
        """The tokens that come out; with `read`, the first so many only: `pool` needs one, `[cls]`."""
        return self.transformer(self.pre_norm(tokens), attend=attend, read=read)

    @property
    def num_read(self) -> int | None:
        """How many of the encoded tokens `pool` needs, the first ones; None for all."""
        return 1 if self.projection is not None else None

    def pool(self, tokens: Float[Tensor, "b m d"]) -> Float[Tensor, "b e"]:
        """The picture's embedding, from `[cls]` (of MAE's from the patches' mean); not normalised."""
        return self.project(tokens[:, 0] if self.projection is not None else tokens[:, 1:].mean(dim=1))

    def project(self, tokens: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
        """Encoded tokens in the space of embeddings; not normalised."""
        normed = self.post_norm(tokens)
        return normed if self.projection is None else normed @ self.projection


def sincos_positions(grid: int, *, width: int) -> Float[Tensor, "n d"]:
    """MAE's fixed positions: zeros for `[cls]`, then for each patch, row by row, its column in the first half of the
    channels and its row in the second; of each half, sines then cosines of frequencies from 1 down to 1/10,000."""
    frequencies = 10_000 ** -(torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    of_index = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = of_index[None, :].expand(grid, -1, -1), of_index[:, None].expand(-1, grid, -1)
    of_patches = rearrange(torch.cat([columns, rows], dim=2), "gh gw d -> (gh gw) d")
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), of_patches]).float()
