"""Finishing a store: the clips of all videos in one index, duplicates left out, and the data card."""

from __future__ import annotations

import filecmp
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt64

from mien.data.card import CARD_FILE, CARD_PAGE, StoreCard
from mien.data.store import CLIPS_FILE, FORMAT, INDEX_FILE, SKIPPED_FILE
from mien.data.tables import IndexWriter, made_with, read_clips
from mien.prepare.card import CardMaker, card_page
from mien.prepare.duplicates import find_duplicates
from mien.prepare.places import Place
from mien.prepare.summary import VideoSummary
from mien.types import MienError, Skipped

OnDone = Callable[[int, int], None]
"""Told how many of how many videos are in the index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What is in the index now, and how many lines `skipped.jsonl` has."""

    card: StoreCard
    num_skipped: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """A video's clips as a file tells of them without its rows."""

    name: str
    mark: bytes
    hashes: UInt64[np.ndarray, "_"]
    num_frames: int
    preference: tuple[int, int]


def finish_store(
    out: Place,
    names: Sequence[str],
    *,
    keep_duplicates: bool,
    failed: Sequence[Skipped] = (),
    excluded: Sequence[Skipped] = (),
    unused: Sequence[Skipped] = (),
    on_done: OnDone = lambda done, total: None,
) -> Finished:
    """Write `index.parquet`, `skipped.jsonl`, `card.json` and `card.md` of the videos `names`, all of them prepared.

    The files of the store change only if they are to hold something else. Memory does not grow with the clips, and with
    the videos by less than a kilobyte each.
    """
    with TemporaryDirectory(prefix="mien-") as scratch:
        clips = _Clips(out, Path(scratch))
        made = [clips.describe(name) for name in names]
        copies = {} if keep_duplicates else _duplicates(made)
        lines = [asdict(s) | {"failed": True} for s in failed] + [
            asdict(s) for s in (*excluded, *unused, *copies.values())
        ]
        card = CardMaker(num_duplicates=len(copies), num_failed=len(failed), num_excluded=len(excluded))
        inputs = hashlib.sha256(repr([(m.name, m.mark) for m in made if m.name not in copies]).encode()).hexdigest()
        made_index = {"format": FORMAT, "inputs": {"videos": inputs}}
        index, skipped = Path(scratch, INDEX_FILE), Path(scratch, SKIPPED_FILE)
        with IndexWriter(index, made_with=made_index) as writer, skipped.open("w", encoding="utf-8") as listing:
            num_skipped = _list(listing, lines)
            for done, video in enumerate(made):
                if video.name not in copies:
                    table, summary, video_lines = clips.read(video.name)
                    writer.add(table)
                    card.add(summary, table)
                    num_skipped += _list(listing, video_lines)
                on_done(done + 1, len(made))
        told = card.card()
        Path(scratch, CARD_FILE).write_text(told.model_dump_json(indent=2) + "\n", encoding="utf-8")
        Path(scratch, CARD_PAGE).write_text(card_page(told), encoding="utf-8")
        for name in (SKIPPED_FILE, CARD_PAGE, CARD_FILE, INDEX_FILE):
            _replace(out, name, Path(scratch, name))
    return Finished(card=told, num_skipped=num_skipped)


class _Clips:
    """The clips files of a store's videos, one copied here at a time where the store is elsewhere."""

    def __init__(self, out: Place, scratch: Path) -> None:
        self.out = out
        self.scratch = scratch

    def describe(self, name: str) -> _Made:
        told = self._told(self._file(name))
        summary = VideoSummary.model_validate(told["summary"])
        return _Made(
            name=name,
            mark=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()[:8],
            hashes=summary.hash_array(),
            num_frames=summary.num_frames,
            preference=(summary.num_clips, summary.num_pixels),
        )

    def read(self, name: str) -> tuple[pa.Table, VideoSummary, list[dict[str, Any]]]:
        path = self._file(name)
        told = self._told(path)
        return read_clips(path), VideoSummary.model_validate(told["summary"]), list(told["skipped"])

    def _told(self, path: Path) -> dict[str, Any]:
        told = made_with(path)
        if told is None:
            raise MienError(f"{path} is not there any more; run the same command again")
        return told

    def _file(self, name: str) -> Path:
        inside = f"videos/{name}/{CLIPS_FILE}"
        if self.out.is_local:
            return self.out.path / inside
        self.out.fetch(inside, self.scratch / CLIPS_FILE)
        return self.scratch / CLIPS_FILE


def _duplicates(made: Sequence[_Made]) -> dict[str, Skipped]:
    """Videos that show the same as another, which is kept since it has more clips, or larger pictures."""
    found = find_duplicates(
        [m.hashes for m in made],
        num_frames=[m.num_frames for m in made],
        preference=[m.preference for m in made],
    )
    return {
        made[copy].name: Skipped(what=made[copy].name, reason=f"duplicate: it shows the same as {made[kept].name!r}")
        for copy, kept in found.items()
    }


def _list(file: Any, lines: Sequence[dict[str, Any]]) -> int:
    file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return len(lines)


def _replace(out: Place, name: str, file: Path) -> None:
    """Put a file into the store, unless the same is there."""
    if not (out.is_local and (out.path / name).is_file() and filecmp.cmp(file, out.path / name, shallow=False)):
        out.send(file, name)
