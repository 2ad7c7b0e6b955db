"""A trained head as a linear probe on L2-normalised features, which evaluation scores and users load."""

from __future__ import annotations

import math

from torch import nn

from mien.eval.probe import HeadKind, LinearProbe
from mien.train.targets import Targets
from mien.types import LabelKind

HEAD_KINDS: dict[LabelKind, HeadKind] = {
    "category": "multinomial",
    "scores": "one_vs_rest",
    "vad": "ridge",
}
"""What kind of probe a head is that was trained on a kind of label."""


def probe_of_head(head: nn.Linear, targets: Targets, *, labels: LabelKind, classes: tuple[str, ...]) -> LinearProbe:
    """The probe in the labels' own units, in float64; `targets` are those that the head was trained on.

    The head stands on embeddings of mean square 1, the probe on ones of length 1: √e times shorter (see
    `mien.methods.supervised`).
    """
    mean, deviation = targets.scale
    weight = head.weight.detach().cpu().double().numpy() * math.sqrt(head.in_features)
    return LinearProbe(
        weight=weight * deviation[:, None],
        bias=head.bias.detach().cpu().double().numpy() * deviation + mean,
        kind=HEAD_KINDS[labels],
        classes=classes,
    )
