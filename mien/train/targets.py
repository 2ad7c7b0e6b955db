"""Training targets: the labels of samples as one tensor a loss takes, and which samples of a split are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from mien.eval.features import labels_alone, labels_of
from mien.types import LabeledClip, LabelKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """A row a sample: indices of exclusive classes, whether a label holds, or numbers of mean 0 and deviation 1.

    `scale` is the mean and deviation, by output, that the numbers had; 0 and 1 (for all outputs) for the others.
    """

    values: Shaped[Tensor, "n *c"]
    scale: tuple[Float64[np.ndarray, "d"], Float64[np.ndarray, "d"]] = (np.zeros(1), np.ones(1))

    def class_weights(self, num_classes: int) -> Float[Tensor, "c"]:
        """What each class is to count for all to count alike, 1 on the mean over samples; 0 of one that has none."""
        counts = torch.bincount(self.values, minlength=num_classes)
        weights = len(self.values) / ((counts > 0).sum() * counts.clamp(min=1))
        return weights * (counts > 0)


def targets_of(samples: Sequence[LabeledClip], labels: LabelKind, *, positive_at: float, task: str) -> Targets:
    """The samples' labels as targets; a label holds from the score `positive_at` up.

    A dimension that is the same in all is not scaled. Raises MienError, naming `task`, where samples have no such
    labels.
    """
    own = labels_of(labels_alone(samples), labels, task=task, role="fitted on")
    if labels == "category":
        return Targets(values=torch.from_numpy(own))
    if labels == "scores":
        return Targets(values=torch.from_numpy(own >= positive_at))
    mean, deviation = own.mean(axis=0, dtype=np.float64), own.std(axis=0, dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return Targets(values=torch.from_numpy((own - mean) / deviation).float(), scale=(mean, deviation))


def share_of(
    samples: Sequence[LabeledClip], *, labels: LabelKind, fraction: float, seed: int
) -> tuple[LabeledClip, ...]:
    """A share of the samples, in their order, drawn without replacement; of each exclusive class the same share.

    At least one is drawn of each class. A smaller share of the same seed is part of a larger one.
    """
    if fraction == 1:
        return tuple(samples)
    classes: dict[int | None, list[int]] = {}
    for row in np.random.default_rng(seed).permutation(len(samples)).tolist():
        classes.setdefault(samples[row].labels.category if labels == "category" else None, []).append(row)
    kept = [row for rows in classes.values() for row in rows[: max(1, round(fraction * len(rows)))]]
    return tuple(samples[row] for row in sorted(kept))
