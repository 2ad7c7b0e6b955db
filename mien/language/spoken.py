"""Spoken words: what of captions is speech, with its time and where another speaker takes over."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mien.language.annotations import CAPTION_BREAK, SHOWN, SILENCE_BREAK, SPOKEN, Annotations, annotate
from mien.language.formats.cue import CueWord, clean_lines
from mien.language.scripts import CLOSING, OPENING, cut_unspaced, has_words, words_in
from mien.language.timeline import in_order, place_words
from mien.types import Caption, Skipped

MAX_GAP_S = 2.0
"""A longer silence between two words ends a sentence, whatever its punctuation; no note in brackets spans it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenWord:
    """A word that is spoken, its punctuation attached; `starts_turn` where another speaker takes over."""

    text: str
    start_s: float
    end_s: float
    starts_turn: bool = False


def spoken_words(captions: Iterable[Caption]) -> tuple[list[SpokenWord], list[Skipped]]:
    """Every word spoken in `captions`, in order, and what was left out: notes, songs, speakers' names.

    Captions may overlap and have no duration; times never decrease. A caption's own words keep their times; otherwise
    its time is spread evenly over its words. What is heard and not spoken takes its share, as a word does
    ("(sighs)"); what is only shown takes none ("JOHN:", "-").
    """
    lines = [line for line in map(_line, in_order(captions)) if line.tokens]
    text, begins = _one_text(lines)
    found = annotate(text)
    tokens = [token for line, begin in zip(lines, begins, strict=True) for token in _timed(line, begin, found)]
    spoken = _Speech()
    turns = iter([*found.turns, len(text) + 1])
    next_turn = next(turns)
    for token in tokens:
        while next_turn < token.end:
            spoken.starts_turn, next_turn = True, next(turns)
        kept = "".join(text[i] for i in range(token.begin, token.end) if found.kinds[i] == SPOKEN)
        spoken.add(kept, token, is_whole=len(kept) == token.end - token.begin)
    return spoken.words, [*_listed(tokens, found), *spoken.wordless(lines)]


@dataclass(frozen=True, slots=True)
class _Line:
    """A caption's text, cleaned, and its tokens (divided by white space) with their own times where it has these."""

    caption: Caption
    text: str
    tokens: list[CueWord]


@dataclass(frozen=True, slots=True)
class _Token:
    """A stretch of the text without white space, and when it is heard, or if it is only shown, is on the screen."""

    begin: int
    end: int
    start_s: float
    end_s: float


def _line(caption: Caption) -> _Line:
    if caption.words:
        own = [CueWord(text=_clean(word.text), start_s=word.start_s, end_s=word.end_s) for word in caption.words]
        tokens = [part for word in own for part in _parts(word, word.text.split())]
        return _Line(caption, " ".join(token.text for token in tokens), tokens)
    text = "\n".join(line for line in clean_lines(caption.text) if line)
    text = re.sub(r"(?<=[^\W\d_]-)\n(?=[^\W\d_])", lambda m: "" if text[m.end()].islower() else "\n", text)
    return _Line(caption, text, [CueWord(text=token) for token in text.split()])


def _clean(text: str) -> str:
    return " ".join(clean_lines(text))


def _parts(word: CueWord, texts: list[str]) -> list[CueWord]:
    """`word` divided: the first part that is spoken has its start, the last one its end."""
    spoken = [i for i, text in enumerate(texts) if has_words(text)] or [0]
    return [
        CueWord(
            text=text,
            start_s=word.start_s if i == spoken[0] else None,
            end_s=word.end_s if i == spoken[-1] else None,
        )
        for i, text in enumerate(texts)
    ]


def _one_text(lines: list[_Line]) -> tuple[str, list[int]]:
    """All lines as one text, and where each begins in it."""
    text, end_s = "", 0.0
    begins: list[int] = []
    for line in lines:
        text += SILENCE_BREAK if line.caption.start_s - end_s > MAX_GAP_S else CAPTION_BREAK
        begins.append(len(text))
        text += line.text
        end_s = line.caption.words[-1].end_s if line.caption.words else line.caption.end_s
    return text, begins


def _timed(line: _Line, begin: int, found: Annotations) -> list[_Token]:
    """The tokens of `line`, which stands at `begin` in the text."""
    spans: list[tuple[int, int]] = []
    own: list[CueWord] = []
    for match, token in zip(re.finditer(r"\S+", line.text), line.tokens, strict=True):
        at = begin + match.start()
        for part in _parts(token, cut_unspaced(token.text)):
            spans.append((at, at + len(part.text)))
            own.append(part)
            at += len(part.text)
    shares = [words_in("".join(found.text[i] for i in range(*span) if found.kinds[i] != SHOWN)) for span in spans]
    heard = [i for i, share in enumerate(shares) if share > 0]
    start_s, end_s = line.caption.start_s, max(line.caption.start_s, line.caption.end_s)
    placed = place_words([own[i] for i in heard], start_s=start_s, end_s=end_s, shares=[shares[i] for i in heard])
    times = {i: (word.start_s, word.end_s) for i, word in zip(heard, placed, strict=True)}
    return [_Token(*span, *times.get(i, (start_s, end_s))) for i, span in enumerate(spans)]


class _Speech:
    """The words so far; punctuation that stands alone is joined to a neighbour."""

    def __init__(self) -> None:
        self.words: list[SpokenWord] = []
        self.starts_turn = False
        self._waiting = ""  # for a word to stand before: "… so"

    def add(self, text: str, token: _Token, *, is_whole: bool) -> None:
        if has_words(text):
            text = f"{self._waiting} {text}".lstrip()
            word = SpokenWord(text=text, start_s=token.start_s, end_s=token.end_s, starts_turn=self.starts_turn)
            self.words.append(word)
            self.starts_turn, self._waiting = False, ""
        elif text and is_whole:
            self._add_punctuation(text)
        elif text and self._goes_on() and has_words(self.words[-1].text[-1]) and text[0] in ".,;:?!…":
            self.words[-1] = replace(self.words[-1], text=self.words[-1].text + text)  # "Well (sighs)." is "Well."

    def _add_punctuation(self, text: str) -> None:
        if self._goes_on() and not (text[0] in OPENING and text[0] not in CLOSING):
            self.words[-1] = replace(self.words[-1], text=f"{self.words[-1].text} {text}")
        else:
            self._waiting = f"{self._waiting} {text}".lstrip()

    def _goes_on(self) -> bool:
        """Whether punctuation here belongs to the word before."""
        return bool(self.words) and not self.starts_turn and not self._waiting

    def wordless(self, lines: list[_Line]) -> list[Skipped]:
        if not self._waiting:
            return []
        caption = lines[-1].caption
        what = f"{caption.start_s:.3f}–{caption.end_s:.3f} s: {self._waiting}"
        return [Skipped(what=what, reason="it has no words")]


def _listed(tokens: list[_Token], found: Annotations) -> list[Skipped]:
    """What was left out, with its times."""
    listed = []
    begins = [token.begin for token in tokens]
    for span in found.left_out:
        within = tokens[max(0, bisect_left(begins, span.begin + 1) - 1) : bisect_left(begins, span.end)]
        what = f"{within[0].start_s:.3f}–{within[-1].end_s:.3f} s: {_clean(found.text[span.begin : span.end])}"
        listed.append(Skipped(what=what, reason=span.reason))
    return listed
