"""SubRip (.srt) and WebVTT (.vtt): a line with two times, and lines of text below it.

Own parser, since pysubs2 1.8 takes a line with two inline time stamps (every YouTube file has some) for a timing
line, adds a following NOTE to the caption before it, and loses a last line that is a number.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

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

TOUCH_S = 0.0105
"""Two captions touch if one begins where the other ends, to a hundredth of a second, in which some tools round."""

_TIME = r"(-?)(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})(?:[.,](\d{1,9}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_STAMP = re.compile(r"<(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})(?:\.(\d{1,9}))?>")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^<>]+)>")
_HIGHLIGHT = re.compile(r"<u>([^<>]+)</u>")


def read_timed_text(text: str, *, source: str) -> Iterator[CueOrSkipped]:
    """The cues of a SubRip or WebVTT file.

    `<v Ann>` becomes ">> " where the voice changes. Inline times of WebVTT time its words. A caption shown once for
    each of its words, with that word underlined (as Whisper's tools write it), becomes one cue with timed words.
    Raises MienError if there is no timing line.
    """
    is_webvtt = text.startswith("WEBVTT")
    if not is_webvtt and "-->" not in text:
        raise MienError(
            f"{source} holds no line like '00:00:01,000 --> 00:00:02,500', so it is not SubRip or WebVTT; "
            f"convert it to one of them or remove it"
        )
    return _merge_highlights(_cues(text.splitlines(), source=source, is_webvtt=is_webvtt))


def _cues(lines: list[str], *, source: str, is_webvtt: bool) -> Iterator[tuple[str, CueOrSkipped]]:
    """Each cue with its raw text: up to the next cue; in WebVTT, where notes may follow, to an empty line."""
    timings = [i for i, line in enumerate(lines) if "-->" in line]
    voice = ""
    for i, following in pairwise([*timings, len(lines)]):
        body = lines[i + 1 : following]
        if is_webvtt:
            body = body[: body.index("")] if "" in body else body
        elif following < len(lines) and body and body[-1].strip().isdecimal():
            body = body[:-1]  # the counter of the next cue
        raw, voice = _mark_voices("\n".join(body), voice)
        yield raw, _cue(raw, lines[i], where=f"{source}, line {i + 1}")


def _mark_voices(raw: str, voice: str) -> tuple[str, str]:
    """`raw` with ">> " wherever another voice than `voice` begins, and the last voice."""
    for name in _VOICE.findall(raw):
        raw = _VOICE.sub(">> " if voice and name.strip() != voice else "", raw, count=1)
        voice = name.strip()
    return raw, voice


def _cue(raw: str, timing: str, *, where: str) -> CueOrSkipped:
    lines = plain_lines(raw)
    match = _TIMING.fullmatch(timing)
    if match is None:
        what = f"{where}: {timing.strip()} {' '.join(lines)}".strip()
        return Skipped(what=what, reason="its time cannot be read")
    start_s, end_s = _seconds(match.groups()[:5]), _seconds(match.groups()[5:])
    return Cue(where=where, start_s=start_s, end_s=end_s, lines=lines, words=_stamped_words(raw, start_s=start_s))


def _seconds(groups: Sequence[str | None]) -> float:
    sign, hours, minutes, seconds, fraction = groups
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return (-1.0 if sign else 1.0) * float(f"{whole}.{fraction or 0}")


def _stamped_words(raw: str, *, start_s: float) -> tuple[CueWord, ...]:
    """The words of the lines that have inline times: `to<00:02.520><c> the</c>` is to, and the at 2.52 s."""
    stamped = [line for line in raw.split("\n") if _STAMP.search(line)]
    pieces: list[Piece] = []
    now_s = start_s
    for line in stamped:
        parts = re.split(r"(<[\d:.]+>)", line)
        for part in parts:
            if match := _STAMP.fullmatch(part):
                now_s = _seconds(("", *match.groups()))
            elif part:
                text = re.sub(r"</?[A-Za-z][^<>]*>", "", part)
                pieces.append((clean_piece(html.unescape(text)), now_s, None))
        pieces.append((" ", None, None))
    words = words_of_pieces(pieces)
    return words if has_times(words) else ()


def _merge_highlights(cues: Iterator[tuple[str, CueOrSkipped]]) -> Iterator[CueOrSkipped]:
    """Runs of cues that touch and say the same, one word underlined after the other, as one cue each."""
    group: list[tuple[str, Cue]] = []
    for raw, cue in cues:
        if group and not (isinstance(cue, Cue) and cue.text == group[-1][1].text and _touch(group[-1][1], cue)):
            yield from _merged(group)
            group = []
        if isinstance(cue, Cue):
            group.append((raw, cue))
        else:
            yield cue
    yield from _merged(group)


def _touch(cue: Cue, following: Cue) -> bool:
    return cue.end_s is not None and abs(following.start_s - cue.end_s) < TOUCH_S


def _merged(group: list[tuple[str, Cue]]) -> Iterator[Cue]:
    cues = [cue for _, cue in group]
    marks = [_highlight(raw) for raw, _ in group]
    places = [place for place in marks if place is not None]
    if len(group) < 2 or not places or len(set(places)) < len(places) or places != sorted(places):
        yield from cues
        return
    spans = {place: cue for place, cue in zip(marks, cues, strict=True) if place is not None}
    words = tuple(
        CueWord(
            text=word, start_s=spans[i].start_s if i in spans else None, end_s=spans[i].end_s if i in spans else None
        )
        for i, word in enumerate(cues[0].text.split())
    )
    yield Cue(where=cues[0].where, start_s=cues[0].start_s, end_s=cues[-1].end_s, lines=cues[0].lines, words=words)


def _highlight(raw: str) -> int | None:
    """The number of the one underlined word, or None."""
    found = _HIGHLIGHT.findall(raw)
    if len(found) != 1 or len(found[0].split()) != 1:
        return None
    before = raw[: raw.index("<u>")]
    return len(" ".join(plain_lines(before)).split()) if not before or before[-1].isspace() else None
