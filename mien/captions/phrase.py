"""A phrase: text with choices and slots, `[a|b] face of <noun>`, parsed once and drawn from many times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TOKEN = re.compile(r"\[([^\[\]]*)\]|<(\w+)>")
VOWEL_AFTER_A = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")  # no word of the lexicon is an exception, as `one` would be

Uniform = Callable[[], float]
"""The next number of a random stream, in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to be filled, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Literal text, slots and choices, one after the other; a choice is one of several phrases."""

    parts: tuple[str | Slot | tuple[Phrase, ...], ...]


Options = tuple[Phrase, ...]
"""Phrases of which one is drawn."""


def parse_phrase(text: str) -> Phrase:
    """The phrase that `text` spells; brackets are not nested, but may hold slots."""
    parts, end = list[str | Slot | Options](), 0
    for token in TOKEN.finditer(text):
        parts.append(text[end : token.start()])
        choices, name = token.groups()
        parts.append(Slot(name) if name else tuple(parse_phrase(choice) for choice in choices.split("|")))
        end = token.end()
    return Phrase(tuple(part for part in (*parts, text[end:]) if part != ""))


def slots_of(phrase: Phrase) -> set[str]:
    """The names of all slots in it, those of its choices too."""
    found = set[str]()
    for part in phrase.parts:
        if isinstance(part, Slot):
            found.add(part.name)
        elif isinstance(part, tuple):
            found.update(*map(slots_of, part))
    return found


def draw(options: Options, slots: Mapping[str, Options], uniform: Uniform) -> str:
    """One of the phrases, its choices made and its slots filled, spaces and articles mended.

    It begins with a capital if it ends in a full stop.
    """
    pieces = list[str]()
    _draw(options, slots, uniform, pieces)
    text = VOWEL_AFTER_A.sub(r"\1n ", " ".join("".join(pieces).split()))
    return text[0].upper() + text[1:] if text.endswith(".") else text


def _draw(options: Options, slots: Mapping[str, Options], uniform: Uniform, pieces: list[str]) -> None:
    for part in options[int(uniform() * len(options))].parts:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Slot):
            _draw(slots[part.name], slots, uniform, pieces)
        else:
            _draw(part, slots, uniform, pieces)
