"""A captioner: a vision-language model of the user's own that looks at a face and writes its caption.

Any model that the library transformers (extra `hf`) runs as `image-text-to-text` with a chat template, from a folder;
nothing is downloaded, and no code of a model's is run. What it says is checked against the form of a record, not
against the picture.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from PIL import Image, UnidentifiedImageError

from mien.captions.record import CaptionRecord, record_of
from mien.hub_fetch import import_transformers
from mien.language.huggingface import is_transformers_folder
from mien.types import MienError

PROMPT = """Describe the facial expression of the person in this picture. Answer with one JSON object and nothing else:
{
  "global": "one sentence: which emotion, or mixture of emotions, the face shows, and how intensely",
  "local": ["about five sentences, one a facial region (brows, eyes, nose, cheeks, mouth, jaw): what is to be seen \
there, then its FACS action unit and how marked it is"],
  "summary": "one sentence: the emotion, and the cues that it is seen by"
}
Say only what can be seen. Do not guess who the person is, their age, sex or origin."""
"""What a captioner is asked for; the answer's keys are those of a record."""

TRIES = 3  # the first greedy, then drawn: asked the same, a greedy model would answer the same
MAX_NEW_TOKENS = 600  # a caption of EmoCap100K has some 267 words
TEMPERATURE = 0.7


@runtime_checkable
class ImageTextToText(Protocol):
    """What is asked of a pipeline of transformers."""

    def __call__(self, *, text: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]: ...


class Captioner:
    """A vision-language model with its prompt; `name` goes into the records' source."""

    def __init__(self, pipeline: ImageTextToText, *, name: str) -> None:
        self.name = name
        self._pipeline = pipeline

    @classmethod
    def load(cls, folder: Path) -> Captioner:
        """The model in a folder, on the GPU if there is one.

        Raises MienError if there is none, the extra `hf` is missing, or it does not load as `image-text-to-text`.
        """
        if not is_transformers_folder(folder):
            raise MienError(f"{folder} is no folder of a transformers model; download one, and name its folder")
        transformers = import_transformers(str(folder))
        try:
            pipeline = transformers.pipeline(
                "image-text-to-text",
                model=str(folder),
                device=0 if torch.cuda.is_available() else -1,
                dtype="auto",
                trust_remote_code=False,
            )
        except Exception as error:  # the library's errors have no common ancestor
            raise MienError(f"{folder} is no image-text-to-text model: {type(error).__name__}: {error}") from error
        if pipeline.processor.chat_template is None:
            raise MienError(f"{folder} has no chat template; take a model that was tuned to follow instructions")
        return cls(pipeline, name=folder.resolve().name)

    def caption(
        self, content: bytes, *, image: str, votes: Mapping[str, float] | None = None, graded: bool = True
    ) -> CaptionRecord:
        """The caption of the picture in `content` (a JPEG, PNG, …), asked for up to TRIES times.

        votes, graded: kept in the record; the model is not told. Raises MienError where the picture cannot be read or
        no answer is a record, with the reason for the last.
        """
        messages = _messages(_picture(content, image=image))
        known = {"image": image, "source": f"model:{self.name}", "votes": votes and dict(votes), "graded": graded}
        reason = ""
        for attempt in range(TRIES):
            try:
                return record_of({**parse_answer(self._answer(messages, attempt=attempt)), **known})
            except MienError as error:
                reason = str(error)
        raise MienError(f"{self.name} gave no caption of {image} in {TRIES} tries; of the last, {reason}")

    def _answer(self, messages: list[dict[str, Any]], *, attempt: int) -> str:
        sampling = {"do_sample": True, "temperature": TEMPERATURE} if attempt else {"do_sample": False}
        with torch.random.fork_rng():  # so that a caption does not hang on those before it, nor anything else on it
            torch.manual_seed(attempt)
            answers = self._pipeline(
                text=messages, return_full_text=False, generate_kwargs={"max_new_tokens": MAX_NEW_TOKENS, **sampling}
            )
        return str(answers[0]["generated_text"])


def parse_answer(answer: str) -> dict[str, Any]:
    """The first JSON object in an answer that has a `global`, whatever is said around it.

    Raises MienError where there is none; whether it is a whole record is not looked at here.
    """
    for found in _objects(answer):
        if "global" in found:
            return {key: found[key] for key in ("global", "local", "summary") if key in found}
    raise MienError(f"the answer {answer[:200]!r} holds no JSON object with global, local and summary")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield found
        start = text.find("{", start + 1)


def _messages(picture: Image.Image) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": PROMPT}]}]


def _picture(content: bytes, *, image: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content)).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise MienError(f"{image} cannot be read as a picture: {error}") from error
