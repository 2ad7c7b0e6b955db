"""Scores of a method on validation clips while it trains: how well texts find their clips, and zero-shot emotions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from mien.losses import info_nce_loss
from mien.methods import Method
from mien.text import Tokenizer
from mien.types import CaptionBatch, ClipBatch

PROMPT = "an expression of {}."


def validation_scores(
    method: Method, batches: Iterable[ClipBatch], *, tokenizer: Tokenizer, emotions: tuple[str, ...], device: str
) -> dict[str, float]:
    """InfoNCE loss and recall of clips by their texts; with captions that tell votes, zero-shot accuracy too.

    The emotion of a picture is then the one with most votes, the guessed one that whose prompt is nearest.
    """
    videos, texts, votes = list[Tensor](), list[Tensor](), list[Tensor]()
    for batch in batches:
        moved = batch.to(device)
        videos.append(F.normalize(method.embed(moved).float(), dim=-1))
        texts.append(F.normalize(method.embed_text(moved.token_ids).float(), dim=-1))
        if isinstance(moved, CaptionBatch):
            votes.append(moved.votes)
    video, text = torch.cat(videos), torch.cat(texts)
    scores = _recall(video, text)
    if votes and emotions:
        prompts = tokenizer.encode([PROMPT.format(emotion) for emotion in emotions]).to(device)
        guessed = video @ F.normalize(method.embed_text(prompts).float(), dim=-1).T
        scores |= _agreement(guessed.argmax(dim=1), torch.cat(votes))
    return scores


@torch.no_grad()
def held_out_losses(method: Method, batches: Iterable[ClipBatch], *, device: str) -> dict[str, float]:
    """What `method` logs of its own objective, meaned over validation clips: for methods that embed no texts."""
    found, count = dict[str, float](), 0
    for batch in batches:
        output, size = method(batch.to(device)), len(batch.ids)
        for name, value in {"loss": output.loss, **output.logs}.items():
            found[name] = found.get(name, 0.0) + size * float(value)
        count += size
    return {name: total / count for name, total in found.items()}


def _recall(video: Float[Tensor, "n e"], text: Float[Tensor, "n e"]) -> dict[str, float]:
    rank_of_own = (video @ text.T).argsort(dim=1, descending=True).argsort(dim=1).diagonal()
    return {
        "loss": float(info_nce_loss(video, text, logit_scale=1 / 0.07)),
        "recall@1": float((rank_of_own < 1).float().mean()),
        "recall@10": float((rank_of_own < 10).float().mean()),
    }


def _agreement(guessed: Int64[Tensor, "n"], votes: Float[Tensor, "n c"]) -> dict[str, float]:
    """The share of the pictures, and its mean over emotions, whose most voted emotion is the guessed one.

    Of those with votes; nothing where none has any.
    """
    known = votes.sum(dim=1) > 0
    if not known.any():
        return {}
    right, emotion = (guessed == votes.argmax(dim=1))[known].float(), votes.argmax(dim=1)[known]
    recalls = [right[emotion == c].mean() for c in torch.unique(emotion).tolist()]
    return {"zeroshot_accuracy": float(right.mean()), "zeroshot_uar": float(torch.stack(recalls).mean())}
