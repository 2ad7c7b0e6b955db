"""Reading a batch's texts: equal ones once, and none padded far beyond its length."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from mien.methods.emotionclip import passes
from mien.methods.flops import text_forward_flops
from mien.models.video_clip import VideoClip

LENGTH_GROUPS = 4
"""Texts are read in so many groups of like length, none padded beyond its longest: else half is padding."""

Texts = Mapping[str, Int64[Tensor, "_ l"]]
"""Token ids by what they are to the method; all padded alike."""


def read_texts(model: VideoClip, texts: Texts) -> dict[str, Float[Tensor, "_ e"]]:
    """Normalised embeddings of texts; each is computed once, however often it is there."""
    distinct, place = _distinct(texts)
    groups = _by_length(model, distinct)
    parts = [model.encode_text(distinct[rows, :length]) for rows, length in groups]
    order = torch.cat([rows for rows, _ in groups])
    back = torch.empty(len(distinct), dtype=order.dtype, device=order.device)
    back[order] = torch.arange(len(order), device=order.device)
    embedded = F.normalize(torch.cat(parts).float(), dim=-1)[back]
    rows = torch.split(embedded[place], [len(token_ids) for token_ids in texts.values()])
    return dict(zip(texts, rows, strict=True))


def read_flops(model: VideoClip, texts: Texts) -> float:
    """Operations of reading them, forward and backward."""
    groups = _by_length(model, _distinct(texts)[0])
    forward = sum(len(rows) * text_forward_flops(model.config, length=length) for rows, length in groups)
    return forward * passes(model.reader)


def _distinct(texts: Texts) -> tuple[Int64[Tensor, "n l"], Int64[Tensor, "m"]]:
    """The different rows, and for each of all rows which it is."""
    rows, place = torch.unique(torch.cat(list(texts.values())), dim=0, return_inverse=True)
    return rows, place


def _by_length(model: VideoClip, token_ids: Int64[Tensor, "n l"]) -> list[tuple[Int64[Tensor, "_"], int]]:
    """The rows in groups of like length, and how many tokens of each group need be read.

    Always LENGTH_GROUPS of them, some rows twice where there are too few: sharded processes read in step.
    """
    lengths = model.reader.ends(token_ids) + 1
    order = lengths.argsort()
    if len(order) < LENGTH_GROUPS:
        order = order.repeat(LENGTH_GROUPS)[:LENGTH_GROUPS]
        order = order[lengths[order].argsort()]
    groups = order.tensor_split(LENGTH_GROUPS)
    longest = lengths[torch.stack([rows[-1] for rows in groups])].tolist()
    return list(zip(groups, longest, strict=True))
