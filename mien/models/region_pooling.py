"""Region pooling: what a picture shows of one sentence, gathered from its patches by attention."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class RegionPooling(nn.Module):
    """`p_ik = Σ_l softmax_l(⟨W_q t_ik, W_k P_il⟩ / √E) W_v P_il`, L2-normalised.

    The three matrices start as the identity, this project's choice: p is a weighted mean of the patches in the joint
    space from the first step, the patches most like the sentence weighing most.

    Source: a reconstruction of EmoCapCLIP's local branch (Sun et al., arXiv 2507.21015), of which neither formula nor
    code has been published.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.query = _identity(width)
        self.key = _identity(width)
        self.value = _identity(width)

    def forward(self, patches: Float[Tensor, "b l e"], sentences: Float[Tensor, "b k e"]) -> Float[Tensor, "b k e"]:
        """patches: P, the patch tokens projected to the joint space; sentences: t; neither need be normalised.

        The result is float32 or better. A sentence of zeros (padding) gets the mean of the patches' values.
        """
        weights = self.weights(patches, sentences)
        values = self.value(patches)
        with torch.autocast(patches.device.type, enabled=False):
            return F.normalize(weights @ values.to(weights.dtype), dim=-1)  # b k e

    def weights(self, patches: Float[Tensor, "b l e"], sentences: Float[Tensor, "b k e"]) -> Float[Tensor, "b k l"]:
        """The share of each patch in a sentence's region, to look at; rows sum to one."""
        query, key = self.query(sentences), self.key(patches)
        dtype = torch.promote_types(query.dtype, torch.float32)
        with torch.autocast(patches.device.type, enabled=False):
            logits = query.to(dtype) @ key.to(dtype).mT / math.sqrt(query.shape[-1])
            return logits.softmax(dim=-1)


def _identity(width: int) -> nn.Linear:
    linear = nn.Linear(width, width, bias=False)
    nn.init.eye_(linear.weight)
    return linear
