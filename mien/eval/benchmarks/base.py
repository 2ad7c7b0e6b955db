"""A benchmark: whose labels, which splits, how it is scored, and how its release is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mien.eval.benchmarks.release import Release
from mien.eval.protocol import ClassNames, Protocol, load_protocol

Read = Callable[[Path, str], Release]
"""The root of a release, as its users have it, and a split → its samples.

Raises MienError where the root is not such a release (naming what it lacks, and what it looks like instead if known),
and where the split has no labels.
"""


Shares = Mapping[str, Mapping[str, int]]
"""An official split, or "" for all of a set that has none → the splits that are drawn of it, in per cent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Splits that the release does not have: `shares` says of what they are drawn, `read` reads all there is.

    Ids of samples are paths that do not depend on where the release lies (see `mien.eval.benchmarks.splits`).
    """

    shares: Shares
    read: Callable[[Path], Release]


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """One file in this folder makes one of these.

    Labels are matched by name. `expected` is the number of annotated samples a split of the official release has.
    `fake` writes a small tree with the layout, columns and quirks of the official release, people drawn, for tests and
    dry runs. `notes` are what a reader of a result must know. `is_generated` is true of data that this program makes
    itself: no result on them is a result on a real benchmark, and every report says so. `protocols` names the folder of
    protocols where it is not the benchmark's own but one that benchmarks of the same form share. `group_name` is what
    samples of one `group` are of: film, dialogue; intervals tell over how many. `drawn` is there where splits are not
    official ones.
    """

    name: str
    title: str
    classes: ClassNames
    splits: tuple[str, ...]
    read: Read
    licence: str
    how_to_get: str
    expected: Mapping[str, int] = field(default_factory=dict)
    fake: Callable[[Path], None] | None = None
    notes: str = ""
    is_generated: bool = False
    protocols: str = ""
    group_name: str = ""
    drawn: Drawn | None = None

    def protocol(self, name: str = "paper") -> Protocol:
        """How it is scored: `mien/eval/protocols/BENCHMARK/NAME.yaml`."""
        return load_protocol(self.name, name, shared=self.protocols)
