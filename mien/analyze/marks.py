"""Fingerprints of an analysis's outputs, each of all that it is made with: so is told whether it is what is wanted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien import __version__
from mien.analyze.answers import Head
from mien.analyze.eyes import Eyes
from mien.analyze.record import Source
from mien.analyze.scene import detectors, preparing
from mien.analyze.settings import AnalyzeSettings
from mien.prepare.places import Place

RULE = 1
"""To be raised when the same settings give another timeline, so that those of before are made anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """One of each output; `all` is that of the whole analysis."""

    scene: str
    embeddings: dict[Source, str]
    timeline: str
    all: str


def marks_of(path: Path, settings: AnalyzeSettings, eyes: Sequence[Eyes], heads: Sequence[Head]) -> Marks:
    """The fingerprints of what is wanted. The file counts by its name and size, as what lies beside it does."""
    beside = {file.name: file.num_bytes for file in Place.of(path.parent).files_beside(path.name)}
    scene = _mark(RULE, path.name, beside, preparing(settings).model_dump(mode="json"), detectors(settings))
    embeddings = {
        own.source: _mark(
            scene,
            own.facts.weights_hash,
            settings.samples_per_s,
            settings.clip_s if own.source == "person" else None,
        )
        for own in eyes
    }
    asked = [[own.facts.templates, own.question.words, own.question.numbers] for own in eyes]
    how = [settings.smoothing_s, settings.min_confidence, [head.facts.sha256 for head in heads]]
    timeline = _mark(embeddings, asked, how)
    return Marks(
        scene=scene,
        embeddings=embeddings,
        timeline=timeline,
        all=_mark(timeline, settings.annotate, __version__),
    )


def _mark(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
