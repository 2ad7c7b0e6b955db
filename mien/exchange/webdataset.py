"""The export of a store's clips as tar shards, in the layout and with the names of video2dataset."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from mien.config import Config
from mien.data.store import BOXES_FILE, CLIPS_FILE, FACES_FILE, FRAMES_FILE, INDEX_FILE, Store
from mien.data.tables import clips_in, read_clips
from mien.exchange.clip_video import Codec
from mien.exchange.finish import require_local
from mien.exchange.sample import VERSION
from mien.exchange.shard_file import ShardWork, WrittenShard, write_shard
from mien.prepare.engines import run_local
from mien.types import EMOTIONS, Clip, MienError, Skipped
from mien.whole_file import remove_left_parts, write_whole

EXPORT_FILE = "export.json"
SHARD_DIGITS = 5
OURS = re.compile(r"(\d{5,})(\.tar|\.parquet|_stats\.json)")


class ExportSettings(Config):
    """What the shards hold, and how much of it."""

    codec: Codec = "h264"
    """`h264` plays everywhere; `mjpeg` keeps the stored JPEGs byte for byte, at about three times the size."""
    crf: int = Field(18, ge=0, le=51)
    """The quality of h264 (x264's constant rate factor): lower is better and larger."""
    clips_per_shard: int = Field(1000, ge=2, le=10**6)
    bytes_per_shard: int | None = Field(None, ge=1)
    """A shard ends earlier where its clips' stored pictures come to more than this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportReport:
    """What `export_webdataset` did. `skipped` are clips that could not be read; the shards' tables have them too."""

    num_shards: int
    num_new: int
    num_clips: int
    num_bytes: int
    skipped: tuple[Skipped, ...]


def export_webdataset(
    store: Path,
    out: Path,
    *,
    settings: ExportSettings,
    workers: int = 1,
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> ExportReport:
    """Write the clips of `store` to `out` as `00000.tar`, `00000.parquet`, `00000_stats.json`, `00001.tar`, ….

    In a tar, a clip is three files of one key: `.json` (all that is known of it, see ClipJson), `.mp4` and `.txt` (its
    sentence). The same store and settings give the same bytes. Shards that are up to date are left as they are, so the
    same call goes on from where it was interrupted; no file is ever half-written. `on_clip` is told how many of how
    many clips are done, a shard at a time. Raises MienError where `out` is someone else's folder, or the disk is full.
    """
    opened = Store(store)
    index = read_clips(store / INDEX_FILE)
    shards = list(_plan(opened, index, settings))
    _claim(out, settings, num_shards=len(shards))
    name_digits = max(SHARD_DIGITS, len(str(len(shards) - 1)))
    key_digits = len(str(settings.clips_per_shard - 1))  # as video2dataset: 3 for 1,000 clips
    works = (
        _work(opened, out, index.slice(start, end - start), name=f"{number:0{name_digits}d}", key_digits=key_digits)
        for number, (start, end) in enumerate(shards)
    )
    job = partial(write_shard, codec=settings.codec, crf=settings.crf)
    done: list[WrittenShard] = []
    on_clip(0, len(index))
    for written in run_local(job, works, workers=workers, give_up=_give_up):
        done.append(written)
        on_clip(sum(shard.num_clips + len(shard.skipped) for shard in done), len(index))
    done.sort(key=lambda shard: shard.name)
    return ExportReport(
        num_shards=len(done),
        num_new=sum(shard.is_new for shard in done),
        num_clips=sum(shard.num_clips for shard in done),
        num_bytes=sum(shard.num_bytes for shard in done),
        skipped=tuple(skipped for shard in done for skipped in shard.skipped),
    )


def _give_up(work: ShardWork, reason: str) -> WrittenShard:
    raise MienError(f"shard {work.name}: {reason}")


def _plan(store: Store, index: pa.Table, settings: ExportSettings) -> Iterator[tuple[int, int]]:
    """Rows of the index (half-open) that make a shard each."""
    if settings.bytes_per_shard is None:
        for start in range(0, len(index), settings.clips_per_shard):
            yield start, min(start + settings.clips_per_shard, len(index))
        return
    start = held = 0
    for row, size in enumerate(_sizes(store, index)):
        if row > start and (row - start == settings.clips_per_shard or held + size > settings.bytes_per_shard):
            yield start, row
            start, held = row, 0
        held += size
    if len(index):
        yield start, len(index)


def _sizes(store: Store, index: pa.Table) -> Iterator[int]:
    """How many bytes each clip's stored pictures have; none where they cannot be read, which is told later."""
    for video, start, end in zip(
        *(index.column(c).to_pylist() for c in ("video", "start_frame", "end_frame")), strict=True
    ):
        try:
            reader = store.frames(video)
            yield sum(len(reader.jpeg(i)) for i in range(start, end))
        except MienError:
            yield 0


def _claim(out: Path, settings: ExportSettings, *, num_shards: int) -> None:
    """Make `out` an export of `num_shards` shards, unless it is something else; shards of a longer one go."""
    require_local(out)
    file = out / EXPORT_FILE
    if out.exists() and not file.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise MienError(f"{out} is there already and is no export (no {EXPORT_FILE} in it); name an empty folder")
    told = {"format": VERSION, "settings": settings.model_dump(mode="json"), "emotions": EMOTIONS}
    content = json.dumps(told, indent=2) + "\n"
    if not file.is_file() or file.read_text(encoding="utf-8") != content:
        write_whole(file, content)
    remove_left_parts(out)
    for path in out.iterdir():
        if (ours := OURS.fullmatch(path.name)) and int(ours[1]) >= num_shards:
            path.unlink()


def _work(store: Store, out: Path, rows: pa.Table, *, name: str, key_digits: int) -> ShardWork:
    clips = tuple(clips_in(rows))
    return ShardWork(
        store=store.path, out=out, name=name, key_digits=key_digits, clips=clips, inputs=_digest(store, clips)
    )


def _digest(store: Store, clips: Sequence[Clip]) -> str:
    """Changes whenever a clip of a shard does, or a file of its video is written anew."""
    videos = sorted({clip.video for clip in clips})
    files = [
        store.folder(video) / file for video in videos for file in (FRAMES_FILE, BOXES_FILE, FACES_FILE, CLIPS_FILE)
    ]
    stats = [path.stat() if path.is_file() else None for path in files]
    states = [(s.st_size, s.st_mtime_ns) if s else None for s in stats]
    return hashlib.sha256(repr((clips, states)).encode()).hexdigest()
