"""Spoken sentences with times, regrouped from captions, whose lines break anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from mien.language.scripts import CLOSING, OPENING, SENTENCE_ENDS, join_words
from mien.language.spoken import MAX_GAP_S, SpokenWord, spoken_words
from mien.types import Caption, MienError, Sentence, Skipped

if TYPE_CHECKING:
    from mien.language.punctuation import Punctuator

ABBREVIATIONS = frozenset({
    "mr.", "mrs.", "ms.", "mx.", "dr.", "prof.", "sr.", "jr.", "st.", "mt.", "ft.", "vs.", "gen.", "col.", "capt.",
    "lt.", "sgt.", "cpl.", "maj.", "adm.", "cmdr.", "rev.", "hon.", "gov.", "sen.", "rep.", "pres.", "messrs.",
    "approx.", "dept.", "est.", "inc.", "ltd.",
})  # fmt: skip
"""Their full stop does not end a sentence."""

MAX_WORDS_A_SENTENCE = 30
"""A file whose words are more than this to each sentence end is taken to be unpunctuated."""

MIN_WORDS_TO_JUDGE = 8
"""So is one of this many words or more without any sentence end."""

MAX_WORDS_UNPUNCTUATED = 60
"""So is a longer run of words without a sentence end in any other file."""


def split_sentences(
    captions: Iterable[Caption], *, punctuator: Punctuator | None = None
) -> tuple[list[Sentence], list[Skipped]]:
    """The sentences spoken in `captions`, and what was left out (`spoken.spoken_words`): no word that is spoken.

    A sentence ends at `. ? ! …` and other scripts' marks like them, also before closing quotes and brackets, though
    not after an abbreviation (Dr.), an initial (J. F.), or "No." before a number; where another speaker takes over; at
    a silence of more than `MAX_GAP_S`; and at the last word. (EmotionCLIP §4 splits at '.' only, and loses what
    precedes the first and follows the last one.)

    With a `punctuator`, marks are restored where captions have none: in files without any sentence end, or with more
    than `MAX_WORDS_A_SENTENCE` to each, else in runs of more than `MAX_WORDS_UNPUNCTUATED` words without one. A
    restored mark becomes part of the text; a word that carries any punctuation of its own keeps it and gets none.
    """
    words, skipped = spoken_words(captions)
    if punctuator is not None:
        words = _restore(words, punctuator)
    return [_sentence(group) for group in _cut(words, _ends_sentence_before)], skipped


def _sentence(words: Sequence[SpokenWord]) -> Sentence:
    text = join_words(word.text for word in words)
    return Sentence(start_s=words[0].start_s, end_s=words[-1].end_s, text=text)


def _cut(words: Iterable[SpokenWord], ends: Callable[[SpokenWord, SpokenWord], bool]) -> Iterator[list[SpokenWord]]:
    """`words` cut wherever one `ends` before the next."""
    group: list[SpokenWord] = []
    for word, following in pairwise([*words, None]):
        assert word is not None
        group.append(word)
        if following is None or ends(word, following):
            yield group
            group = []


def _is_interrupted(word: SpokenWord, following: SpokenWord) -> bool:
    """Whether another speaks next, or nobody for long."""
    return following.starts_turn or following.start_s - word.end_s > MAX_GAP_S


def _ends_sentence_before(word: SpokenWord, following: SpokenWord) -> bool:
    return _is_interrupted(word, following) or _ends_sentence(word.text, following.text)


def _ends_sentence(word: str, following: str) -> bool:
    """Whether the sentence ends with `word`: `so.` `so?"` `so…)` do; `Dr.` `J.` `(e.g.` do not."""
    word = word.lstrip(OPENING + "-–— ").rstrip(CLOSING + "-–— ")
    if not word.endswith(tuple(SENTENCE_ENDS)) and not (word.endswith(";") and _is_greek(word)):
        return False
    if word.lower() == "no." and following[0].isdecimal():
        return False
    is_initial = re.fullmatch(r"(?:[^\W\d_]\.)+", word) is not None and word != "I."
    return not is_initial and word.lower() not in ABBREVIATIONS


def _is_greek(word: str) -> bool:
    """Whether a semicolon after it asks."""
    return re.search("[\u0370-\u03ff\u1f00-\u1fff]", word) is not None


# ── marks restored ───────────────────────────────────────────────────────────────────────────────


def _restore(words: list[SpokenWord], punctuator: Punctuator) -> list[SpokenWord]:
    """`words` with the marks that are missing, where they are."""
    is_end = [_ends_sentence(word.text, after.text) for word, after in pairwise(words)]
    has_none = len(words) >= MIN_WORDS_TO_JUDGE and not any(is_end) and not _ends_sentence(words[-1].text, "A")
    is_unpunctuated = has_none or len(words) > MAX_WORDS_A_SENTENCE * (sum(is_end) + 1)
    limit = 0 if is_unpunctuated else MAX_WORDS_UNPUNCTUATED
    return [
        word
        for run in _cut(words, _ends_sentence_before)
        for word in (_with_marks(run, punctuator) if len(run) > limit else run)
    ]


def _with_marks(words: list[SpokenWord], punctuator: Punctuator) -> list[SpokenWord]:
    marks = punctuator.marks([word.text for word in words])
    if len(marks) != len(words) or not {*marks} <= {"", ".", "?", "!"}:
        raise MienError(f"the punctuation model {punctuator.id} gave other than one mark a word; use another one")
    return [
        replace(word, text=word.text + mark) if mark and word.text[-1].isalnum() else word
        for word, mark in zip(words, marks, strict=True)
    ]
