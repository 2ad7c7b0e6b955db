"""Linear layers in bfloat16, for embedding on a GPU: half the bytes, its fast arithmetic, nearly the same embeddings.

What is added up along the way (the residual stream), the norms and the softmax stay in float32, as under autocast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.models.transformer import Block


class Bfloat16Linear(nn.Module):
    """What `linear` computes, nearly; float32 in and out."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().bfloat16())
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().bfloat16())

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
        return F.linear(x.bfloat16(), self.weight, self.bias).to(x.dtype)


@torch.no_grad()
def use_bfloat16(model: nn.Module) -> None:
    """Puts `Bfloat16Linear` in place of the transformers' linear layers, nine tenths of the arithmetic and more.

    The model can then neither be trained nor saved.
    """
    for block in [module for module in model.modules() if isinstance(module, Block)]:
        for owner in (block.attention, block.mlp):
            for name, child in list(owner.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(owner, name, Bfloat16Linear(child))
