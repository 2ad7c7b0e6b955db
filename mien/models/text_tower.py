"""CLIP's text tower: a causal transformer read out at the end-of-text token."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.config import Config
from mien.models.transformer import CAUSAL, Activation, Transformer
from mien.types import MienError


class TextConfig(Config):
    """Sizes of the text tower."""

    context_length: int = Field(77, gt=1)
    vocab_size: int = Field(49408, gt=2)
    width: int = Field(512, gt=0)
    layers: int = Field(12, gt=0)
    heads: int = Field(8, gt=0)
    mlp_width: int = Field(2048, gt=0)
    activation: Activation = "gelu"
    eot_id: int | None = Field(None, ge=0)
    """The end-of-text token; by default a row's largest id, as CLIP has it, whose vocabulary ends with that token."""

    @model_validator(mode="after")
    def _sizes_divide(self) -> TextConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class TextTransformer(nn.Module):
    """Token ids to an embedding (Radford et al. 2021)."""

    def __init__(self, config: TextConfig, *, embed_dim: int, checkpointing: bool = False) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.position_embedding = nn.Parameter(0.01 * torch.randn(config.context_length, config.width))
        self.transformer = Transformer(
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            mlp_width=config.mlp_width,
            activation=config.activation,
            checkpointing=checkpointing,
        )
        self.final_norm = nn.LayerNorm(config.width)
        self.projection = nn.Parameter(config.width**-0.5 * torch.randn(config.width, embed_dim))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def forward(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b e"]:
        """The embedding at each row's first end-of-text token; not normalised.

        Rows may be padded with anything after that token: causal attention keeps it from being seen, so padding to
        the batch's longest text or to the full context gives the same embeddings.
        """
        length = token_ids.shape[1]
        if length > self.config.context_length:
            raise MienError(
                f"token ids of length {length} exceed the model's context of {self.config.context_length}; "
                "tokenise with truncation"
            )
        tokens = self.token_embedding(token_ids) + self.position_embedding[:length]
        tokens = self.transformer(tokens, attend=CAUSAL)
        end = self.ends(token_ids)
        at_end = tokens[torch.arange(tokens.shape[0], device=tokens.device), end]
        return self.final_norm(at_end) @ self.projection

    def ends(self, token_ids: Int64[Tensor, "b l"]) -> Int64[Tensor, "b"]:
        """Where each row's first end-of-text token is; what follows is padding."""
        eot_id = self.config.eot_id
        return (token_ids if eot_id is None else (token_ids == eot_id).int()).argmax(dim=1)  # argmax: the first
