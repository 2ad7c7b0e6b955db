"""Contrastive losses of pairs: InfoNCE, and SNCE, which leaves out negatives of the same sentiment."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.losses.chunks import at_least_float32, mean_over_chunks, row_chunks

KL_FLOOR = 1e-6
"""Divergences are raised to this, so that equal sentiments give a huge but finite weight (beta = 10: 1e7)."""

LOG_PROBABILITY_FLOOR = -1e4
"""Stands in for log 0: `0 * -1e4` is 0 where `0 * -inf` is not a number."""

KLDirection = Literal["paper", "reference"]


def info_nce_loss(
    a: Float[Tensor, "b e"],
    b: Float[Tensor, "b e"],
    *,
    logit_scale: Float[Tensor, ""] | float,
    anchors: slice | None = None,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE, CLIP's loss: row i of `a` belongs to row i of `b`, all other rows are its negatives.

    a, b: L2-normalised embeddings. logit_scale: the multiplier 1/τ itself, already exponentiated.
    anchors: the rows whose terms are averaged, in both directions; all by default.
    chunk: anchors computed at a time; all at once by default.

    Source: Radford et al. 2021, figure 3. Equals `sentiment_guided_contrastive_loss` with beta = 0.
    """

    def loss_of(rows: slice, a: Tensor, b: Tensor, logit_scale: Tensor | float) -> Tensor:
        return _symmetric_cross_entropy(a, b, logit_scale=logit_scale, weight=None, rows=rows)

    with torch.autocast(a.device.type, enabled=False):
        inputs = (at_least_float32(a), at_least_float32(b), logit_scale)
        return mean_over_chunks(loss_of, row_chunks(anchors, batch=len(a), chunk=chunk), inputs)


def sentiment_guided_contrastive_loss(
    video: Float[Tensor, "b e"],
    text: Float[Tensor, "b e"],
    *,
    logit_scale: Float[Tensor, ""] | float,
    sentiment_logits: Float[Tensor, "b 7"],
    beta: float = 10.0,
    kl_direction: KLDirection = "paper",
    anchors: slice | None = None,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """SNCE: a negative whose utterance feels like the anchor's is taken out of the denominator.

    `L = -1/2B Σ_i log exp(s v_i·t_i) / Σ_j exp(s v_i·t_j - w_ij)` plus the same from text to video, where
    `w_ij = beta / KL(s_i ‖ s_j)` and `w_ii = 0`: equal sentiments are removed (w is huge), very different ones stay.

    video, text: L2-normalised embeddings, row i of one belongs to row i of the other.
    logit_scale: the multiplier s = 1/τ itself, already exponentiated.
    sentiment_logits: unnormalised scores of each utterance over 7 emotions; any size, -inf allowed. They are targets
    of a frozen model: gradients through them are finite but nothing here needs them.
    beta: ≥ 0; beta = 0 is InfoNCE exactly.
    kl_direction: "paper" is KL(anchor ‖ other), as the formula has it; "reference" is KL(other ‖ anchor), which the
    released code computes.
    anchors: the rows whose terms are averaged, in both directions; all by default.
    chunk: anchors computed at a time; all at once by default.

    Source: Zhang, Pan, Wang, CVPR 2023, equations 4 to 6.
    """
    if beta < 0:
        raise ValueError(f"beta must not be negative ({beta = }); 0 turns the sentiment guidance off")
    if beta == 0:
        return info_nce_loss(video, text, logit_scale=logit_scale, anchors=anchors, chunk=chunk)

    def loss_of(rows: slice, video: Tensor, text: Tensor, logit_scale: Tensor | float, sentiment: Tensor) -> Tensor:
        weight = negative_weight(sentiment, beta=beta, kl_direction=kl_direction, anchors=rows)
        return _symmetric_cross_entropy(video, text, logit_scale=logit_scale, weight=weight, rows=rows)

    with torch.autocast(video.device.type, enabled=False):
        inputs = (at_least_float32(video), at_least_float32(text), logit_scale, sentiment_logits)
        return mean_over_chunks(loss_of, row_chunks(anchors, batch=len(video), chunk=chunk), inputs)


def negative_weight(
    sentiment_logits: Float[Tensor, "b 7"],
    *,
    beta: float,
    kl_direction: KLDirection = "paper",
    anchors: slice | None = None,
) -> Float[Tensor, "a b"]:
    """`w_ij = beta / KL(s_i ‖ s_j)`, 0 on the diagonal: how much is taken off the logit of negative j of anchor i.

    One row an anchor (all by default), one column a sample of the batch. Between 0 and `beta / KL_FLOOR`.
    """
    if kl_direction not in ("paper", "reference"):
        raise ValueError(f"kl_direction must be 'paper' or 'reference' ({kl_direction = })")
    rows = anchors or slice(None)
    with torch.autocast(sentiment_logits.device.type, enabled=False):
        log_p = F.log_softmax(at_least_float32(sentiment_logits), dim=-1).clamp(min=LOG_PROBABILITY_FLOOR)
        p = log_p.exp()
        negentropy = (p * log_p).sum(dim=-1)
        if kl_direction == "paper":
            kl = negentropy[rows, None] - p[rows] @ log_p.T
        else:
            kl = negentropy[None, :] - log_p[rows] @ p.T
        weight = beta / kl.clamp(min=KL_FLOOR)
        every = torch.arange(len(p), device=p.device)
        return weight.masked_fill(every[rows, None] == every, 0.0)


def _symmetric_cross_entropy(
    a: Float[Tensor, "b e"],
    b: Float[Tensor, "b e"],
    *,
    logit_scale: Float[Tensor, ""] | float,
    weight: Float[Tensor, "n b"] | None,
    rows: slice,
) -> Float[Tensor, ""]:
    target = torch.arange(len(a), device=a.device)[rows]
    loss_a = _cross_entropy(a[rows] @ b.T * logit_scale, weight, target)
    loss_b = _cross_entropy(b[rows] @ a.T * logit_scale, weight, target)
    return (loss_a + loss_b) / 2


def _cross_entropy(
    logits: Float[Tensor, "n b"], weight: Float[Tensor, "n b"] | None, target: Tensor
) -> Float[Tensor, ""]:
    return F.cross_entropy(logits if weight is None else logits - weight, target)
