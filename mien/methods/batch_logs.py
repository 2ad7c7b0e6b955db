"""What a contrastive batch's embeddings say of the training, for the log: detached scalars, in float32."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mien.losses import KLDirection, negative_weight, row_chunks

SUPPRESSED = 10.0
"""A negative whose logit loses more than this (its term shrinks by e^10) counts as taken out of the denominator."""

UNIFORMITY_ROWS = 1024
"""So many embeddings are compared with each other; half a million pairs tell the mean well, and cost nothing."""


@torch.no_grad()
def batch_accuracy(
    a: Float[Tensor, "b e"], b: Float[Tensor, "b e"], *, anchors: slice, chunk: int | None = None
) -> Float[Tensor, ""]:
    """The share of the anchors in `a` whose nearest row of `b` is their own."""
    every = torch.arange(len(a), device=a.device)
    hits = torch.zeros((), device=a.device)
    with torch.autocast(a.device.type, enabled=False):
        for rows in row_chunks(anchors, batch=len(a), chunk=chunk):
            hits += ((a[rows] @ b.T).argmax(dim=1) == every[rows]).sum()
    return hits / (anchors.stop - anchors.start)


@torch.no_grad()
def negatives_suppressed(
    sentiment_logits: Float[Tensor, "b 7"],
    *,
    beta: float,
    kl_direction: KLDirection,
    anchors: slice,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """The share of the anchors' logits that SNCE takes out of the denominator, the positives' counted in the whole."""
    if beta == 0:
        return torch.zeros((), device=sentiment_logits.device)
    suppressed = torch.zeros((), dtype=torch.float64, device=sentiment_logits.device)  # float32 counts to 2²⁴ only
    for rows in row_chunks(anchors, batch=len(sentiment_logits), chunk=chunk):
        weight = negative_weight(sentiment_logits, beta=beta, kl_direction=kl_direction, anchors=rows)
        suppressed += (weight > SUPPRESSED).sum()
    return (suppressed / ((anchors.stop - anchors.start) * len(sentiment_logits))).float()


@torch.no_grad()
def alignment(a: Float[Tensor, "b e"], b: Float[Tensor, "b e"]) -> Float[Tensor, ""]:
    """The mean squared distance of a pair's two L2-normalised embeddings, 0 to 4; lower is better.

    Source: Wang & Isola 2020, equation 1 with α = 2.
    """
    return (a - b).float().square().sum(dim=-1).mean()


@torch.no_grad()
def uniformity(x: Float[Tensor, "b e"]) -> Float[Tensor, ""]:
    """`log mean exp(-2 |x_i - x_j|²)` over the pairs i < j of the first `UNIFORMITY_ROWS` L2-normalised rows.

    0 where all embeddings are one point, -4 about where they are spread evenly in many dimensions; lower is better.
    One row alone is one point. Source: Wang & Isola 2020, equation 2 with t = 2.
    """
    if len(x) < 2:
        return torch.zeros((), device=x.device)
    return torch.pdist(x[:UNIFORMITY_ROWS].float()).square().mul(-2).exp().mean().log()
