"""What speech recognisers write: `{"segments": [{"start", "end", "text", "words": [...]}]}`.

openai-whisper, faster-whisper's and WhisperX's tools all do. A word's text is under `word`, `text` or
`punctuated_word`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mien.language.formats.cue import Cue, CueOrSkipped, CueWord, Piece, as_seconds, clean_lines, words_of_pieces
from mien.types import Skipped


def read_whisper(content: Any, *, source: str) -> Iterator[CueOrSkipped]:
    """One cue a segment, with its words' times; a word may have none (WhisperX gives numbers none).

    Where the words do not make up the segment's text, the text holds and the words' times are not used, so that none
    is lost. `speaker` (WhisperX) becomes ">> " where it changes.
    """
    speaker = ""
    for number, segment in enumerate(content["segments"], start=1):
        if not isinstance(segment, dict) or not isinstance(segment.get("text"), str):
            continue
        text, where = segment["text"], f"{source}, segment {number}"
        start_s, end_s = as_seconds(segment.get("start")), as_seconds(segment.get("end"))
        if start_s is None:
            yield Skipped(what=f"{where}: {text.strip()}", reason="its time cannot be read")
            continue
        words = _words(segment.get("words"), text)
        lines = clean_lines(text)
        named = segment.get("speaker")
        if isinstance(named, str) and named != speaker:
            if speaker:
                lines = (f">> {lines[0]}", *lines[1:])
                words = tuple(replace(word, text=f">> {word.text}") if i == 0 else word for i, word in enumerate(words))
            speaker = named
        yield Cue(where=where, start_s=start_s, end_s=end_s, lines=lines, words=words)


def stated_language(content: Any) -> str | None:
    """The language that a recogniser's output names, if it does."""
    language = content.get("language") if isinstance(content, dict) else None
    return language if isinstance(language, str) and language else None


def _words(entries: Any, text: str) -> tuple[CueWord, ...]:
    """The words of `text` with times: white space in `text` divides them, whether or not the entries have it."""
    pieces: list[Piece] = []
    rest = text
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            return ()
        word = next((entry[key] for key in ("punctuated_word", "word", "text") if isinstance(entry.get(key), str)), "")
        bare = word.strip()
        stripped = rest.lstrip()
        if not stripped.startswith(bare):
            return ()
        space = " " * (len(stripped) < len(rest))
        rest = stripped[len(bare) :]
        cleaned = " ".join(clean_lines(bare))
        pieces.append((space + cleaned, as_seconds(entry.get("start")), as_seconds(entry.get("end"))))
    return () if rest.strip() else words_of_pieces(pieces)
