"""Layer depth: how far from the pixels each parameter of an image or video tower is, for rates that decay by layer.

What is summed to or reads the pixels is at depth 0, the image tower's block i at i + 1, what pools its tokens at one
more; the temporal encoder goes on from there. Source: BEiT (Bao et al. 2022) and MAE (He et al. 2022), whose code
counts like this within the image tower.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from torch import nn

IMAGE_BLOCK = re.compile(r"vision\.transformer\.blocks\.(\d+)\.")
TEMPORAL_BLOCK = re.compile(r"temporal\.encoder\.layers\.(\d+)\.")
LAST_NORM, PROJECTION = "vision.post_norm.weight", "vision.projection"
POOLING = ("vision.post_norm.", PROJECTION, "temporal.position_embedding")
NOT_OF_CLIPS = ("text.", "logit_scale")
"""What the embedding of a clip does not depend on."""


def layer_depths(model: nn.Module, *, features: Literal["video", "frame"] = "video") -> dict[str, int]:
    """The depth of each parameter that the features depend on, by name; parameters of texts are not among them.

    features: the clip's embedding, or a single frame's, which the temporal encoder has no part in. Where no blocks are
    known by their names, everything is at depth 0.
    """
    left_out = (*NOT_OF_CLIPS, "temporal.") if features == "frame" else NOT_OF_CLIPS
    names = [name for name, _ in model.named_parameters() if not name.startswith(left_out)]
    blocks = [int(found[1]) for name in names if (found := IMAGE_BLOCK.match(name))]
    if not blocks:
        return dict.fromkeys(names, 0)
    pooled = max(blocks) + 2
    temporal_blocks = [int(found[1]) for name in names if (found := TEMPORAL_BLOCK.match(name))]
    last = pooled + 1 + max(temporal_blocks, default=-1)
    return {name: _depth(name, pooled=pooled, last=last) for name in names}


def head_depth(depths: Mapping[str, int]) -> int:
    """The depth of a head on top: one more than the deepest, or 0 where all are at 0, so that all have one rate.

    The norm that ends MAE's encoder, which has no projection, counts to the head, as in its authors' fine-tuning.
    """
    deepest = max(depths.values(), default=0)
    ends_in_norm = PROJECTION not in depths and depths.get(LAST_NORM) == deepest
    return deepest + 1 if deepest and not ends_in_norm else deepest


def _depth(name: str, *, pooled: int, last: int) -> int:
    if found := IMAGE_BLOCK.match(name):
        return int(found[1]) + 1
    if found := TEMPORAL_BLOCK.match(name):
        return pooled + 1 + int(found[1])
    if name.startswith(POOLING):
        return pooled
    return last if name.startswith("temporal.") else 0
