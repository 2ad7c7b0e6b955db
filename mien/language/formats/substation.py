"""SubStation Alpha (.ass, .ssa): lines of `Dialogue:` whose fields a `Format:` line names.

Own parser: pysubs2 1.8 (the well-kept library) would drop what it cannot read, and the rules for signs, songs and
karaoke, which are the difficulty, are not its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mien.language.formats.cue import (
    Cue,
    CueOrSkipped,
    CueWord,
    Piece,
    clean_piece,
    has_times,
    plain_lines,
    words_of_pieces,
)
from mien.types import MienError, Skipped

DEFAULT_FIELDS = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")

_TIME = re.compile(r"\s*(\d{1,6}):(\d{1,6}):(\d{1,6}(?:[.:]\d{1,9})?)\s*")
_KARAOKE = re.compile(r"\{[^}]*\\[kK][fot]?(\d{1,6})[^}]*\}")
_DRAWING = re.compile(r"\\p[1-9]")
_POSITIONED = re.compile(r"\\(?:pos|move|clip|org)\(")
_SONG_STYLE = re.compile(r"(?<![a-z])(?:op|ed|opening|ending|songs?|lyrics?|karaoke|romaji|insert)(?![a-z])", re.I)
_SIGN_STYLE = re.compile(r"(?<![a-z])(?:signs?|titles?|credits?|typeset(?:ting)?)(?![a-z])", re.I)
_NOT_SPOKEN_EFFECT = re.compile(r"\s*(?:fx|banner|scroll)", re.I)


def read_substation(text: str, *, source: str) -> Iterator[CueOrSkipped]:
    """The cues of an .ass or .ssa file; drawings, signs and songs (told by style, effect, position) are listed.

    `Comment:` lines are the author's notes and are passed over. Where most lines have no position of their own, one
    that has is a sign on the screen. Karaoke times (`{\\k20}`) time words. `Name` becomes ">> " where it changes.
    Raises MienError if there is no `Dialogue:` line and no `[Events]`.
    """
    if not re.search(r"^\s*(?:\[Events\]|Dialogue:)", text, flags=re.I | re.M):
        raise MienError(f"{source} holds no [Events], so it is not SubStation Alpha; mend it or remove it")
    return _cues(text, source=source)


@dataclass(frozen=True, slots=True)
class _Line:
    where: str
    start: str
    end: str
    style: str
    name: str
    effect: str
    text: str


def _cues(text: str, *, source: str) -> Iterator[CueOrSkipped]:
    lines = list(_dialogue(text.splitlines(), source=source))
    positioned = sum(_POSITIONED.search(line.text) is not None for line in lines)
    signs_are_positioned = 2 * positioned < len(lines)
    name = ""
    for line in lines:
        what = f"{line.where}, {line.start.strip()}: {' '.join(_lines(line.text))}"
        if reason := _not_speech(line, signs_are_positioned=signs_are_positioned):
            yield Skipped(what=what, reason=reason)
            continue
        start_s, end_s = _seconds(line.start), _seconds(line.end)
        if start_s is None or end_s is None:
            yield Skipped(what=what, reason="its time cannot be read")
            continue
        changes = bool(name) and bool(line.name) and line.name != name
        name = line.name or name
        body = f">> {line.text}" if changes else line.text
        words = _karaoke_words(body, start_s=start_s)
        yield Cue(where=line.where, start_s=start_s, end_s=end_s, lines=_lines(body), words=words)


def _dialogue(lines: list[str], *, source: str) -> Iterator[_Line]:
    fields: tuple[str, ...] = DEFAULT_FIELDS
    in_events = False
    for number, line in enumerate(lines, start=1):
        key, _, rest = line.partition(":")
        key = key.strip().lower()
        if key.startswith("["):
            in_events = key == "[events]"
        elif key == "format" and in_events:
            named = tuple(field.strip().lower() for field in rest.split(","))
            fields = named if {"start", "end"} <= {*named} and named[-1] == "text" else DEFAULT_FIELDS
        elif key == "dialogue":
            values = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
            start, end, style, name, effect, text = (
                values.get(field, "") for field in ("start", "end", "style", "name", "effect", "text")
            )
            yield _Line(f"{source}, line {number}", start, end, style, name.strip(), effect, text)


def _not_speech(line: _Line, *, signs_are_positioned: bool) -> str | None:
    if _DRAWING.search(line.text):
        return "it is a drawing"
    if _SONG_STYLE.search(line.style):
        return f"it is sung (style {line.style.strip()})"
    if _SIGN_STYLE.search(line.style) or _NOT_SPOKEN_EFFECT.match(line.effect):
        return "it is a sign on the screen"
    if signs_are_positioned and _POSITIONED.search(line.text):
        return "it is a sign on the screen: it has a place of its own there, which most lines have not"
    return None


def _seconds(time: str) -> float | None:
    match = _TIME.fullmatch(time)
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(":", "."))


def _karaoke_words(text: str, *, start_s: float) -> tuple[CueWord, ...]:
    """The words of `{\\k20}Hel{\\k30}lo {\\k40}you`: syllables in hundredths of a second, from the line's start."""
    before, *syllables = _KARAOKE.split(text)
    if not syllables:
        return ()
    pieces: list[Piece] = [(_plain(before), start_s, start_s)]
    now_s = start_s
    for centiseconds, syllable in zip(syllables[::2], syllables[1::2], strict=True):
        end_s = now_s + int(centiseconds) / 100
        pieces.append((_plain(syllable), now_s, end_s))
        now_s = end_s
    words = words_of_pieces(pieces)
    return words if has_times(words) else ()


def _lines(text: str) -> tuple[str, ...]:
    return plain_lines(re.sub(r"\{[^}]*\}", "", text))  # whatever is in braces is hidden, comments too


def _plain(text: str) -> str:
    """A syllable without braces, with a space where white space or a line break stood."""
    return clean_piece(re.sub(r"\\[Nnh]", " ", re.sub(r"\{[^}]*\}", "", text)))
