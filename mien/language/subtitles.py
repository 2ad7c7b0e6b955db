"""Subtitle files: SubRip (.srt) and WebVTT (.vtt), read to timed captions.

Own parser, since pysubs2 1.8 takes a line with two inline time stamps (every YouTube file has some) for a timing
line, adds a following NOTE to the caption before it, and loses a last line that is a number.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mien.types import Caption, MienError, Skipped

SUFFIXES = (".srt", ".vtt")

_TIME = r"(-?)(?:(\d+):)?(\d+):(\d+)(?:[.,](\d+))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*")


def find_subtitles(video: Path) -> Path | None:
    """The subtitle file beside `video`, or None.

    In this order: `NAME.srt`, `NAME.vtt`; English (`NAME.en.srt`, `NAME.en.vtt`, then `NAME.en-GB.srt` and the
    like); any other `NAME.<language>.srt` or `.vtt`, sorted by name.
    """
    ranked = []
    for path in video.parent.iterdir():
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        suffix = SUFFIXES.index(path.suffix.lower())
        language = path.stem.removeprefix(f"{video.stem}.").lower()
        if path.stem == video.stem:
            ranked.append((0, suffix, path.name, path))
        elif path.stem.startswith(f"{video.stem}.") and _LANGUAGE.fullmatch(language):
            is_english = re.split("[-_]", language)[0] == "en"
            rank = 1 if language == "en" else 2 if is_english else 3
            ranked.append((rank, suffix if rank < 3 else 0, path.name, path))
    return min(ranked)[-1] if ranked else None


def read_captions(path: Path) -> tuple[list[Caption], list[Skipped]]:
    """The captions of a subtitle file in the order of their times, and what was left out.

    Encoding: what a byte order mark says (UTF-8, UTF-16), else UTF-8, else Windows-1252. Text: HTML, WebVTT and
    ASS tags removed, entities unescaped, lines joined by a space.

    Times: captions are sorted by start; those with the same start are joined, repetitions of the same text
    skipped; a negative start becomes 0; a caption that then ends before or when it begins is skipped; one
    ends at the latest where the next begins. So captions never overlap and each has a positive duration.

    Raises MienError if `path` cannot be read or holds no subtitles; an empty file is listed as skipped.
    """
    text = _decode(path)
    if not text.strip():
        return [], [Skipped(what=path.name, reason="the file is empty")]
    is_webvtt = text.startswith("WEBVTT")
    if not is_webvtt and "-->" not in text:
        raise MienError(
            f"{path} holds no line like '00:00:01,000 --> 00:00:02,500', so it is not SubRip or WebVTT; "
            f"convert it to one of them or remove it"
        )
    captions: list[Caption] = []
    skipped: list[Skipped] = []
    for cue in _cues(text.splitlines(), is_webvtt=is_webvtt):
        read = _caption(cue, source=path.name)
        if isinstance(read, Caption):
            captions.append(read)
        else:
            skipped.append(read)
    captions, repeated = _disentangle(captions, source=path.name)
    if not captions and not skipped:
        skipped.append(Skipped(what=path.name, reason="the file has no captions"))
    return captions, skipped + repeated


@dataclass(frozen=True, slots=True)
class _Cue:
    """A timing line as it stands in the file (its number counts from 1) and the text lines below it."""

    line_number: int
    timing: str
    lines: list[str]


def _decode(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise MienError(f"{path} is no subtitle file; .srt and .vtt are read, so convert it to one of them")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MienError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise MienError(f"{path} is not text in {' or '.join(encodings)}; save it as UTF-8")


def _cues(lines: list[str], *, is_webvtt: bool) -> Iterator[_Cue]:
    """Each timing line with its text: up to the next cue; in WebVTT, where notes may follow, to an empty line."""
    timings = [i for i, line in enumerate(lines) if "-->" in line]
    for i, following in pairwise([*timings, len(lines)]):
        text = lines[i + 1 : following]
        if is_webvtt:
            text = text[: text.index("")] if "" in text else text
        elif following < len(lines) and text and text[-1].strip().isdecimal():
            text = text[:-1]  # the counter of the next cue
        yield _Cue(i + 1, lines[i], text)


def _caption(cue: _Cue, *, source: str) -> Caption | Skipped:
    text = _plain(" ".join(cue.lines))
    what = f"{source}, line {cue.line_number}: {cue.timing.strip()} {text}".strip()
    match = _TIMING.fullmatch(cue.timing)
    if match is None:
        return Skipped(what=what, reason="its time cannot be read")
    if not text:
        return Skipped(what=what, reason="it has no text")
    start_s, end_s = max(0.0, _seconds(match.groups()[:5])), _seconds(match.groups()[5:])
    if end_s <= start_s:
        return Skipped(what=what, reason="it ends before or when it begins")
    return Caption(start_s=start_s, end_s=end_s, text=text)


def _seconds(groups: tuple[str | None, ...]) -> float:
    sign, hours, minutes, seconds, fraction = groups
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return (-1.0 if sign else 1.0) * float(f"{whole}.{fraction or 0}")


def _plain(text: str) -> str:
    """`text` without markup: "<i>Oh</i>, {\\an8}R&amp;B <00:01.500>is <3" is "Oh, R&B is <3"."""
    text = re.sub(r"\{\\[^}]*\}", "", text)  # ASS: {\an8}; other braces are text
    text = re.sub(r"<br\s*/?>|\\[Nh]", " ", text)
    text = re.sub(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>", "", text)  # <i>, </c>, <v Ann>; <00:00:01.500>
    text = re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff]", "", html.unescape(text))  # invisible marks
    return " ".join(text.split())


def _disentangle(captions: list[Caption], *, source: str) -> tuple[list[Caption], list[Skipped]]:
    """`captions` sorted, one for each start, each ending at the latest where the next begins."""
    by_start: dict[float, list[Caption]] = {}
    repeated = []
    for caption in sorted(captions, key=lambda c: c.start_s):
        same = by_start.setdefault(caption.start_s, [])
        if caption.text in [c.text for c in same]:
            what = f"{source}, {caption.start_s:.3f} s: {caption.text}"
            repeated.append(Skipped(what=what, reason="the same text begins at the same time already"))
        else:
            same.append(caption)
    starts = [*by_start, float("inf")]
    disentangled = [
        Caption(
            start_s=start_s,
            end_s=min(max(c.end_s for c in same), next_start_s),
            text=" ".join(c.text for c in same),
        )
        for (start_s, same), next_start_s in zip(by_start.items(), starts[1:], strict=True)
    ]
    return disentangled, repeated
