"""Punctuation: which mark follows each word of speech that was written down without any.

The shipped model reads a stream of words, whatever their case, in overlapping windows; a word sees what comes after
it. Trained from scratch by `scripts/train_punctuation_model.py`; its card is beside its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

MARKS = ("", ".", "?", "!")
"""What may follow a word."""


@runtime_checkable
class Punctuator(Protocol):
    """Anything that restores sentence ends; `id` names the exact weights, to be stored with what they computed."""

    id: str

    def marks(self, words: Sequence[str]) -> list[str]:
        """What follows each of `words`: one of MARKS. The words may carry punctuation, which is not looked at."""
        ...
