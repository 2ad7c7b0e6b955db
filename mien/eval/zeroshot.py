"""Zero-shot: a head made of what a model's text tower says of the labels' names; nothing is fitted.

The score of a label is the cosine of feature and prompt, averaged over the templates after the dot product, times the
model's logit scale. As the dot product is linear, that is one linear head whose row is the mean of the label's unit
text embeddings (not normalised again).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.eval.probe import LinearProbe, ZeroShot
from mien.types import MienError

EncodeText = Callable[[Sequence[str]], Float[Tensor, "b e"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextTower:
    """What turns texts into embeddings, and the factor by which the model multiplies cosines."""

    encode: EncodeText
    logit_scale: float


def zeroshot_head(config: ZeroShot, *, classes: tuple[str, ...], text: TextTower) -> LinearProbe:
    """The head whose decisions are the scaled mean cosines, and whose probabilities are their softmax."""
    prompts = prompts_of(config, classes=classes)
    with torch.inference_mode():
        embeddings = F.normalize(text.encode(prompts).float(), dim=-1).cpu().double()
    if not torch.isfinite(embeddings).all():
        raise MienError("the embedding of a prompt is not finite; are the model's weights whole?")
    weight = text.logit_scale * reduce(embeddings, "(c t) e -> c e", "mean", t=len(config.templates))
    bias = torch.zeros(len(classes), dtype=torch.float64)
    return LinearProbe(weight=weight.numpy(), bias=bias.numpy(), kind="multinomial", classes=classes)


def prompts_of(config: ZeroShot, *, classes: tuple[str, ...]) -> list[str]:
    """Every label in every template, a label's prompts beside each other."""
    words = words_of(config, classes=classes)
    return [template.replace("{}", words[name]) for name in classes for template in config.templates]


def words_of(config: ZeroShot, *, classes: tuple[str, ...]) -> dict[str, str]:
    """Label → its words in a prompt."""
    words = {name: config.words.get(name, name.lower()) for name in classes}
    if len(set(words.values())) < len(words):
        raise MienError(f"two labels have the same words in prompts, and cannot be told apart: {words}")
    return words
