"""A cue: one entry of a subtitle file as it stands there, markup removed; what every format is read to."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mien.language.scripts import is_unspaced
from mien.types import Skipped

LATEST_S = 1_000_000.0
"""A later time (eleven days) is none: the file is broken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CueWord:
    """A word of a cue; its times are None where the file has none of its own for it."""

    text: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cue:
    """What is shown from `start_s` to `end_s`, which may be None, or lie before the start: files are like that.

    `where` tells where it stands in the file. `lines` may be blank. `words` are there only if the file times words;
    they are then what `lines` say, except in a rolling caption, where they are what the cue adds.
    """

    where: str
    start_s: float
    end_s: float | None
    lines: tuple[str, ...]
    words: tuple[CueWord, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(line for line in self.lines if line)


Piece = tuple[str, float | None, float | None]
"""Some text of a cue, of part of a word or of several, and its start and end where the file has them, in seconds."""

CueOrSkipped = Cue | Skipped
"""What a format's reader yields: an entry, or why it is none."""


def skip(cue: Cue, reason: str) -> Skipped:
    """`cue`, listed as left out."""
    return Skipped(what=f"{cue.where}, {cue.start_s:.3f} s: {cue.text}", reason=reason)


def plain_lines(text: str) -> tuple[str, ...]:
    """The lines of `text` without markup: "<i>Oh</i>, {\\an8}R&amp;B <00:01.500>is <3" is "Oh, R&B is <3"."""
    text = re.sub(r"\{\\[^}]*\}", "", text)  # ASS: {\an8}; other braces are text
    text = re.sub(r"<br\s*/?>|\\[Nn]", "\n", text).replace("\\h", " ")
    text = re.sub(r"</?[A-Za-z][^<>\n]*>|<\d[\d:.]*>", "", text)  # <i>, </c>, <v Ann>; <00:00:01.500>
    return clean_lines(html.unescape(text))


def clean_lines(text: str) -> tuple[str, ...]:
    """The lines of `text`, white space collapsed, invisible marks (of direction, joining, control) removed."""
    text = re.sub(r"[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\x00-\x08\x7f]", "", text)
    text = re.sub("\u00ad\\s*\n?\\s*", "", text)  # a soft hyphen, with the line break it allows
    return tuple(" ".join(line.split()) for line in text.splitlines()) or ("",)


def words_of_pieces(pieces: Iterable[Piece]) -> tuple[CueWord, ...]:
    """Words of pieces of text with times, which may be parts of words: "don", "'t", " go" are "don't" and "go"."""
    words: list[CueWord] = []
    is_open = False  # whether the next piece goes on with the last word
    for text, start_s, end_s in pieces:
        for i, part in enumerate(text.split()):
            if i == 0 and is_open and not text[0].isspace() and not _meet_unspaced(words[-1].text, part):
                words[-1] = CueWord(text=words[-1].text + part, start_s=words[-1].start_s, end_s=end_s)
            else:
                words.append(CueWord(text=part, start_s=start_s if i == 0 else None, end_s=end_s))
        if text:
            is_open = bool(words) and not text[-1].isspace()
    return tuple(words)


def _meet_unspaced(word: str, following: str) -> bool:
    """Whether Chinese or Japanese meet there, whose words stay apart: `join_words` sets no space between them."""
    return is_unspaced(word[-1]) and is_unspaced(following[0])


def clean_piece(text: str) -> str:
    """A piece of a line cleaned, with a space where white space began or ended it."""
    clean = " ".join(clean_lines(text)).strip()
    return f"{' ' * text[:1].isspace()}{clean}{' ' * text[-1:].isspace()}"


def has_times(words: Sequence[CueWord]) -> bool:
    """Whether two words differ in time, or one has an end: one start alone is the cue's."""
    starts = {word.start_s for word in words if word.start_s is not None}
    return len(starts) > 1 or any(word.start_s is not None and word.end_s is not None for word in words)


def as_seconds(value: Any) -> float | None:
    """A number, possibly written as text, as seconds; None if it is none, or no time of a video."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and abs(seconds) <= LATEST_S else None
