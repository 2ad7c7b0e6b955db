"""What embeddings are asked: anyone's words by prompts, or the classes and numbers of fitted heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from mien.analyze.record import HeadFacts
from mien.analyze.timeline import RESERVED
from mien.eval.head import Head as SavedHead
from mien.eval.head import load_head
from mien.eval.probe import LinearProbe
from mien.file_digest import sha256_of
from mien.inference import Mien
from mien.types import MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A head that `mien evaluate --save-heads` saved, and where it comes from."""

    saved: SavedHead
    facts: HeadFacts

    @property
    def probe(self) -> LinearProbe:
        return self.saved.probe


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scores:
    """A row an embedding: the probability of each word, and the numbers."""

    probabilities: Float32[np.ndarray, "n c"]
    numbers: Float32[np.ndarray, "n d"]


class Question:
    """Words and numbers, and how a model's embeddings answer them.

    Of fitted heads, one may give probabilities: its classes are the words then. Others give numbers, as ridge does.
    """

    def __init__(self, model: Mien, *, words: Sequence[str], templates: Sequence[str], heads: Sequence[Head]) -> None:
        self._model = model
        classifying = [head.probe for head in heads if head.probe.kind != "ridge"]
        self._classifier = classifying[0] if classifying else None
        self._regressors = [head.probe for head in heads if head.probe.kind == "ridge"]
        self.words, self.numbers = columns_of(words, heads)
        self.templates = () if self._classifier else tuple(templates)
        self._prompts: Tensor | None = None
        if self._classifier is None:
            self._prompts = model.encode_prompts(self.words, templates=templates)

    def answer(self, embedding: Float32[np.ndarray, "n e"]) -> Scores:
        """The scores of L2-normalised embeddings."""
        if self._classifier is not None:
            probabilities = self._classifier.probabilities(embedding)
        else:
            assert self._prompts is not None
            probabilities = self._model.prompt_scores(torch.tensor(embedding), self._prompts).float().cpu().numpy()
        numbers = [probe.decision(embedding) for probe in self._regressors]
        return Scores(
            probabilities=probabilities.astype(np.float32),
            numbers=np.concatenate([np.zeros((len(embedding), 0)), *numbers], axis=1).astype(np.float32),
        )


def load_heads(path: Path | None) -> tuple[Head, ...]:
    """The heads in a folder, or the one in a .safetensors file. Raises MienError where there are none."""
    if path is None:
        return ()
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise MienError(f"no head in {path}; `mien evaluate … --save-heads {path}` writes some")
    heads = []
    for file in files:
        saved = load_head(file)
        digest = sha256_of([file, file.with_suffix(".json")])
        facts = HeadFacts(path=str(file), sha256=digest, kind=saved.probe.kind, classes=saved.probe.classes)
        heads.append(Head(saved=saved, facts=facts))
    return tuple(heads)


def columns_of(words: Sequence[str], heads: Sequence[Head]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words and the numbers that are asked for. Raises MienError where they do not make columns of one table."""
    classifying = [head for head in heads if head.probe.kind != "ridge"]
    if len(classifying) > 1:
        raise MienError(
            f"{len(classifying)} heads give probabilities, of which one goes: {_paths(classifying)}; name its file"
        )
    asked = classifying[0].probe.classes if classifying else tuple(words)
    numbers = tuple(name for head in heads if head.probe.kind == "ridge" for name in head.probe.classes)
    columns = [*asked, *numbers]
    if wrong := sorted({name for name in columns if name in RESERVED or columns.count(name) > 1}):
        raise MienError(f"{', '.join(wrong)}: columns of the table would have the same name; name one head's file")
    return asked, numbers


def require_fit(heads: Sequence[Head], weights_hash: str, *, name: str) -> None:
    """Raise MienError where a head was fitted on the embeddings of other weights than those of the model `name`."""
    for head in heads:
        head.saved.require_weights(weights_hash, model=name)


def _paths(heads: Sequence[Head]) -> str:
    return ", ".join(head.facts.path for head in heads)
