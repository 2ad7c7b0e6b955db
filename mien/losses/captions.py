"""Losses of captioned pictures: EmoCapCLIP's global loss with several positives, and its local one of sentences.

EmoCapCLIP (Sun et al., arXiv 2507.21015) publishes neither formulas nor code. Both losses are a reconstruction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor

from mien.losses.chunks import at_least_float32, mean_over_chunks, row_chunks
from mien.losses.positives import Positives, similarity, similarity_percentile, unit_rows


def multi_positive_info_nce(
    a: Float[Tensor, "b e"],
    b: Float[Tensor, "b e"],
    positives: Positives,
    *,
    logit_scale: Float[Tensor, ""] | float,
    anchors: slice | None = None,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE with several positives a row: ½[MP(a, b, M) + MP(b, a, Mᵀ)].

    `MP(a, b, M) = -1/B Σ_i 1/(Σ_j M_ij) Σ_j M_ij log softmax_j(s a_i·b_j)`: cross entropy towards M's rows, each scaled
    to sum to one. M may be any non-negative weights with a positive diagonal; with M = I this is `info_nce_loss`.

    a, b: L2-normalised embeddings of the whole (gathered) batch. logit_scale: the multiplier s itself, exponentiated.
    positives: M for these same anchors (`mine_positives`, `soft_positives`); targets, no gradient goes through them.
    anchors: the rows whose terms are averaged, in both directions; all by default.
    chunk: anchors computed at a time; all at once by default.

    Source: a reconstruction of EmoCapCLIP's global loss, of which no formula has been published.
    """
    first, stop, _ = (anchors or slice(None)).indices(len(a))
    if len(positives.rows) != stop - first:
        raise ValueError(
            f"positives have {len(positives.rows)} anchors, the loss {stop - first}; give both the same {anchors = }"
        )

    def loss_of(rows: slice, a: Tensor, b: Tensor, logit_scale: Tensor | float) -> Tensor:
        own = slice(rows.start - first, rows.stop - first)
        loss_a = _cross_entropy(a[rows] @ b.T * logit_scale, positives.rows[own])
        loss_b = _cross_entropy(b[rows] @ a.T * logit_scale, positives.columns[own])
        return (loss_a + loss_b) / 2

    with torch.autocast(a.device.type, enabled=False):
        inputs = (at_least_float32(a), at_least_float32(b), logit_scale)
        return mean_over_chunks(loss_of, row_chunks(anchors, batch=len(a), chunk=chunk), inputs)


def local_info_nce(
    regions: Float[Tensor, "b k e"],
    sentences: Float[Tensor, "b k e"],
    present: Bool[Tensor, "b k"],
    *,
    theta_text: float,
    logit_scale: Float[Tensor, ""] | float,
    anchors: slice | None = None,
    chunk: int | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE between all sentences of the batch and what each finds in its own picture.

    Two sentences of *different* pictures whose similarity exceeds θ say the same: neither is a negative of the other,
    in either direction. Those of one picture always are: they tell its regions apart.

    regions: p_ik, L2-normalised, what the picture i shows of sentence k (`mien.models.region_pooling`).
    sentences: t_ik, L2-normalised. present: false where picture i has no k-th sentence; what stands there is not read.
    theta_text: a percentile (0 to 100) of the similarities of the batch's sentences of different pictures; exact up to
    `PERCENTILE_ROWS` sentences and of so many, evenly spaced, above. Equal sentences exceed any θ.
    logit_scale: the multiplier s itself, already exponentiated.
    anchors: the *pictures* whose terms are wanted; all by default. chunk: pictures computed at a time.

    The loss of the whole batch is the mean over its sentences, 0 where it has none. That of some anchors is their
    sentences' sum × (pictures in the batch / anchors) / (sentences in the batch): the mean over processes with equally
    many pictures is then the loss of the whole, however many sentences each has.

    Source: a reconstruction of EmoCapCLIP's local loss, of which no formula has been published.
    """
    picture = repeat(torch.arange(len(present), device=present.device), "b -> b k", k=present.shape[1])
    unit = unit_rows(rearrange(sentences, "b k e -> (b k) e"))
    theta = similarity_percentile(unit[present.flatten()], theta_text, group=picture[present])
    num_sentences = present.sum().clamp(min=1)

    def loss_of(rows: slice, regions: Tensor, sentences: Tensor, logit_scale: Tensor | float) -> Tensor:
        own = _flat_rows(rows, present)
        say_the_same = similarity(unit[own], unit) > theta
        other_picture = picture.flatten()[own, None] != picture.flatten()
        left_out = ~present.flatten() | (say_the_same & other_picture)  # n (b k)
        terms = [
            _own_terms(x[own] @ y.T * logit_scale, left_out, own)
            for x, y in ((regions, sentences), (sentences, regions))
        ]
        total = ((terms[0] + terms[1]) / 2 * present.flatten()[own]).sum()
        return total * (len(present) / (rows.stop - rows.start)) / num_sentences

    with torch.autocast(regions.device.type, enabled=False):
        inputs = (_present_rows(regions, present), _present_rows(sentences, present), logit_scale)
        return mean_over_chunks(loss_of, row_chunks(anchors, batch=len(present), chunk=chunk), inputs)


def _cross_entropy(
    logits: Float[Tensor, "n b"], weights: Float[Tensor, "n b"] | Bool[Tensor, "n b"]
) -> Float[Tensor, ""]:
    target = weights.detach().to(logits.dtype)
    return F.cross_entropy(logits, target / target.sum(dim=1, keepdim=True))


def _own_terms(logits: Float[Tensor, "n m"], left_out: Bool[Tensor, "n m"], own: slice) -> Float[Tensor, "n"]:
    """`-log softmax` at each row's own column, which is never left out: the rows of absent sentences are finite too."""
    every = torch.arange(logits.shape[1], device=logits.device)
    hidden = left_out & (every[own, None] != every)
    return F.cross_entropy(logits.masked_fill(hidden, -torch.inf), every[own], reduction="none")


def _flat_rows(pictures: slice, present: Bool[Tensor, "b k"]) -> slice:
    """Where the sentences of some pictures lie among all: pictures 1 to 3 of 4 sentences each → 4 to 12."""
    most = present.shape[1]
    return slice(pictures.start * most, pictures.stop * most)


def _present_rows(x: Float[Tensor, "b k e"], present: Bool[Tensor, "b k"]) -> Float[Tensor, "b*k e"]:
    """All rows in float32, zero where there is no sentence, whatever stood there."""
    return rearrange(at_least_float32(x).masked_fill(~present[..., None], 0), "b k e -> (b k) e")
