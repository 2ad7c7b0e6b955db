"""Punctuated comments, taken apart into words and what is known of the mark after each.

Writers leave marks out, so a word's mark is given as the *set* of those it may be: a bit for each of
mien.language.punctuation.CLASSES. See `marked_words` for which marks are believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mien.language.punctuation import bare
from mien.types import MienError

NONE, STOP, QUESTION, EXCLAMATION, COMMA = (1 << i for i in range(5))
END = STOP | QUESTION | EXCLAMATION
ANY = NONE | END | COMMA

MAX_UNMARKED_WORDS = 10
"""A longer comment without any sentence end may well leave some out: where it has none says nothing."""

ABBREVIATIONS = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "vs", "eg", "ie", "e.g", "i.e", "jr", "sr", "approx"})
"""Their full stop ends no sentence; as `bare` leaves them. Not those of subtitles: the weights depend on these."""

_NO_WORD = re.compile(r"https?:|/s\b|&\w+;")
_GLUED = re.compile(r"(?<=[A-Za-z]{2})([.?!,…;]+)(?=[A-Za-z]{2})")
_CONTINUES = re.compile(r"[-–—&+/>\"'”“]+")


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """A word, the marks that may follow it, and whether it stands for a name that was taken out of the text.

    `is_trusted` is false where the writer seems to leave sentence ends out and there is none.
    """

    text: str
    marks: int
    is_name: bool = False
    is_trusted: bool = True


def read_marked_words(path: Path) -> list[list[MarkedWord]]:
    """The comments of a file with a text, labels and an id a line, tabs between; those without words left out."""
    if not path.is_file():
        raise MienError(f"no {path.name} in {path.parent}; --data names the folder that holds it")
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    return [words for line in lines if (words := marked_words(line.split("\t")[0]))]


def marked_words(text: str) -> list[MarkedWord]:
    """The words of a comment, their marks taken off.

    Believed is: any `?`, `!` or `,`; a `.` that is not an abbreviation's or an initial's; dots (`…`) before a capital
    or at the end, as a full stop. Before a small letter they, like `;`, may be a stop, a comma or nothing; before a
    smiley anything may be left out. After the last word a sentence ends, if by an unknown mark. No mark is no end,
    but in a comment of more than `MAX_UNMARKED_WORDS` words without a single end.
    """
    text = text.replace('""', '"').replace("—", " — ").replace("--", " -- ").replace("*", "").replace("~", "")
    tokens = [t for t in _GLUED.sub(r"\1 ", text).split() if _NO_WORD.match(t) is None]
    words: list[MarkedWord] = []
    for i, token in enumerate(tokens):
        word = bare(token)
        following = next((w for w in map(bare, tokens[i + 1 :]) if w), "")
        if word:
            tail = token[token.rfind(word[-1]) + 1 :]
            is_name = re.match(r"\W*\[(NAME|RELIGION)\]", token) is not None
            words.append(MarkedWord(word, _marks(tail, word=word, following=following), is_name))
        elif words and words[-1].marks in (NONE, COMMA):  # a mark, dash or smiley on its own
            marks = _marks(token, word="", following=following)
            is_smiley = marks == NONE and _CONTINUES.fullmatch(token) is None
            words[-1] = MarkedWord(words[-1].text, ANY if is_smiley else marks, words[-1].is_name)
    return _believed(words)


def _marks(tail: str, *, word: str, following: str) -> int:
    """The marks that `tail`, what stands between `word` and `following`, may mean."""
    if "?" in tail:
        return QUESTION
    if "!" in tail:
        return EXCLAMATION
    if "…" in tail or ".." in tail:
        return STOP if not following or following[0].isupper() else NONE | STOP | COMMA
    if "." in tail:
        if word.lower() in ABBREVIATIONS:
            return NONE
        is_initial = re.fullmatch(r"(?:\w\.)*\w", word) is not None and following != ""
        return ANY if is_initial else STOP
    if ";" in tail:
        return NONE | STOP | COMMA
    return COMMA if "," in tail else NONE


def _believed(words: list[MarkedWord]) -> list[MarkedWord]:
    """`words` with an end after the last, and mistrust of a long comment that has no other."""
    if not words:
        return []
    is_marked = any(word.marks & END and not word.marks & NONE for word in words)
    is_trusted = is_marked or len(words) <= MAX_UNMARKED_WORDS
    last = words[-1].marks if words[-1].marks in (STOP, QUESTION, EXCLAMATION) else END
    return [
        *(MarkedWord(w.text, w.marks, w.is_name, is_trusted or w.marks != NONE) for w in words[:-1]),
        MarkedWord(words[-1].text, last, words[-1].is_name),
    ]
