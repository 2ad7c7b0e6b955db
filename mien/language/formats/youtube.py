"""YouTube's own formats: json3, srv3, srv1 (and simple TTML, which looks like it), and transcripts in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from mien.language.formats.cue import (
    Cue,
    CueOrSkipped,
    Piece,
    as_seconds,
    clean_lines,
    clean_piece,
    has_times,
    plain_lines,
    words_of_pieces,
)
from mien.types import MienError, Skipped

_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6}(?:[.,]\d{1,9})?)")
_OFFSET = re.compile(r"(-?\d{1,12}(?:\.\d{1,9})?)(ms|s|)")


def read_json3(content: Any, *, source: str) -> Iterator[CueOrSkipped]:
    """The cues of `{"events": [{"tStartMs", "dDurationMs", "segs": [{"utf8", "tOffsetMs"}]}]}`, times in milliseconds.

    Events without text are windows' set-up, those with `aAppend` line breaks between two others: neither is listed.
    """
    for number, event in enumerate(content["events"], start=1):
        if not isinstance(event, dict) or not isinstance(event.get("segs"), list):
            continue
        segments = [s for s in event["segs"] if isinstance(s, dict) and isinstance(s.get("utf8"), str)]
        text = "".join(s["utf8"] for s in segments)
        if not text.strip():
            continue
        where = f"{source}, event {number}"
        start_s, duration_s = _from_ms(event.get("tStartMs", 0)), _from_ms(event.get("dDurationMs"))
        if start_s is None:
            yield Skipped(what=f"{where}: {text.strip()}", reason="its time cannot be read")
            continue
        pieces: list[Piece] = []
        for segment in segments:
            offset_s = _from_ms(segment.get("tOffsetMs", 0))
            pieces.append((segment["utf8"], None if offset_s is None else start_s + offset_s, None))
        yield _cue(where, start_s, duration_s, clean_lines(text), pieces)


def read_transcript(content: Any, *, source: str) -> Iterator[CueOrSkipped]:
    """The cues of `[{"text", "start", "duration"}]`, times in seconds, as transcript tools write it."""
    for number, entry in enumerate(content, start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            continue
        where = f"{source}, entry {number}"
        start_s, duration_s = as_seconds(entry.get("start")), as_seconds(entry.get("duration"))
        if start_s is None:
            yield Skipped(what=f"{where}: {entry['text'].strip()}", reason="its time cannot be read")
        else:
            yield _cue(where, start_s, duration_s, plain_lines(entry["text"]), [])


def read_timed_xml(text: str, *, source: str) -> Iterator[CueOrSkipped]:
    """The cues of srv3 (`<p t= d=>`, `<s t=>`, milliseconds), srv1 (`<text start= dur=>`), TTML (`<p begin= end=>`).

    TTML is read as far as its paragraphs tell their own times; regions and styles are passed over.
    Raises MienError if it is no XML or declares entities, which no subtitle needs and which can blow up.
    """
    if "<!ENTITY" in text:
        raise MienError(f"{source} declares XML entities, which are not read; remove the declaration")
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except (ElementTree.ParseError, ValueError) as error:
        raise MienError(f"{source} is broken XML ({error}); fetch it again or remove it") from error
    paragraphs = [node for node in root.iter() if _tag(node) in ("p", "text")]
    return (
        cue for number, node in enumerate(paragraphs, start=1) for cue in _paragraph(node, f"{source}, <p> {number}")
    )


def _paragraph(node: ElementTree.Element, where: str) -> Iterator[CueOrSkipped]:
    text = "".join(_texts(node))
    if not text.strip():
        return  # a line break of a rolling caption
    if "t" in node.attrib:
        start_s, duration_s = _from_ms(node.get("t")), _from_ms(node.get("d"))
    elif "begin" in node.attrib:
        start_s, end_s, duration_s = (_clock(node.get(name)) for name in ("begin", "end", "dur"))
        if start_s is not None and end_s is not None:
            duration_s = end_s - start_s
    else:
        start_s, duration_s = as_seconds(node.get("start")), as_seconds(node.get("dur"))
    if start_s is None:
        yield Skipped(what=f"{where}: {' '.join(text.split())}", reason="its time cannot be read")
        return
    pieces: list[Piece] = []
    if any(_tag(child) == "s" for child in node):
        pieces.append((node.text or "", start_s, None))
        for child in node:
            offset_s = _from_ms(child.get("t", 0))
            pieces.append(("".join(_texts(child)), None if offset_s is None else start_s + offset_s, None))
            pieces.append((child.tail or "", None, None))
    yield _cue(where, start_s, duration_s, plain_lines(text), [piece for piece in pieces if piece[0]])


def _texts(node: ElementTree.Element) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        yield "\n" if _tag(child) == "br" else ""
        yield from _texts(child)
        yield child.tail or ""


def _tag(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]  # without its name space


def _cue(where: str, start_s: float, duration_s: float | None, lines: tuple[str, ...], pieces: list[Piece]) -> Cue:
    words = words_of_pieces([(clean_piece(text), start, end) for text, start, end in pieces])
    end_s = None if duration_s is None else start_s + duration_s
    return Cue(where=where, start_s=start_s, end_s=end_s, lines=lines, words=words if has_times(words) else ())


def _from_ms(value: Any) -> float | None:
    try:
        milliseconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return as_seconds(milliseconds / 1000)


def _clock(value: str | None) -> float | None:
    """`00:00:01.5`, `1.5s` or `1500ms`."""
    if value is None:
        return None
    if match := _CLOCK.fullmatch(value.strip()):
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    if match := _OFFSET.fullmatch(value.strip()):
        return as_seconds(float(match[1]) / (1000 if match[2] == "ms" else 1))
    return None
