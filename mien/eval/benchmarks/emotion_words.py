"""The words for an emotion: which of a benchmark's classes a release's own word for it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SYNONYMS = (
    ("anger", "angry"),
    ("contempt", "contemptuous"),
    ("disgust", "disgusted"),
    ("fear", "fearful"),
    ("happiness", "happy"),
    ("neutral", "neutrality"),
    ("sadness", "sad"),
    ("surprise", "surprised"),
)
"""What releases and their copies call the same emotion. Joy is not among them: sets that have it mean another word."""


def class_of(word: str, classes: Sequence[str], *, codes: Mapping[str, str] | None = None) -> int | None:
    """The index of the class that `word` names, in any case; None if it names none of them.

    `codes` are a release's own signs for its classes: {"1": "surprise"}.
    """
    said = word.strip().lower()
    said = (codes or {}).get(said, said)
    same = next((words for words in SYNONYMS if said in words), (said,))
    return next((index for index, name in enumerate(classes) if name in same), None)
