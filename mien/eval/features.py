"""Features of a split: what a frozen model makes of every clip, and the labels beside it, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.types import ClipBatch, Features, LabeledClip, LabelKind, MienError

Embed = Callable[[ClipBatch], Float[Tensor, "b e"]]


def extract_features(embed: Embed, batches: Iterable[ClipBatch], *, samples: Sequence[LabeledClip]) -> Features:
    """Embed every batch and L2-normalise in float32; `samples` are the clips of `batches`, in the same order.

    The order is checked by the ids. Raises MienError where batches and samples differ, where an embedding is not
    finite, and where some samples have a label that others lack.
    """
    if not samples:
        raise MienError("no clips to embed; see what was skipped, and why, in the list beside them")
    rows: list[Tensor] = []
    ids: list[str] = []
    with torch.inference_mode():
        for batch in batches:
            rows.append(F.normalize(embed(batch).float(), dim=-1).cpu())
            ids.extend(batch.ids)
    _check_order(ids, samples)
    x = torch.cat(rows).numpy()
    if not np.isfinite(x).all():
        bad = ids[int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])]
        raise MienError(f"the embedding of clip {bad!r} is not finite; are the model's weights whole?")
    return features_of(x, samples=samples)


def features_of(x: Float[np.ndarray, "n e"], *, samples: Sequence[LabeledClip]) -> Features:
    """Rows `x` with the labels of `samples`, which are in the same order."""
    return Features(
        x=x,
        category=_column(samples, "category", np.int64),
        scores=_column(samples, "scores", np.float32),
        vad=_column(samples, "vad", np.float32),
        ids=tuple(sample.clip.id for sample in samples),
        groups=tuple(sample.group for sample in samples),
        attributes=tuple(sample.attributes for sample in samples),
    )


def labels_alone(samples: Sequence[LabeledClip]) -> Features:
    """The labels of samples that are not embedded: `x` has no columns."""
    return features_of(np.zeros((len(samples), 0), np.float32), samples=samples)


def labels_of(
    features: Features, kind: LabelKind, *, task: str, role: Literal["fitted on", "chosen on", "scored on"]
) -> np.ndarray:
    """The labels of that kind, row by row. Raises MienError where there are none, naming the task that wants them."""
    labels = {"category": features.category, "scores": features.scores, "vad": features.vad}[kind]
    if labels is None:
        raise MienError(
            f"task {task!r} wants labels ({kind}), and the clips it is {role} have none; take another split or protocol"
        )
    return labels


def _check_order(ids: Sequence[str], samples: Sequence[LabeledClip]) -> None:
    expected = [sample.clip.id for sample in samples]
    if len(ids) != len(expected):
        raise MienError(f"the loader gave {len(ids)} clips where {len(expected)} were asked for; it must drop none")
    for position, (got, want) in enumerate(zip(ids, expected, strict=True)):
        if got != want:
            raise MienError(f"the loader gave clip {got!r} at {position = } where {want!r} belongs; it must keep order")


def _column(samples: Sequence[LabeledClip], name: str, dtype: type) -> np.ndarray | None:
    values = [_LABELS[name](sample) for sample in samples]
    missing = [sample.clip.id for sample, value in zip(samples, values, strict=True) if value is None]
    if len(missing) == len(samples):
        return None
    if missing:
        raise MienError(f"{len(missing)} of {len(samples)} clips have no {name}, {missing[0]!r} first; skip them")
    return np.asarray(values, dtype=dtype)


_LABELS: dict[str, Callable[[LabeledClip], object]] = {
    "category": lambda sample: sample.labels.category,
    "scores": lambda sample: sample.labels.scores,
    "vad": lambda sample: sample.labels.vad,
}
