"""The pre-norm transformer of CLIP's two towers, with attention that can be swapped from outside.

`attend` arguments say how queries meet keys: one object a layer, `SOFTMAX` where nothing is said. That is all subject
masking, causal text and the recording of attention maps need; the transformer knows of none of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

Activation = Literal["gelu", "quick_gelu"]
NORM_EPS = 1e-5
"""CLIP's; torch's default."""


@runtime_checkable
class Attend(Protocol):
    """How queries meet keys and values. `__call__` is the fast path; `weights` the matrix it amounts to."""

    def __call__(
        self, q: Float[Tensor, "b h m d"], k: Float[Tensor, "b h n d"], v: Float[Tensor, "b h n d"]
    ) -> Float[Tensor, "b h m d"]: ...

    def weights(self, q: Float[Tensor, "b h m d"], k: Float[Tensor, "b h n d"]) -> Float[Tensor, "b h m n"]: ...


class Softmax:
    """Plain scaled dot-product attention; with `causal`, a token sees only itself and what precedes it."""

    def __init__(self, *, causal: bool = False) -> None:
        self.causal = causal

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if q.device.type == "cpu" and q.dtype == torch.bfloat16:
            with sdpa_kernel(SDPBackend.MATH):  # the fused kernel's backward pass takes five times as long there
                return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        logits = attention_logits(q, k)
        if self.causal:
            above = torch.ones(logits.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
            logits = logits.masked_fill(above, -torch.inf)
        return logits.softmax(dim=-1)


class Recorded:
    """Attends as another does, by its explicit matrix, and keeps that matrix in `recorded`."""

    def __init__(self, attend: Attend) -> None:
        self.attend = attend
        self.recorded: Tensor | None = None

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.recorded = self.weights(q, k)
        return self.recorded @ v

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        return self.attend.weights(q, k)


SOFTMAX = Softmax()
CAUSAL = Softmax(causal=True)


def attention_logits(q: Float[Tensor, "b h m d"], k: Float[Tensor, "b h n d"]) -> Float[Tensor, "b h m n"]:
    return q @ k.mT / math.sqrt(q.shape[-1])


class Transformer(nn.Module):
    """`layers` residual blocks. With `checkpointing`, activations are recomputed in the backward pass."""

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        heads: int,
        mlp_width: int,
        activation: Activation = "gelu",
        norm_eps: float = NORM_EPS,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.blocks = nn.ModuleList(
            Block(width=width, heads=heads, mlp_width=mlp_width, activation=activation, depth=layers, norm_eps=norm_eps)
            for _ in range(layers)
        )

    def drop_paths(self, rate: float) -> None:
        """From now on, in training, the last block adds nothing for `rate` of a batch, the first for none, those
        between in equal steps (stochastic depth, Huang et al. 2016); what is added counts for more in return."""
        for depth, block in enumerate(self.blocks):
            cast(Block, block).drop_path = rate * depth / max(1, len(self.blocks) - 1)

    def forward(
        self, tokens: Float[Tensor, "b n d"], *, attend: Sequence[Attend] | Attend = SOFTMAX, read: int | None = None
    ) -> Float[Tensor, "b m d"]:
        """The tokens after the last block; with `read`, the first so many only, m = read.

        Where the last block attends plainly it then computes no others: of a tower of 12 that is read at `[cls]`, a
        sixteenth of the arithmetic.
        """
        per_layer = attend if isinstance(attend, Sequence) else [attend] * len(self.blocks)
        for depth, (block, how) in enumerate(zip(self.blocks, per_layer, strict=True), start=1):
            wanted = read if depth == len(self.blocks) and how is SOFTMAX else None
            if self.checkpointing and self.training and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, how, wanted, use_reentrant=False)
            else:
                tokens = block(tokens, how, wanted)
        return tokens[:, :read]


class Block(nn.Module):
    """One residual block, initialised as CLIP's: normal weights that shrink with the stack's `depth`, zero biases."""

    def __init__(
        self, *, width: int, heads: int, mlp_width: int, activation: Activation, depth: int, norm_eps: float = NORM_EPS
    ) -> None:
        super().__init__()
        self.drop_path = 0.0
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attention = Attention(width=width, heads=heads)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = MLP(width=width, hidden=mlp_width, activation=activation)
        residual_std = width**-0.5 * (2 * depth) ** -0.5
        for linear, std in (
            (self.attention.qkv, width**-0.5),
            (self.attention.out, residual_std),
            (self.mlp.up, (2 * width) ** -0.5),
            (self.mlp.down, residual_std),
        ):
            nn.init.normal_(linear.weight, std=std)
            nn.init.zeros_(linear.bias)

    def forward(
        self, tokens: Float[Tensor, "b n d"], attend: Attend, read: int | None = None
    ) -> Float[Tensor, "b m d"]:
        """The first `read` tokens, all by default, after they have looked at all."""
        tokens = tokens[:, :read] + self._dropped(self.attention(self.norm1(tokens), attend, read))
        return tokens + self._dropped(self.mlp(self.norm2(tokens)))

    def _dropped(self, added: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        if not (self.training and self.drop_path):
            return added
        stays = torch.rand(len(added), 1, 1, device=added.device) >= self.drop_path
        return added * (stays / (1 - self.drop_path)).to(added.dtype)


class Attention(nn.Module):
    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, tokens: Float[Tensor, "b n d"], attend: Attend, read: int | None = None
    ) -> Float[Tensor, "b m d"]:
        """What the first `read` tokens, all by default, take from all."""
        q, k, v = rearrange(self.qkv(tokens), "b n (three h d) -> three b h n d", three=3, h=self.heads)
        return self.out(rearrange(attend(q[:, :, :read], k, v), "b h n d -> b n (h d)"))


class MLP(nn.Module):
    def __init__(self, *, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.activation = activation

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        hidden = self.up(tokens)
        if self.activation == "quick_gelu":  # OpenAI's CLIP
            return self.down(hidden * torch.sigmoid(1.702 * hidden))
        return self.down(F.gelu(hidden))
