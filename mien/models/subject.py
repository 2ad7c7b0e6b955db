"""Who the picture is about: three ways to tell a vision transformer, after EmotionCLIP §3.2.

Each takes the embedded tokens and the subject's coverage of every patch, and returns the tokens to encode and how each
layer attends. `hmn`, where there is one, is the last token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mien.models.transformer import SOFTMAX, Attend, attention_logits

SubjectKind = Literal["vanilla", "sap", "saam"]

SAAM_INITIAL_SHARE = 0.02
"""The share of attention that SAAM moves to the subject at first: training starts at nearly plain CLIP."""

Guided = tuple[Float[Tensor, "b m d"], Sequence[Attend] | Attend]


class Vanilla(nn.Module):
    """The picture as it is; the subject is not looked at."""

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        *,
        coverage: Float[Tensor, "b gh gw"],
        position_embedding: Float[Tensor, "n d"],
    ) -> Guided:
        return tokens, SOFTMAX


class SubjectPrompt(nn.Module):
    """SAP: one more token, the sum of the covered patches' positional embeddings; no parameters.

    The paper sums over the set P of the subject's patches. As in the released code, each patch counts by the share of
    it that the subject covers, which is the same where boxes end at patch borders. Nobody there gives the zero token.
    """

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        *,
        coverage: Float[Tensor, "b gh gw"],
        position_embedding: Float[Tensor, "n d"],
    ) -> Guided:
        weight = rearrange(coverage, "b gh gw -> b (gh gw)").to(position_embedding.dtype)
        hmn = weight @ position_embedding[1:]  # b d
        return torch.cat([tokens, hmn[:, None].to(tokens.dtype)], dim=1), SOFTMAX


class SubjectAttentionMask(nn.Module):
    """SAAM: a learnable token, and in the first `num_layers` layers attention shifted from the context to it.

    `Attn* = [S∘(1-A)] V + [S∘A] U V`: the share A of every attention weight is redistributed by U, the attention in
    which `hmn` and the patches outside the subject do not see each other and `hmn` does not see `[cls]`. The paper
    leaves open which products are elementwise; read like this, and only so, every row still sums to one. The released
    code has no SAAM: this is our implementation of the paper's text.
    """

    def __init__(self, *, width: int, num_tokens: int, num_layers: int, total_layers: int) -> None:
        super().__init__()
        self.token = nn.Parameter(width**-0.5 * torch.randn(width))
        odds = SAAM_INITIAL_SHARE / (1 - SAAM_INITIAL_SHARE)
        initial = torch.full((num_layers, num_tokens + 1, num_tokens + 1), odds).log()
        self.share_logit = nn.Parameter(initial)  # A = sigmoid of it, a layer; shared by heads
        self.total_layers = total_layers

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        *,
        coverage: Float[Tensor, "b gh gw"],
        position_embedding: Float[Tensor, "n d"],
    ) -> Guided:
        hmn = repeat(self.token, "d -> b 1 d", b=tokens.shape[0]).to(tokens.dtype)
        is_subject = rearrange(coverage > 0, "b gh gw -> b (gh gw)")
        hidden = hidden_from_subject(is_subject)
        attend: list[Attend] = [SubjectShift(share=logit.sigmoid(), hidden=hidden) for logit in self.share_logit]
        attend += [SOFTMAX] * (self.total_layers - len(attend))
        return torch.cat([tokens, hmn], dim=1), attend


class SubjectShift:
    """SAAM's attention of one layer. share: A, in [0, 1]. hidden: true where U may not look."""

    def __init__(self, *, share: Float[Tensor, "n n"], hidden: Bool[Tensor, "b 1 n n"]) -> None:
        self.share = share
        self.hidden = hidden

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        everything, subject = self._two(q, k)
        share = self.share.to(v.dtype)
        return (everything * (1 - share)) @ v + (everything * share) @ (subject @ v)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        everything, subject = self._two(q, k)
        return everything * (1 - self.share) + (everything * self.share) @ subject

    def _two(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        logits = attention_logits(q, k)
        everything = logits.softmax(dim=-1)
        subject = logits.masked_fill(self.hidden, -torch.inf).softmax(dim=-1)
        return everything.to(q.dtype), subject.to(q.dtype)


def hidden_from_subject(is_subject: Bool[Tensor, "b p"]) -> Bool[Tensor, "b 1 n n"]:
    """Where SAAM's M is -∞, n = 1 + p + 1: `hmn` ↔ patches outside the subject, both ways, and `hmn` → `[cls]`."""
    batch, patches = is_subject.shape
    hidden = torch.zeros(batch, patches + 2, patches + 2, dtype=torch.bool, device=is_subject.device)
    hidden[:, -1, 1:-1] = ~is_subject
    hidden[:, 1:-1, -1] = ~is_subject
    hidden[:, -1, 0] = True
    return hidden[:, None]
