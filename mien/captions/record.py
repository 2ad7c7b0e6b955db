"""A caption record: what is said of one face as a whole, region by region, and in sum; and its file.

A file of captions is JSON Lines, UTF-8, one object a line: `image`, `global`, `local` (a list, maybe empty), `summary`,
`source`, and where they are known `votes`. An image may have several lines. Other keys are passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.types import MienError, Skipped
from mien.whole_file import whole_file

SOURCE = re.compile(r"human|(labels|model):\S.*")
VOTES_TOLERANCE = 1e-3  # what rounding shares to three places leaves


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionRecord:
    """One caption of one image.

    image: its name, that of the video in a store. overall: a sentence on the whole face (`global` in the file). local:
    a sentence a region, any number. summary: the emotion and its cues. source: who wrote it, `labels:BENCHMARK`
    (derived from annotations, so that nobody looked at the picture for it), `model:NAME` or `human`. votes: the share
    of the judges that named each emotion, summing to 1. graded: whether the votes are several judges', so that their
    agreement is known; False where there is but one label.
    """

    image: str
    overall: str
    summary: str
    source: str
    local: tuple[str, ...] = ()
    votes: Mapping[str, float] | None = None
    graded: bool = True

    @property
    def is_derived(self) -> bool:
        """Whether it was written from labels."""
        return self.source.startswith("labels:")

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of its text, from the whole to the sum."""
        return (self.overall, *self.local, self.summary)


def read_captions(path: Path) -> list[CaptionRecord]:
    """The records of a file, in its order. Raises MienError at the first line that is none."""
    records = list[CaptionRecord]()
    for found in scan_captions(path):
        if isinstance(found, Skipped):
            raise MienError(f"{found.what}: {found.reason}; `mien captions verify` lists all such lines")
        records.append(found)
    return records


def scan_captions(path: Path) -> Iterator[CaptionRecord | Skipped]:
    """The records of a file, and in place of a line that is none its number and the reason; empty lines are nothing."""
    if not path.is_file():
        raise MienError(f"no captions at {path}; write some with `mien captions write`")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield record_of(json.loads(line.decode("utf-8-sig")))
            except ValueError as error:  # of broken UTF-8, or of JSON, whose own line 1 would be taken for the file's
                told = f"{error.msg}, character {error.colno}" if isinstance(error, json.JSONDecodeError) else error
                yield Skipped(what=f"{path}, line {number}", reason=f"it is no JSON in UTF-8: {told}")
            except MienError as error:
                yield Skipped(what=f"{path}, line {number}", reason=str(error))


def write_captions(path: Path, records: Iterable[CaptionRecord]) -> int:
    """The records as the file `path`, whole or not at all; returns how many."""
    count = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(fields_of(record), ensure_ascii=False) + "\n")
            count += 1
    return count


def fields_of(record: CaptionRecord) -> dict[str, Any]:
    """The record as the file has it."""
    fields: dict[str, Any] = {
        "image": record.image,
        "global": record.overall,
        "local": list(record.local),
        "summary": record.summary,
        "source": record.source,
    }
    if record.votes is not None:
        fields["votes"] = {emotion: round(share, 6) for emotion, share in record.votes.items()}
    return fields if record.graded else {**fields, "graded": False}


def record_of(fields: Any) -> CaptionRecord:
    """The record that a line's object is. Raises MienError, naming the key and what it must be."""
    if not isinstance(fields, dict):
        raise MienError(f"a {type(fields).__name__}, not an object of image, global, local, summary and source")
    source = _text(fields, "source")
    if not SOURCE.fullmatch(source):
        raise MienError(f"source is {source!r}; it must be human, labels:BENCHMARK or model:NAME")
    graded = fields.get("graded", True)
    if not isinstance(graded, bool):
        raise MienError(f"graded is {graded!r}; it must be true or false")
    return CaptionRecord(
        image=_text(fields, "image"),
        overall=_text(fields, "global"),
        local=_sentences(fields.get("local", [])),
        summary=_text(fields, "summary"),
        source=source,
        votes=_votes(fields.get("votes")),
        graded=graded,
    )


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise MienError(f"{key} is {value!r}; it must be a text" if key in fields else f"{key} is missing")
    return value


def _sentences(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise MienError(f"local is {value!r}; it must be a list of sentences, which may be empty")
    return tuple(value)


def _votes(value: Any) -> dict[str, float] | None:
    if value is None:
        return None
    shares = value.values() if isinstance(value, dict) else ()
    if not shares or not all(isinstance(s, int | float) and not isinstance(s, bool) and s >= 0 for s in shares):
        raise MienError(f"votes is {value!r}; it must give each emotion the share of the judges who named it")
    if not math.isclose(sum(shares), 1.0, abs_tol=VOTES_TOLERANCE):
        raise MienError(f"votes sum to {sum(shares):g}; they must be shares that sum to 1")
    return {emotion: float(share) for emotion, share in value.items()}
