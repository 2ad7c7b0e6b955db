"""Scripts: which are written without spaces, and which marks end a sentence in them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNSPACED = re.compile("[\u3000-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff]")
"""Chinese and Japanese: their letters and full-width punctuation. (Korean has spaces.)"""

_PHRASED = re.compile("[\u0e01-\u0e2e\u0e81-\u0eae\u1000-\u102a\u1780-\u17b3]")
"""Consonants of Thai, Lao, Burmese, Khmer: spaces divide phrases there, not words."""

CONSONANTS_PER_WORD = 3.0
"""Of these scripts, about."""

SENTENCE_ENDS = ".?!…‽。．｡？！؟۔।॥།။።፧។։\u037e"
"""Marks that end a sentence; the last is the Greek question mark, though Greek mostly has a semicolon there."""

CLOSING = "\"'”’»)]}）］】」』〉》"
OPENING = "\"'“‘«„([{（［【「『〈《¿¡"

_END_INSIDE = re.compile(
    f"(?<=[。．｡？！])(?=[^{re.escape(CLOSING)}。．｡？！…])|(?<=[。．｡？！][{re.escape(CLOSING)}])(?=\\w)"
)


def join_words(words: Iterable[str]) -> str:
    """`words` as a text: a space between two, but none where Chinese or Japanese meet."""
    text = ""
    for word in words:
        glued = text and word and is_unspaced(text[-1]) and is_unspaced(word[0])
        text += word if glued or not text else f" {word}"
    return text


def is_unspaced(letter: str) -> bool:
    return _UNSPACED.match(letter) is not None


def cut_unspaced(token: str) -> list[str]:
    """`token` cut after the sentences that end inside it: "はい。そうです。" is two."""
    return [part for part in _END_INSIDE.split(token) if part]


def words_in(token: str) -> float:
    """About how many words are spoken in `token`; a letter of Chinese or Japanese counts one."""
    unspaced = sum(letter.isalnum() for letter in _UNSPACED.findall(token))
    phrased = len(_PHRASED.findall(token)) / CONSONANTS_PER_WORD
    return max(float(has_words(token)), unspaced + phrased)


def has_words(text: str) -> bool:
    """Whether anything in it may be spoken: a letter or a digit."""
    return any(letter.isalnum() for letter in text)
