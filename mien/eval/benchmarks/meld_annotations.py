"""MELD's annotations: the rows of a `SPLIT_sent_emo.csv`, and the utterances whose video is known to be broken.

The official files are UTF-8 with CRLF and curly quotes, but not cleanly so: part of the quotes went through
Windows-1252 on their way and arrive as control characters (U+0092 for ’) or as three letters (â€™). Copies that a
spreadsheet saved are in Windows-1252 throughout. All of these read as the same text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftfy import fix_encoding  # which also makes the codec `sloppy-windows-1252` known

from mien.config import Config, load_config
from mien.types import EMOTIONS, MienError

SENTIMENTS = ("negative", "neutral", "positive")
REQUIRED = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
KNOWN_BAD = Path(__file__).with_name("meld_known_bad.yaml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One row. Dialogues are numbered within a split, utterances within a dialogue; numbers may be left out."""

    dialogue: int
    number: int
    text: str
    speaker: str
    emotion: str
    sentiment: str

    @property
    def name(self) -> str:
        """What its video is called, without suffix."""
        return f"dia{self.dialogue}_utt{self.number}"


def read_utterances(path: Path) -> tuple[Utterance, ...]:
    """The rows of a csv, in their order. Raises MienError with the line where one makes no sense or is there twice."""
    reader = csv.DictReader(io.StringIO(_decode(path.read_bytes()), newline=""))
    rows = dict[str, Utterance]()
    try:
        header = reader.fieldnames or ()
        lacking = [name for name in REQUIRED if name not in header]
        if lacking:
            raise MienError(
                f"{path}, line 1: no column {', '.join(lacking)} among {', '.join(header) or '(none)'}; "
                "is this MELD's csv, with its labels and its header?"
            )
        for fields in reader:
            row = _utterance(fields, source=f"{path}, line {reader.line_num}")
            if row.name in rows:
                raise MienError(f"{path}, line {reader.line_num}: {row.name} is there twice; keep one of the two rows")
            rows[row.name] = row
    except csv.Error as error:
        raise MienError(f"{path}, after line {reader.line_num}: {error}; fetch the file again") from error
    if not rows:
        raise MienError(f"{path} has a header and no utterance; fetch the file again")
    return tuple(rows.values())


class KnownBad(Config):
    """An utterance whose video is broken: why, and whether it is skipped, or used and told."""

    split: str
    name: str
    treatment: Literal["skipped", "told"]
    reason: str


class KnownBadList(Config):
    """The file `meld_known_bad.yaml`."""

    utterances: tuple[KnownBad, ...]


def known_bad(split: str) -> Mapping[str, KnownBad]:
    """The broken utterances of a split, by name."""
    return {bad.name: bad for bad in load_config(KnownBadList, KNOWN_BAD).utterances if bad.split == split}


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("sloppy-windows-1252")  # Windows-1252 that takes the five bytes it has no letter for


def _utterance(fields: Mapping[str, str], *, source: str) -> Utterance:
    if None in fields or None in fields.values():
        raise MienError(f"{source}: the row has not as many values as the header has names; fetch the file again")
    return Utterance(
        dialogue=_number(fields, "Dialogue_ID", source=source),
        number=_number(fields, "Utterance_ID", source=source),
        text=fix_encoding(fields["Utterance"]).strip(),
        speaker=fix_encoding(fields["Speaker"]).strip(),
        emotion=_one_of(EMOTIONS, fields, "Emotion", source=source),
        sentiment=_one_of(SENTIMENTS, fields, "Sentiment", source=source),
    )


def _number(fields: Mapping[str, str], name: str, *, source: str) -> int:
    text = fields[name].strip()
    if not (text.isascii() and text.isdigit()):
        raise MienError(f"{source}: {name} is {fields[name]!r}; it must be a whole number, as in the video's name")
    return int(text)


def _one_of(names: tuple[str, ...], fields: Mapping[str, str], name: str, *, source: str) -> str:
    value = fields[name].strip().lower()
    if value not in names:
        raise MienError(f"{source}: {name} is {fields[name]!r}; MELD has {', '.join(names)}")
    return value
