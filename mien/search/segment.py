"""A segment: the moments of many videos in one memory-mapped Arrow file, and beside it a table of these videos.

`moments-N.arrow` has a row a moment, in batches of 65,536: `video` (the row of its video in the table), when it is,
who, where, and the embedding in 16-bit floats. `videos-N.parquet` has a row a video: its name, the fingerprint of its
files, how many moments it has. N is the time of writing, in nanoseconds. The table is written last: where it is, the
segment is whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from jaxtyping import Float16, Int32
from torch import Tensor

from mien.media.frames import open_arrow
from mien.search.moments import Moments
from mien.types import MienError
from mien.whole_file import whole_file

ROWS_PER_BATCH = 1 << 16
GONE = -1
"""The number of a video that is not in the segment to be written."""
VIDEOS = pa.schema({"video": pa.string(), "fingerprint": pa.string(), "num_moments": pa.int32()})
WHERE = {"video": pa.int32(), "start_s": pa.float64(), "end_s": pa.float64(), "seen_s": pa.float64()}
WHO = {"person": pa.int32(), "xyxy": pa.list_(pa.float32(), 4)}


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedVideo:
    """A video as a segment holds it: the state its files were in, and its moments."""

    name: str
    fingerprint: str
    moments: Moments


class Segment:
    """One segment on the disk. What it holds is read when asked for."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.moments_file = folder / f"moments-{number}.arrow"
        self.videos_file = folder / f"videos-{number}.parquet"

    @cached_property
    def videos(self) -> list[str]:
        """The names of its videos, in the order in which `video` counts them."""
        return list(self._table.column("video").to_pylist())

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """By the name of the video."""
        return dict(zip(self.videos, self._table.column("fingerprint").to_pylist(), strict=True))

    @cached_property
    def num_moments(self) -> dict[str, int]:
        """By the name of the video."""
        return dict(zip(self.videos, self._table.column("num_moments").to_pylist(), strict=True))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its moments, mapped and not copied."""
        file = open_arrow(self.moments_file)
        for number in range(file.num_record_batches):
            yield file.get_batch(number)

    def delete(self) -> None:
        self.videos_file.unlink(missing_ok=True)
        self.moments_file.unlink(missing_ok=True)

    @cached_property
    def _table(self) -> pa.Table:
        try:
            return pq.read_table(self.videos_file)
        except (pa.ArrowInvalid, OSError) as error:
            raise MienError(f"{self.videos_file} is damaged ({error}); delete {self.videos_file.parent}") from error


def segments_in(folder: Path) -> list[Segment]:
    """The whole segments of an index's folder, oldest first."""
    numbers = sorted(int(file.stem.removeprefix("videos-")) for file in folder.glob("videos-*.parquet"))
    return [Segment(folder, number) for number in numbers]


def embeddings_in(batch: pa.RecordBatch) -> Float16[Tensor, "n e"]:
    """The embeddings of a batch; they lie in the mapped file, and are not to be written to."""
    column = batch.column("embedding")
    return torch.from_dlpack(column.flatten()).view(len(column), -1)


def write_videos(segment: Segment, videos: Iterable[IndexedVideo], *, width: int) -> None:
    """Writes a segment of new videos. width: channels of an embedding."""
    rows = list(videos)
    batches = (_batch(number, video.moments, width) for number, video in enumerate(rows) if len(video.moments))
    table = [(video.name, video.fingerprint, len(video.moments)) for video in rows]
    _write(segment, _filled(batches), table, width=width)


def write_joined(segment: Segment, parts: Iterable[tuple[Segment, Collection[str]]], *, width: int) -> None:
    """Writes a segment of what counts in others: of each part the videos named."""
    table, kept = list[tuple[str, str, int]](), list[tuple[Segment, Int32[np.ndarray, "v"]]]()
    for part, names in parts:
        new_number = np.full(len(part.videos), GONE, np.int32)
        for old, name in enumerate(part.videos):
            if name in names:
                new_number[old] = len(table)
                table.append((name, part.fingerprints[name], part.num_moments[name]))
        kept.append((part, new_number))
    batches = (_renumbered(batch, new_number) for part, new_number in kept for batch in part.batches())
    _write(segment, _filled(batches), table, width=width)


def _write(
    segment: Segment, batches: Iterable[pa.RecordBatch], table: list[tuple[str, str, int]], *, width: int
) -> None:
    schema = pa.schema(WHERE | WHO | {"embedding": pa.list_(pa.float16(), width)})
    with (
        whole_file(segment.moments_file) as part,
        pa.OSFile(str(part), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    rows = [dict(zip(VIDEOS.names, row, strict=True)) for row in table]
    with whole_file(segment.videos_file) as part:
        pq.write_table(pa.Table.from_pylist(rows, schema=VIDEOS), part)


def _batch(number: int, moments: Moments, width: int) -> pa.RecordBatch:
    embedding = pa.array(moments.embedding.astype(np.float16).reshape(-1), pa.float16())
    columns = {
        "video": pa.array(np.full(len(moments), number, np.int32)),
        "start_s": pa.array(moments.start_s),
        "end_s": pa.array(moments.end_s),
        "seen_s": pa.array(moments.seen_s),
        "person": pa.array(moments.person),
        "xyxy": pa.FixedSizeListArray.from_arrays(pa.array(moments.xyxy.reshape(-1)), 4),
        "embedding": pa.FixedSizeListArray.from_arrays(embedding, width),
    }
    return pa.record_batch(list(columns.values()), names=list(columns))


def _renumbered(batch: pa.RecordBatch, new_number: Int32[np.ndarray, "v"]) -> pa.RecordBatch:
    """The rows of the videos that stay, under their new numbers."""
    renumbered = batch.set_column(0, "video", pa.array(new_number[batch.column("video").to_numpy()]))
    return renumbered.filter(pc.not_equal(renumbered.column("video"), GONE))


def _filled(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of ROWS_PER_BATCH, but for the last: few large products are faster than many small."""
    held, count = list[pa.RecordBatch](), 0
    for batch in batches:
        held.append(batch)
        count += len(batch)
        while count >= ROWS_PER_BATCH:
            (joined,) = pa.Table.from_batches(held).combine_chunks().to_batches()
            yield joined.slice(0, ROWS_PER_BATCH)
            held, count = [joined.slice(ROWS_PER_BATCH)], count - ROWS_PER_BATCH
    if count:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()
