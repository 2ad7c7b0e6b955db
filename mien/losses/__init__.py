"""Losses of the methods: pure functions of tensors, in float32 or better whatever autocast says.

A loss over a global batch that several processes share is the mean over all anchors. Each process passes the whole
(gathered) batch and names its own anchors; the mean of the processes' losses is then the loss of the whole batch, and
with `mien.distributed.gather` so are the gradients. Nothing here communicates.

With `chunk`, so many anchors are compared with the batch at a time: memory grows with chunk × B rather than B × B, and
value and gradients stay the same up to rounding.
"""

from mien.losses.captions import local_info_nce, multi_positive_info_nce
from mien.losses.chunks import row_chunks
from mien.losses.contrastive import (
    KL_FLOOR,
    KLDirection,
    info_nce_loss,
    negative_weight,
    sentiment_guided_contrastive_loss,
)
from mien.losses.distillation import (
    image_distillation_loss,
    patches_of,
    pictures_of,
    profile_distillation_loss,
    reconstruction_losses,
)
from mien.losses.positives import MiningSpace, Positives, mine_positives, soft_positives

__all__ = [
    "KL_FLOOR", "KLDirection", "MiningSpace", "Positives", "image_distillation_loss", "info_nce_loss", "local_info_nce",
    "mine_positives", "multi_positive_info_nce", "negative_weight", "patches_of", "pictures_of",
    "profile_distillation_loss", "reconstruction_losses", "row_chunks", "sentiment_guided_contrastive_loss",
    "soft_positives",
]  # fmt: skip
