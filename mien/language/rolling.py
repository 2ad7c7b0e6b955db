"""Rolling captions: cues that show again what the cue before showed; each line of them is spoken once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from mien.language.formats.cue import Cue
from mien.types import Skipped

FLASH_S = 0.05
"""A cue no longer than this only repeats: nobody could read it. (YouTube's last 0.01 s.)"""

TOUCH_S = 0.05
"""Two cues touch if one begins where the other ends, this nearly; only then can they roll."""

MIN_ROLLS = 2
MIN_SHARE = 0.5
"""A file rolls if it rolls this often, and in this share of all the places where cues touch."""


def unroll(cues: Iterable[Cue], *, source: str) -> tuple[list[Cue], list[Skipped]]:
    """`cues`, each with only the lines that it adds to the one before, and how many repetitions were taken out.

    A cue *rolls* if it touches the one before, opens with the lines that the other ends with (of which the last may
    have grown), and either adds to them or lasts no longer than `FLASH_S`. Only in a file where most touching cues do
    so is anything taken out: there a cue that only repeats is left out if it is a flash or has an empty line below.
    So "Bye." after "Bye." stays, in files that roll and in those that do not: it adds nothing that could be told from
    a line of its own.
    """
    cues = sorted(cues, key=lambda cue: cue.start_s)  # stable
    touching = [(a, b) for a, b in pairwise(cues) if _touches(a, b)]
    rolls = [(a, b) for a, b in touching if _rolls(a, b)]
    if len(rolls) < max(MIN_ROLLS, MIN_SHARE * len(touching)) or not any(_added(a, b) for a, b in rolls):
        return cues, []
    fresh, repeated = [cues[0]], 0
    for before, cue in pairwise(cues):
        lines = _added(before, cue) if _touches(before, cue) else cue.lines
        repeated += sum(bool(line) for line in cue.lines) - sum(bool(line) for line in lines)
        if any(lines):
            fresh.append(replace(cue, lines=lines))
    what = f"{source}: {repeated} lines that stand in the caption before already"
    return fresh, [Skipped(what=what, reason="the captions roll: each line is shown again, but spoken once")]


def _touches(before: Cue, cue: Cue) -> bool:
    is_later = before.start_s < cue.start_s
    return is_later and before.end_s is not None and -TOUCH_S <= cue.start_s - before.end_s <= TOUCH_S


def _rolls(before: Cue, cue: Cue) -> bool:
    added = _added(before, cue)
    return added != cue.lines and (bool(any(added)) or _is_flash(cue))


def _is_flash(cue: Cue) -> bool:
    return cue.end_s is not None and cue.end_s - cue.start_s <= FLASH_S


def _added(before: Cue, cue: Cue) -> tuple[str, ...]:
    """The lines of `cue` that are not repeated from the end of `before`."""
    old, new = [line for line in before.lines if line], [line for line in cue.lines if line]
    only_repeats = _is_flash(cue) or (len(new) < len(cue.lines) and not cue.lines[-1])
    longest = len(new) if only_repeats else len(new) - 1
    for length in range(min(len(old), len(new)), 0, -1):
        shown, grown = old[-length:], new[length - 1]
        if shown[:-1] != new[: length - 1]:
            continue
        rest = grown.removeprefix(shown[-1])
        if rest == "" and length <= longest:
            return tuple(new[length:])
        if rest[:1] == " " and length == len(new):
            return (rest.strip(),)
    return cue.lines
