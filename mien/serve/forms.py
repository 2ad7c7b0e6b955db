"""What clients may ask for, beside the file: the fields of the forms, and the JSON of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien.captions.lexicon import FACE_EMOTIONS
from mien.prompts import split_words
from mien.serve.refusal import Refused
from mien.serve.settings import Limits
from mien.serve.tasks import ModelName

WORDS = Field(None, description="Words to choose among, separated by commas; FER+'s eight emotions by default.")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassifyForm(_Form):
    """Of /v1/classify."""

    words: str | None = WORDS


class AnalyzeForm(_Form):
    """Of /v1/analyze. What is left out is as `mien analyze` has it."""

    words: str | None = WORDS
    min_confidence: float | None = Field(None, ge=0, le=1, description="Below it, a moment is called uncertain.")
    samples_per_s: float | None = Field(None, ge=0.1, le=10, description="Moments a second that are looked at.")
    smoothing_s: float | None = Field(None, ge=0, le=60, description="Over so long probabilities are averaged.")
    annotate: Literal["true", "false"] | None = Field(None, description="Whether to make annotated.mp4.")

    def settings(self, limits: Limits) -> dict[str, Any]:
        """The fields that were given, as an analysis's settings."""
        given = self.model_dump(exclude={"words", "annotate"}, exclude_none=True)
        if self.annotate is not None:
            given["annotate"] = self.annotate == "true"
        return given if self.words is None else {**given, "words": accepted_words(self.words, limits=limits)}


class EmbedForm(_Form):
    """Of a picture sent to /v1/embed."""

    model: ModelName = Field("face", description="The face model, or the video model, where one is served.")
    of: Literal["faces", "picture"] | None = Field(
        None, description="Each face, or the whole picture; faces by default with the face model."
    )


class EmbedTextsForm(_Form):
    """The JSON that /v1/embed takes as well."""

    texts: list[str] = Field(min_length=1)
    model: ModelName = "face"


AnyForm = TypeVar("AnyForm", bound=BaseModel)


def parse_form(form: type[AnyForm], fields: Mapping[str, str]) -> AnyForm:
    """Raises Refused (422) where a field is unknown, or its value none."""
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        raise Refused(422, _told(error)) from None


def parse_json(form: type[AnyForm], body: bytes) -> AnyForm:
    """Raises Refused (422) for what is no JSON, or does not fit."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise Refused(422, _told(error)) from None


def accepted_words(text: str | None, *, limits: Limits) -> tuple[str, ...]:
    """`joy, anger` as two words. Raises Refused (422) where there is none, too many, a long one, or one twice."""
    if text is None:
        return FACE_EMOTIONS
    words = tuple(split_words(text))
    if not 2 <= len(words) <= limits.words:
        raise Refused(422, f"words: {len(words)}; 2 to {limits.words} are taken, separated by commas: joy,anger,relief")
    if too_long := next((word for word in words if len(word) > limits.word_chars), None):
        raise Refused(422, f"words: {too_long[: limits.word_chars]!r}… is longer than {limits.word_chars} characters")
    if not all(word.isprintable() for word in words):
        raise Refused(422, "words: there are characters in them that cannot be printed")
    if len(set(words)) != len(words):
        raise Refused(422, "words: each once, please")
    return words


def require_few(texts: list[str], *, limits: Limits) -> tuple[str, ...]:
    """Raises Refused (413) where there are too many texts, or one is too long."""
    if len(texts) > limits.texts or any(len(text) > limits.text_chars for text in texts):
        raise Refused(413, f"at most {limits.texts} texts of {limits.text_chars:,} characters are taken at a time")
    return tuple(texts)


def _told(error: ValidationError) -> str:
    said = [
        (".".join(map(str, e["loc"])) or "the body", e["msg"].removeprefix("Value error, ")) for e in error.errors()
    ]
    return "; ".join(f"{where}: {message}" for where, message in said)
