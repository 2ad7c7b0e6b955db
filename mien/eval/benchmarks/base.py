"""A benchmark: whose labels, which splits, how it is scored, and how its release becomes clips of a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien.data.store import Store
from mien.eval.tasks import ClassNames, Protocol, load_protocol
from mien.types import LabeledClip, Skipped

Clips = Callable[[Path, Store, str], tuple[list[LabeledClip], list[Skipped]]]
"""The root of a release, a store prepared from it, and a split → its samples, and what is missing or broken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """One file in this folder makes one of these.

    `clips` takes the release's own folder; labels are matched by name. `is_generated` is true of data that this
    program makes itself: no result on them is a result on a real benchmark, and every report says so.
    """

    name: str
    title: str
    classes: ClassNames
    splits: tuple[str, ...]
    clips: Clips
    is_generated: bool
    licence: str
    how_to_get: str

    @property
    def protocol(self) -> Protocol:
        """How it is scored: `mien/eval/protocols/NAME.yaml`."""
        return load_protocol(self.name)
