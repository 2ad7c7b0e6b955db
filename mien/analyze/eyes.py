"""Eyes: a model, whether it looks at faces or at persons, and what it is asked about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mien.analyze.answers import Head, Question, require_fit
from mien.analyze.looks import Looks, OnFrame, look_at_faces, look_at_persons
from mien.analyze.record import ModelFacts, Source
from mien.analyze.settings import AnalyzeSettings
from mien.captions.naming import FACE_TEMPLATES
from mien.data.store import Store
from mien.hub import resolve, weights_hash
from mien.hub_fetch import told_name
from mien.inference import TEMPLATES, Mien

TEMPLATES_FOR: dict[Source, tuple[str, ...]] = {"face": FACE_TEMPLATES, "person": TEMPLATES}
"""Prompts where none are asked for."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Eyes:
    """One of the models of an analysis."""

    source: Source
    model: Mien
    question: Question
    facts: ModelFacts

    def look(self, store: Store, *, every: int, clip_s: float, on_frame: OnFrame) -> Iterator[Looks]:
        """Everyone in each `every`-th picture of the one video of a store."""
        (video,) = store.videos
        if self.source == "face":
            return look_at_faces(self.model, store, video, every=every, on_frame=on_frame)
        return look_at_persons(self.model, store, video, every=every, clip_s=clip_s, on_frame=on_frame)


def open_eyes(settings: AnalyzeSettings, heads: Sequence[Head]) -> list[Eyes]:
    """The models that are asked for, faces' first. Raises MienError where one is not there, or a head does not fit."""
    asked: dict[Source, str | None] = {"face": settings.face_model, "person": settings.model}
    return [_open(source, name, settings, heads) for source, name in asked.items() if name is not None]


def _open(source: Source, name: str, settings: AnalyzeSettings, heads: Sequence[Head]) -> Eyes:
    folder = resolve(name)
    weights = weights_hash(folder)
    require_fit(heads, weights, name=name)
    model = Mien.from_pretrained(folder)
    question = Question(model, words=settings.words, templates=settings.templates or TEMPLATES_FOR[source], heads=heads)
    facts = ModelFacts(
        name=told_name(name),
        weights_hash=weights,
        weights_license=model.config.weights_license,
        trained_on=model.config.trained_on,
        templates=question.templates,
    )
    return Eyes(source=source, model=model, question=question, facts=facts)
