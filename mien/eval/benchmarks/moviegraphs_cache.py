"""MovieGraphs' clips as a table: converted from the pickle once, read from the user's cache afterwards.

The cache is `$MIEN_CACHE`, else `$XDG_CACHE_HOME/mien`, else `~/.cache/mien`; not the release, which may be read-only
or shared, and not a store, which a release can be read without. A table is named by the pickle's fingerprint, so it
never goes stale; it may be deleted at any time.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mien.eval.benchmarks.moviegraphs_pickle import AnnotatedClip, read_pickle
from mien.file_digest import sha256_of
from mien.whole_file import DiskFullError, whole_file

FORMAT = 1  # in the table's name: raise it when its columns or `read_pickle` change
COLUMNS = pa.schema(
    {
        "film": pa.string(),
        "clip": pa.int64(),
        "start_shot": pa.int64(),
        "end_shot": pa.int64(),
        "files": pa.list_(pa.string()),
        "words": pa.list_(pa.string()),
    }
)


def read_clips(path: Path) -> list[AnnotatedClip]:
    """The clips of the pickle at `path`, from its table where there is one.

    Raises MienError as `read_pickle` does. A table that is damaged is made anew; where none can be written, the pickle
    is converted each time, which takes some ten seconds.
    """
    table = table_of(path)
    try:
        return _load(table)
    except (OSError, pa.ArrowException):
        clips = read_pickle(path)
    try:
        with whole_file(table) as part:
            rows = pa.Table.from_pylist([asdict(clip) for clip in clips], schema=COLUMNS)
            pq.write_table(rows, part, compression="zstd")
    except (OSError, DiskFullError):
        pass  # a home that cannot be written to
    return clips


def table_of(path: Path) -> Path:
    """Where the table of that pickle is kept."""
    return cache_folder() / "moviegraphs" / f"{sha256_of([path])[:32]}-{FORMAT}.parquet"


def cache_folder() -> Path:
    """The folder for what can be made again."""
    if own := os.environ.get("MIEN_CACHE"):
        return Path(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "mien"
    return Path.home() / ".cache" / "mien"


def _load(table: Path) -> list[AnnotatedClip]:
    read = pq.read_table(table)
    if read.schema.names != COLUMNS.names:
        raise pa.ArrowInvalid(f"{table} has columns {read.schema.names}")
    lists = ("files", "words")
    return [AnnotatedClip(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in read.to_pylist()]
