"""The retrieval task: clips and what is said in them, each to be found by the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch.nn import functional as F

from mien.eval.intervals import intervals_of_retrieval
from mien.eval.protocol import Task
from mien.eval.resamples import each_once
from mien.eval.results import RetrievalResult, TaskResult
from mien.eval.retrieval import Ranks, both_ways, chance_ranks, retrieval_scores
from mien.eval.zeroshot import TextTower
from mien.types import Features, MienError

TEXTS_AT_A_TIME = 256


def run_retrieval(task: Task, *, test: Features, texts: Sequence[str], text: TextTower | None) -> TaskResult:
    """The recalls and ranks of `test`'s clips and their `texts`, row by row; `majority` is chance.

    Clips without a text are left out, and counted. Raises MienError where fewer than two have one.
    """
    if text is None:
        raise MienError(f"task {task.name!r} is retrieval: it needs the model's text tower")
    told = [" ".join(each.split()) for each in texts]
    kept = np.array([bool(each) for each in told])
    if kept.sum() < 2:
        raise MienError(f"task {task.name!r} searches among texts, and {kept.sum()} of {len(told)} clips have one")
    unique, text_of = np.unique([each for each in told if each], return_inverse=True)
    ranks = both_ways(test.x[kept], _embed(unique.tolist(), text), text_of=text_of)
    groups = [group for group, keep in zip(test.groups, kept, strict=True) if keep] if test.groups else []
    num_clips = int(kept.sum())
    return TaskResult(
        name=task.name,
        probe=task.probe.model_dump(mode="json"),
        classes=(),
        support=(),
        metrics=_told(ranks, num_clips),
        majority=_told(chance_ranks(num_clips), num_clips),
        per_class={},
        num_left_out={},
        intervals=intervals_of_retrieval(ranks, num_clips=num_clips, groups=groups),
        retrieval=RetrievalResult(num_clips=num_clips, num_texts=len(unique), num_without_text=len(told) - num_clips),
    )


def _embed(texts: Sequence[str], text: TextTower) -> Float32[np.ndarray, "u e"]:
    """Embeddings of length 1."""
    blocks = [texts[start : start + TEXTS_AT_A_TIME] for start in range(0, len(texts), TEXTS_AT_A_TIME)]
    with torch.inference_mode():
        x = torch.cat([F.normalize(text.encode(block).float(), dim=-1).cpu() for block in blocks]).numpy()
    if not np.isfinite(x).all():
        raise MienError("the embedding of a text is not finite; are the model's weights whole?")
    return x


def _told(ranks: dict[str, Ranks], num_clips: int) -> dict[str, float | None]:
    return {name: float(values[0]) for name, values in retrieval_scores(ranks, each_once(num_clips)).items()}
