"""UniEmoX's losses (Chen et al., arXiv 2409.18877): embeddings follow a frozen CLIP's, and masked pixels are rebuilt.

As in all of `mien.losses`, a process passes its own anchors and the texts of the whole batch; nothing communicates.
"""

from __future__ import annotations

import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor

from mien.losses.chunks import at_least_float32


def image_distillation_loss(fused: Float[Tensor, "b e"], teacher: Float[Tensor, "b e"]) -> Float[Tensor, ""]:
    """`L2 = 1 - mean_i cos(γ_i, Ω_i)`, in [0, 2]: each embedding points where the teacher's of its picture does."""
    return 1 - F.cosine_similarity(at_least_float32(fused), at_least_float32(teacher), dim=-1).mean()


def profile_distillation_loss(
    fused: Float[Tensor, "b e"], teacher: Float[Tensor, "b e"], text: Float[Tensor, "n e"]
) -> Float[Tensor, ""]:
    """`L1 = 1 - mean_i cos(row_i(γ Λᵀ), row_i(Ω Λᵀ))`, in [0, 2]: it is as like every text as the teacher's is.

    text: the teacher's embeddings of the whole batch's texts, paired with these pictures or not. Neither a temperature
    nor a softmax: a factor of the similarities cancels.
    """
    text = at_least_float32(text)
    own, others = at_least_float32(fused) @ text.T, at_least_float32(teacher) @ text.T
    return 1 - F.cosine_similarity(own, others, dim=-1).mean()


def reconstruction_losses(
    predicted: Float[Tensor, "b n p"], pixels: Float[Tensor, "b n p"], is_masked: Bool[Tensor, "b n"]
) -> Float[Tensor, "b"]:
    """`L3`, picture by picture: the mean squared error over the pixels of its masked patches (He et al. 2022, MAE).

    p: the values of a patch. A picture without a masked patch has loss 0.
    """
    of_patches = reduce((at_least_float32(predicted) - at_least_float32(pixels)) ** 2, "b n p -> b n", "mean")
    masked = is_masked.to(of_patches.dtype)
    return (of_patches * masked).sum(dim=1) / masked.sum(dim=1).clamp(min=1)


def patches_of(images: Float[Tensor, "b 3 h w"], *, patch: int) -> Float[Tensor, "b n p"]:
    """A picture's patches row by row, each its pixels row by row, the colours of a pixel together; p = 3 patch²."""
    return rearrange(images, "b c (gh ph) (gw pw) -> b (gh gw) (ph pw c)", ph=patch, pw=patch)


def pictures_of(patches: Float[Tensor, "b n p"], *, patch: int) -> Float[Tensor, "b 3 h w"]:
    """The square pictures that `patches_of` cuts so."""
    side = round(patches.shape[1] ** 0.5)
    return rearrange(patches, "b (gh gw) (ph pw c) -> b c (gh ph) (gw pw)", gh=side, ph=patch, pw=patch)
