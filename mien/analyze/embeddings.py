"""The table of what a model made of everyone, before any words: kept, so that other words need no second look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.analyze.looks import Looks
from mien.whole_file import whole_file

ROWS_PER_GROUP = 4096
METADATA_KEY = b"mien"


def embeddings_file(folder: Path, source: str) -> Path:
    """Where the embeddings of faces, or of persons, lie in an analysis."""
    return folder / f"embeddings.{source}.parquet"


def write_embeddings(path: Path, looks: Iterable[Looks], *, width: int, made_with: str) -> None:
    """`looks` as they come, 4,096 rows at a time; `width` is that of an embedding."""
    schema = pa.schema(
        {
            "frame": pa.int32(),
            "track": pa.int32(),
            "xyxy": pa.list_(pa.float32(), 4),
            "embedding": pa.list_(pa.float32(), width),
        },
        metadata={METADATA_KEY: made_with},
    )
    with whole_file(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        held: list[pa.RecordBatch] = []
        for some in looks:
            columns = [pa.array(some.frame), pa.array(some.track), _lists(some.xyxy), _lists(some.embedding)]
            held.append(pa.record_batch(columns, schema=schema))
            if sum(map(len, held)) >= ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_batches(held))
                held = []
        writer.write_table(pa.Table.from_batches(held, schema=schema))


def read_embeddings(path: Path) -> Iterator[Looks]:
    """What `write_embeddings` wrote, some thousand rows at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
            yield Looks(
                frame=batch.column("frame").to_numpy(),
                track=batch.column("track").to_numpy(),
                xyxy=_rows(batch.column("xyxy")),
                embedding=_rows(batch.column("embedding")),
            )


def embedded_with(path: Path) -> str | None:
    """The fingerprint of what the file was made with; None where there is none that can be read."""
    try:
        return pq.read_schema(path).metadata[METADATA_KEY].decode()
    except (OSError, pa.ArrowInvalid, KeyError, TypeError):
        return None


def _lists(rows: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1), pa.float32()), rows.shape[1])


def _rows(lists: Any) -> np.ndarray:
    return np.asarray(lists.flatten().to_numpy()).reshape(len(lists), -1)
