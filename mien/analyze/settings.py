"""Everything that decides what an analysis holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from mien.analyze.timeline import RESERVED
from mien.captions.lexicon import FACE_EMOTIONS
from mien.config import Config


class AnalyzeSettings(Config):
    """What is asked of a video, by which models, how often, and how sure an answer must be."""

    words: tuple[str, ...] = FACE_EMOTIONS
    """Anyone's words for what people may show; a fitted head that names classes of its own takes their place."""
    templates: tuple[str, ...] | None = None
    """Prompts with `{}` for the word; None takes FACE_TEMPLATES for faces, and mien.inference's for persons."""
    face_model: str | None = "face"
    """The model that looks at faces; None leaves them out."""
    model: str | None = None
    """The model that looks at whole persons, their bodies and what is around them, over some seconds."""
    head: Path | None = None
    """What `mien evaluate --save-heads` wrote: one head's .safetensors, or the folder of several."""
    samples_per_s: float = Field(4.0, gt=0, le=60)
    """How often everyone is looked at."""
    clip_s: float = Field(4.0, gt=0, allow_inf_nan=False)
    """How many seconds `model` sees of a person at a time, the moment scored in their middle."""
    smoothing_s: float = Field(0.5, ge=0, allow_inf_nan=False)
    """Standard deviation of the Gaussian that probabilities are averaged with over time; 0 leaves them as they are."""
    min_confidence: float = Field(0.6, ge=0, le=1)
    """Where the likeliest word is less probable, the answer is "uncertain"; why 0.6: docs/benchmarks/analyze.md."""
    annotate: bool = True
    """Draw what was found into a copy of the video."""
    keep_store: bool = False
    """Keep the decoded pictures, boxes and sentences; else they are deleted at the end."""

    @field_validator("words")
    @classmethod
    def _words_are_columns(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if not words or any(not word.strip() for word in words):
            raise ValueError("at least one word is wanted, and none of them empty; say joy,anger,relief")
        twice = [word for word, count in Counter(words).items() if count > 1]
        if twice:
            raise ValueError(f"each word once, please; twice there is {', '.join(twice)}")
        if taken := [word for word in words if word in RESERVED]:
            raise ValueError(f"{', '.join(taken)}: the table has a column of that name; write it in another way")
        return words

    @field_validator("templates")
    @classmethod
    def _templates_have_a_place(cls, templates: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if templates is not None and (not templates or any("{}" not in template for template in templates)):
            raise ValueError("every template needs {} where the word goes; say 'a face that shows {}.'")
        return templates

    @model_validator(mode="after")
    def _someone_looks(self) -> AnalyzeSettings:
        if self.face_model is None and self.model is None:
            raise ValueError("there is nothing to look with: give face_model, model, or both")
        if self.head is not None and self.face_model is not None and self.model is not None:
            raise ValueError("a head was fitted on one model's features: give face_model or model with it, not both")
        return self
