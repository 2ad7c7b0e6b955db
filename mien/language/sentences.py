"""Spoken sentences with times, regrouped from captions, whose lines break anywhere.

A caption's time is spread evenly over its words; the words are grouped into sentences again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from mien.types import Caption, Sentence, Skipped

MAX_GAP_S = 2.0
"""A longer silence between two captions ends a sentence, whatever its punctuation."""

BRACKETS = "[]()"
"""Round what is not spoken: [music], (sighs)."""

ABBREVIATIONS = frozenset({
    "mr.", "mrs.", "ms.", "mx.", "dr.", "prof.", "sr.", "jr.", "st.", "mt.", "ft.", "vs.", "gen.", "col.", "capt.",
    "lt.", "sgt.", "cpl.", "maj.", "adm.", "cmdr.", "rev.", "hon.", "gov.", "sen.", "rep.", "pres.", "messrs.",
    "approx.", "dept.", "est.", "inc.", "ltd.",
})  # fmt: skip
"""Their full stop does not end a sentence."""


def split_sentences(captions: Iterable[Caption]) -> tuple[list[Sentence], list[Skipped]]:
    """The sentences spoken in `captions`, and what was left out: nothing but what holds a bracket.

    `captions` must be in order and not overlap, as `read_captions` gives them; so then are the sentences.

    A sentence ends at `. ? ! …`, also before closing quotes and brackets, though not after an abbreviation (Dr.),
    an initial (J. F.), or "No." before a number; at a silence of more than `MAX_GAP_S`; and at the last word.
    A caption that is nothing but brackets is taken out, and the sentence around it goes on; any other sentence
    that holds a bracket is left out as a whole. (EmotionCLIP §4 splits at '.' only, and loses what precedes the
    first and follows the last one.)
    """
    spoken = []
    skipped = []
    for caption in captions:
        if _is_only_brackets(caption.text):
            skipped.append(_skip(caption, "it is not speech, but a note in brackets"))
        else:
            spoken.append(caption)
    sentences = []
    for words in _group(_words(spoken)):
        text = " ".join(word.text for word in words)
        sentence = Sentence(start_s=words[0].start_s, end_s=words[-1].end_s, text=text)
        if any(bracket in text for bracket in BRACKETS):
            skipped.append(_skip(sentence, "it holds a bracket"))
        else:
            sentences.append(sentence)
    return sentences, skipped


@dataclass(frozen=True, slots=True)
class _Word:
    """A word with its share of the caption's time; `silence_s` is from its end to the next word's start."""

    text: str
    start_s: float
    end_s: float
    silence_s: float


def _words(captions: list[Caption]) -> Iterator[_Word]:
    """All words in order: "so it is" from 1 to 4 s is so 1-2, it 2-3, is 3-4."""
    for caption, following in pairwise([*captions, None]):
        assert caption is not None
        words = caption.text.split()
        step_s = (caption.end_s - caption.start_s) / max(1, len(words))
        silence_s = following.start_s - caption.end_s if following else 0.0
        for i, word in enumerate(words):
            is_last = i + 1 == len(words)
            yield _Word(
                text=word,
                start_s=caption.start_s + i * step_s,
                end_s=caption.end_s if is_last else caption.start_s + (i + 1) * step_s,
                silence_s=silence_s if is_last else 0.0,
            )


def _group(words: Iterable[_Word]) -> Iterator[list[_Word]]:
    """`words` cut after each one that ends a sentence."""
    group: list[_Word] = []
    for word, following in pairwise([*words, None]):
        assert word is not None
        group.append(word)
        if following is None or word.silence_s > MAX_GAP_S or _ends_sentence(word.text, following.text):
            yield group
            group = []


def _ends_sentence(word: str, following: str) -> bool:
    """Whether the sentence ends with `word`: `so.` `so?"` `so…)` do; `Dr.` `J.` `(e.g.` do not."""
    word = word.lstrip("\"'“‘«([{-–—").rstrip("\"'”’»)]}")
    if not word.endswith((".", "?", "!", "…")):
        return False
    if word.lower() == "no." and following[0].isdecimal():
        return False
    is_initial = re.fullmatch(r"(?:[^\W\d_]\.)+", word) is not None and word != "I."
    return not is_initial and word.lower() not in ABBREVIATIONS


def _is_only_brackets(text: str) -> bool:
    return re.fullmatch(r"[\s♪♫-]*(?:(?:\[[^\[\]]*\]|\([^()]*\))[\s♪♫.-]*)+", text) is not None


def _skip(what: Caption | Sentence, reason: str) -> Skipped:
    return Skipped(what=f"{what.start_s:.3f}–{what.end_s:.3f} s: {what.text}", reason=reason)
