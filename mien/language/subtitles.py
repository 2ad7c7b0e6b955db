"""Subtitle files: the one that belongs to a video, its kind and language, and its captions.

What is written in them is read in `mien/language/formats`; what of it is spoken is decided in `spoken.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.language.formats.cue import Cue, CueOrSkipped
from mien.language.formats.encoding import decode
from mien.language.formats.substation import read_substation
from mien.language.formats.timed_text import read_timed_text
from mien.language.formats.whisper import read_whisper, stated_language
from mien.language.formats.youtube import read_json3, read_timed_xml, read_transcript
from mien.language.rolling import unroll
from mien.language.timeline import captions_of
from mien.types import UNKNOWN, Caption, MienError, Skipped

SUFFIXES = (".json3", ".srv3", ".json", ".srt", ".vtt", ".ass", ".ssa", ".ttml", ".srv1")
"""Those that may hold words with times of their own first (`.vtt` seldom does, and `.srt` beside it is its rival)."""

_CAPTIONS_BEGIN = re.compile(rb'\s*(?:\{\s*"(?:segments|events|wireMagic)"|\[\s*\{\s*"text")')
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]+)*")
_FLAGS = ("forced", "sdh", "cc", "default", "auto", "asr")
_THREE_LETTERS = {
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "ita": "it", "por": "pt", "nld": "nl",
    "dut": "nl", "pol": "pl", "ces": "cs", "cze": "cs", "rus": "ru", "ukr": "uk", "ell": "el", "gre": "el", "tur": "tr",
    "ara": "ar", "heb": "he", "hin": "hi", "jpn": "ja", "zho": "zh", "chi": "zh", "kor": "ko", "tha": "th", "swe": "sv",
    "dan": "da", "nor": "no", "fin": "fi", "hun": "hu", "ron": "ro", "rum": "ro",
}  # fmt: skip
_NAMES = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt",
    "russian": "ru", "japanese": "ja", "chinese": "zh", "korean": "ko", "polish": "pl", "dutch": "nl", "turkish": "tr",
}  # fmt: skip
"""As openai-whisper's older releases state a language."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleFile:
    """A subtitle file, its kind (`srt`, `vtt`, `ass`, `json3`, `srv3`, `xml`, `whisper`, `transcript`), its language.

    The kind of a `.json` file that holds no captions is `json`.
    `language` is the first part of a language tag ("en" of "en-GB"), or `UNKNOWN`.
    """

    path: Path
    kind: str
    language: str


def find_subtitles(video: Path, *, beside: Iterable[Path] | None = None, language: str | None = None) -> Path | None:
    """The subtitle file beside `video`, or None. With `language` ("de"), that language's comes first.

    `beside` are the files to choose from, all of the folder's by default: whoever has many videos in one folder lists
    it once.

    In this order: `NAME.srt`; English (`NAME.en.srt`, then `NAME.en-GB.srt` and the like); any other
    `NAME.<language>.srt`. With `language`: `NAME.<language>.srt` and `NAME.srt` change places. Files marked `forced`
    (`NAME.en.forced.srt`: only the foreign lines) come last. Among equals, by language, then as in `SUFFIXES`.
    A `.json` file counts only if it holds captions, so a downloader's `NAME.info.json` or `NAME.json` does not.
    """
    ranked = []
    for path in video.parent.iterdir() if beside is None else beside:
        rank = _rank(path, video, language)
        if rank is not None and path.is_file():
            ranked.append((rank, SUFFIXES.index(path.suffix.lower()), path.name, path))
    for *_, path in sorted(ranked):
        if path.suffix.lower() != ".json" or _is_captions(path):
            return path
    return None


def describe_subtitles(path: Path, *, video: Path) -> SubtitleFile:
    """What kind of file `path` is and which language it is in: by its name beside `video`, else as it states itself.

    Raises MienError if it must be read to tell, and cannot be.
    """
    kind = {"ssa": "ass", "srv1": "xml", "ttml": "xml"}.get(path.suffix.lower()[1:], path.suffix.lower()[1:])
    tag = _tag(path, video) or ""
    if kind == "json":
        content = _parse_json(path, _read(path))
        kind = _json_kind(content) or "json"
        tag = tag or stated_language(content) or ""
    elif not tag and kind == "vtt":
        stated = re.search(r"\A\s*WEBVTT[^\n]*\n(?:[^\n]+\n)*?Language:\s*(\S+)", _read(path))
        tag = stated[1] if stated else ""
    elif not tag and kind in ("srv3", "xml"):
        stated = re.search(r"<tt\b[^>]*?xml:lang=[\"']([\w-]+)", _read(path))
        tag = stated[1] if stated else ""
    return SubtitleFile(path=path, kind=kind, language=_primary(tag))


def read_captions(path: Path) -> tuple[list[Caption], list[Skipped]]:
    """The captions of a subtitle file in the order of their times, and what was left out.

    Text: markup removed, entities unescaped, lines joined by newlines; where the file times its words, these, joined
    by spaces. What rolling captions repeat is taken out (`rolling.unroll`). Times: `timeline.captions_of`; so captions
    never overlap and each has a positive duration. Encoding: `formats.encoding.decode`.

    Raises MienError if `path` cannot be read or holds no subtitles; an empty file is listed as skipped.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise MienError(f"{path} is no subtitle file; {', '.join(SUFFIXES)} are read, so convert it to one of them")
    text = _read(path)
    if not text.strip():
        return [], [Skipped(what=path.name, reason="the file is empty")]
    cues: list[Cue] = []
    skipped: list[Skipped] = []
    try:
        for read in _cues(path, text):
            if isinstance(read, Cue):
                cues.append(read)
            else:
                skipped.append(read)
    except MienError as error:
        raise MienError(f"{path.parent}: {error}") from error
    cues, repeated = unroll(cues, source=path.name)
    captions, unread = captions_of(cues)
    if not captions and not skipped and not unread:
        skipped.append(Skipped(what=path.name, reason="the file has no captions"))
    return captions, [*skipped, *unread, *repeated]


def _cues(path: Path, text: str) -> Iterator[CueOrSkipped]:
    source = path.name
    match path.suffix.lower():
        case ".srt" | ".vtt":
            return read_timed_text(text, source=source)
        case ".ass" | ".ssa":
            return read_substation(text, source=source)
        case ".srv3" | ".srv1" | ".ttml":
            return read_timed_xml(text, source=source)
    content = _parse_json(path, text)
    match _json_kind(content):
        case "json3":
            return read_json3(content, source=source)
        case "whisper":
            return read_whisper(content, source=source)
        case "transcript":
            return read_transcript(content, source=source)
    raise MienError(f"{source} holds no captions: neither events, segments nor a list of texts; remove it")


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MienError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error
    return decode(path, data).removeprefix("\ufeff")


def _parse_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MienError(f"{path.name} is broken JSON ({error}); fetch it again or remove it") from error


def _json_kind(content: Any) -> str | None:
    """Which of the JSON formats it is, by its first entry; None if by none of them."""
    if isinstance(content, dict):
        events, segments = content.get("events"), content.get("segments")
        if isinstance(events, list) and ("wireMagic" in content or any(_has(e, "tStartMs") for e in events)):
            return "json3"
        if isinstance(segments, list) and (not segments or _has(segments[0], "text", "start")):
            return "whisper"
    if isinstance(content, list) and content and _has(content[0], "text", "start", "duration"):
        return "transcript"
    return None


def _has(entry: Any, *keys: str) -> bool:
    return isinstance(entry, dict) and all(key in entry for key in keys)


def _is_captions(path: Path) -> bool:
    """Whether a `.json` file holds captions, or what is wrong with it should be told, which reading it does."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    try:
        return _json_kind(_parse_json(path, decode(path, data))) is not None
    except MienError:  # what begins like captions was cut off; of the rest nobody spoke
        return _CAPTIONS_BEGIN.match(data) is not None


def _rank(path: Path, video: Path, language: str | None) -> tuple[bool, int, str] | None:
    """How far from wanted the file is: what sorts least is wanted most; None if it is no subtitle file of `video`."""
    tag = _tag(path, video)
    if path.suffix.lower() not in SUFFIXES or tag is None:
        return None
    wanted = (language or "en").lower().replace("_", "-")
    is_forced = path.stem.lower().endswith(".forced")
    if tag == "":
        return is_forced, 4 if language else 0, ""
    if _primary(tag) == _primary(wanted):
        return is_forced, 1 if tag.replace("_", "-") == wanted else 3 if re.search("[-_]", tag) else 2, ""
    return is_forced, 5, tag  # sorted by language, since nobody asked for any of them


def _tag(path: Path, video: Path) -> str | None:
    """The language tag between the video's name and the suffix: "" if there is none, None if it is something else."""
    if path.stem == video.stem:
        return ""
    if not path.stem.startswith(f"{video.stem}."):
        return None
    tag, *flags = path.stem.removeprefix(f"{video.stem}.").lower().split(".")
    if tag in _FLAGS:
        tag, flags = "", [tag, *flags]
    if not {*flags} <= {*_FLAGS} or (tag and not _LANGUAGE.fullmatch(tag)):
        return None
    return tag


def _primary(tag: str) -> str:
    """ "en" of "en-GB", "eng", "English"; `UNKNOWN` of none."""
    first = re.split("[-_]", tag.lower())[0]
    return _NAMES.get(first) or _THREE_LETTERS.get(first) or (first if _LANGUAGE.fullmatch(first) else UNKNOWN)
