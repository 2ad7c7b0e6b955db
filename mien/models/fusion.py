"""Fusion: one embedding of a picture's scene and of the person in it (UniEmoX, Chen et al., arXiv 2409.18877)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FusionKind = Literal["figure", "elu", "none"]


class Fusion(nn.Module):
    """`γ` in the teacher's space, from what the encoder's `[cls]` says of the scene (`α`) and of the person (`β`).

    figure: the paper's figure with normalised inputs, `γ = W(λ∘LN(α) + LN(β)) + b`, λ being 1 at the start. elu: the
    released code's, `γ = ELU(W(LN(α) + LN(β)) + b)`, with one norm for both. none: `γ = W α + b`, and nobody looks at
    the person (published without W: the teacher's space need not be as wide as `α`).
    """

    def __init__(self, kind: FusionKind, *, width: int, embed_dim: int) -> None:
        super().__init__()
        self.kind = kind
        self.to_teacher = nn.Linear(width, embed_dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(embed_dim))
        self.scene_norm: nn.Module = nn.Identity() if kind == "none" else nn.LayerNorm(width)
        self.person_norm: nn.Module = nn.LayerNorm(width) if kind == "figure" else self.scene_norm
        self.prior = nn.Parameter(torch.ones(width)) if kind == "figure" else None  # λ, the "psychological prior"

    @property
    def looks_at_person(self) -> bool:
        return self.kind != "none"

    def forward(self, scene: Float[Tensor, "b w"], person: Float[Tensor, "b w"] | None) -> Float[Tensor, "b e"]:
        """person: not read, and may be None, where `looks_at_person` is False."""
        if not self.looks_at_person:
            return self.to_teacher(scene) + self.bias
        assert person is not None
        alpha, beta = self.scene_norm(scene), self.person_norm(person)
        if self.prior is not None:
            return self.to_teacher(self.prior * alpha + beta) + self.bias
        return F.elu(self.to_teacher(alpha + beta) + self.bias)
