"""What a store left out: its skipped.jsonl, grouped by reason, failures apart."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.data.store import CUT_OFF
from mien.types import MienError, Skipped

EXAMPLES = 5
MOST_REASONS = 200
"""So many different reasons are told apart; a store of a million videos may have one each."""
OTHERS = "(other reasons)"

Key = tuple[bool, str]

QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”|`[^`]*`")
PATH = re.compile(r"\S*/\S*")
NUMBER = re.compile(r"(?<![\w#])\d+(?:\.\d+)*")
"""A number on its own; those within names and ids stay."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One reason, what varies in it replaced by …; how often it was given; the first few examples."""

    pattern: str
    is_failure: bool
    count: int
    examples: tuple[Skipped, ...]

    @property
    def is_cut_off(self) -> bool:
        """Whether what it was given for is kept all the same, as far as it decodes."""
        return self.pattern.startswith(CUT_OFF)


def read_left_out(path: Path) -> list[Reason]:
    """The reasons in a skipped.jsonl: failures first, then the most frequent. Empty where there is no such file.

    Read a line at a time; memory grows with the number of different reasons only, and that is bounded.
    """
    counts, examples = Counter[Key](), defaultdict[Key, list[Skipped]](list)
    for skipped, is_failure in _lines(path):
        key = is_failure, pattern_of(skipped)
        if key not in counts and len(counts) >= MOST_REASONS:
            key = is_failure, OTHERS
        counts[key] += 1
        if len(examples[key]) < EXAMPLES:
            examples[key].append(skipped)
    reasons = [
        Reason(pattern=pattern, is_failure=is_failure, count=count, examples=tuple(examples[is_failure, pattern]))
        for (is_failure, pattern), count in counts.items()
    ]
    return sorted(reasons, key=lambda r: (not r.is_failure, r.pattern == OTHERS, -r.count))


def why_no_clip(path: Path, videos: Collection[str]) -> dict[str, str]:
    """Why each of `videos`, which make no clip, makes none, as far as a skipped.jsonl tells."""
    of_itself, of_sentences = defaultdict[str, list[str]](list), Counter[str]()
    for skipped, _ in _lines(path):
        if skipped.what in videos:
            of_itself[skipped.what].append(skipped.reason)
        elif (video := skipped.what.rpartition("#")[0]) in videos:
            of_sentences[video] += 1
    said = {video: f"sentences left out by the rules: {count}" for video, count in of_sentences.items()}
    return dict.fromkeys(videos, "nothing is said in it") | said | {v: "; ".join(r) for v, r in of_itself.items()}


def pattern_of(skipped: Skipped) -> str:
    """The reason without what varies from case to case.

    >>> pattern_of(Skipped(what="a", reason="1.93 s long; between 2 and 10 s is wanted"))
    '… s long; between … and … s is wanted'
    """
    reason = skipped.reason.splitlines()[0] if skipped.reason else ""
    return NUMBER.sub("…", PATH.sub("…", QUOTED.sub("…", reason)))


def _lines(path: Path) -> Iterator[tuple[Skipped, bool]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                yield Skipped(what=row["what"], reason=row["reason"]), bool(row.get("failed", False))
            except (ValueError, KeyError, TypeError) as error:
                raise MienError(f"{path}, line {number}, is damaged ({error}); run `mien prepare` again") from error
