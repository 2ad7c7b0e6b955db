"""The labels of a film of LIRIS-ACCEDE: tables of a row a second, tab-separated, `Time Valence Arousal`.

Columns are found by name. Numbers are about −1 to 1, which is not enforced; a cell that is empty or `NaN` is no number,
and its row has no label.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mien.types import MienError

DIMENSIONS = ("valence", "arousal")
COLUMNS = ("Time", "Valence", "Arousal")
NO_NUMBER = ("", "nan", "na")


@dataclass(frozen=True, kw_only=True, slots=True)
class Second:
    """One row. `time_s` counts from the start of the film; `label` is valence and arousal, None without both."""

    time_s: float
    label: tuple[float, float] | None
    line: int


def read_seconds(path: Path) -> tuple[Second, ...]:
    """The rows of a film in the order of time, which is the file's. Raises MienError with the number of a bad line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(enumerate(csv.reader(file, delimiter="\t"), start=1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MienError(f"{path} is not a table of text ({error}); extract it again") from error
    header = tuple(name.strip() for name in lines[0][1]) if lines else ()
    if not set(COLUMNS) <= set(header):
        raise MienError(
            f"{path}, line 1: the columns are {', '.join(header) or '(none)'}; valence and arousal of a film have "
            f"{', '.join(COLUMNS)}, with tabs between them"
        )
    at = {name: header.index(name) for name in COLUMNS}
    seconds = tuple(_second(path, line, cells, at) for line, cells in lines[1:] if any(map(str.strip, cells)))
    if not seconds:
        raise MienError(f"{path} has no rows; extract it again")
    for before, second in pairwise(seconds):
        if second.time_s <= before.time_s:
            raise MienError(
                f"{path}, line {second.line}: {second.time_s:g} s follows {before.time_s:g} s, but time must go "
                "forward; extract the file again"
            )
    return seconds


def _second(path: Path, line: int, cells: list[str], at: dict[str, int]) -> Second:
    if len(cells) <= max(at.values()):
        raise MienError(f"{path}, line {line}: {len(cells)} of {len(at)} values; is the file whole? Extract it again")
    time_s, valence, arousal = (_number(path, line, name, cells[at[name]]) for name in COLUMNS)
    if time_s is None or time_s < 0:
        raise MienError(f"{path}, line {line}: Time is {cells[at['Time']]!r}; it must be seconds from the film's start")
    label = None if valence is None or arousal is None else (valence, arousal)
    return Second(time_s=time_s, label=label, line=line)


def _number(path: Path, line: int, name: str, cell: str) -> float | None:
    """What stands in a cell; None where it is said to be no number."""
    if cell.strip().lower() in NO_NUMBER:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        raise MienError(f"{path}, line {line}: {name} is {cell!r}, not a number; extract the file again")
    return number
