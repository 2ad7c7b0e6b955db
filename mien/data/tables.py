"""The tables of a store: boxes, faces, sentences with their sentiment, the index. Layout: docs/data.md.

Each table has one writer and one reader, side by side; every file carries what it was made with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from mien.media.frames import METADATA_KEY, metadata_of, open_arrow
from mien.types import EMOTIONS, BoxTable, Clip, FaceTable, MienError, Sentence
from mien.whole_file import whole_file

BOXES = pa.schema(
    {
        "frame": pa.int32(),
        "xyxy": pa.list_(pa.float32(), 4),
        "score": pa.float32(),
        "track": pa.int32(),
        "speaking": pa.uint8(),
    }
)
FACES = pa.schema(
    {
        "frame": pa.int32(),
        "xyxy": pa.list_(pa.float32(), 4),
        "landmarks": pa.list_(pa.float32(), 10),
        "score": pa.float32(),
        "track": pa.int32(),
    }
)
SENTENCES = pa.schema(
    {
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "text": pa.string(),
        "logits": pa.list_(pa.float32(), len(EMOTIONS)),
    }
)
INDEX = pa.schema(
    {
        "id": pa.string(),
        "video": pa.string(),
        "start_frame": pa.int32(),
        "end_frame": pa.int32(),
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "text": pa.string(),
        "sentiment_logits": pa.list_(pa.float32(), len(EMOTIONS)),
        "person_share": pa.float32(),
    }
)

ROWS_PER_GROUP = 1 << 16  # of the index; a reader who wants one column reads it in pieces of so many


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredSentences:
    """What is said in a video, and unnormalised scores over EMOTIONS, a row a sentence."""

    sentences: list[Sentence]
    logits: Float32[np.ndarray, "n 7"]


Table = TypeVar("Table", BoxTable, FaceTable)

NO_BOXES = BoxTable(
    frame=np.zeros(0, np.int32),
    xyxy=np.zeros((0, 4), np.float32),
    score=np.zeros(0, np.float32),
    track=np.zeros(0, np.int32),
    speaking=np.zeros(0, np.bool_),
)


NO_FACES = FaceTable(
    frame=np.zeros(0, np.int32),
    xyxy=np.zeros((0, 4), np.float32),
    landmarks=np.zeros((0, 5, 2), np.float32),
    score=np.zeros(0, np.float32),
    track=np.zeros(0, np.int32),
)


def write_boxes(path: Path, boxes: BoxTable, *, made_with: Mapping[str, Any]) -> None:
    """`boxes` as an Arrow file: uncompressed, so that readers map it instead of holding it."""
    xyxy = pa.FixedSizeListArray.from_arrays(pa.array(boxes.xyxy.reshape(-1), pa.float32()), 4)
    columns = [
        pa.array(boxes.frame),
        xyxy,
        pa.array(boxes.score),
        pa.array(boxes.track),
        pa.array(boxes.speaking.astype(np.uint8)),
    ]
    _write_arrow(path, columns, schema=_describe(BOXES, made_with))


def read_boxes(path: Path) -> BoxTable:
    """The boxes of one video; read-only arrays that lie in the mapped file."""
    batch = open_arrow(path).get_batch(0)
    frame, xyxy, score, track, speaking = batch.columns
    return BoxTable(
        frame=frame.to_numpy(),
        xyxy=xyxy.flatten().to_numpy().reshape(-1, 4),
        score=score.to_numpy(),
        track=track.to_numpy(),
        speaking=speaking.to_numpy().view(np.bool_),
    )


def write_faces(path: Path, faces: FaceTable, *, made_with: Mapping[str, Any]) -> None:
    """`faces` as an Arrow file, as boxes are."""
    columns = [
        pa.array(faces.frame),
        pa.FixedSizeListArray.from_arrays(pa.array(faces.xyxy.reshape(-1), pa.float32()), 4),
        pa.FixedSizeListArray.from_arrays(pa.array(faces.landmarks.reshape(-1), pa.float32()), 10),
        pa.array(faces.score),
        pa.array(faces.track),
    ]
    _write_arrow(path, columns, schema=_describe(FACES, made_with))


def read_faces(path: Path) -> FaceTable:
    """The faces of one video; read-only arrays that lie in the mapped file."""
    batch = open_arrow(path).get_batch(0)
    frame, xyxy, landmarks, score, track = batch.columns
    return FaceTable(
        frame=frame.to_numpy(),
        xyxy=xyxy.flatten().to_numpy().reshape(-1, 4),
        landmarks=landmarks.flatten().to_numpy().reshape(-1, 5, 2),
        score=score.to_numpy(),
        track=track.to_numpy(),
    )


def rows_between(table: Table, first: int, last: int) -> Table:
    """The rows of frames `first` to `last` (half-open)."""
    start, end = np.searchsorted(table.frame, [first, last])
    return replace(table, **{f.name: getattr(table, f.name)[start:end] for f in fields(table)})


def write_sentences(path: Path, scored: ScoredSentences, *, made_with: Mapping[str, Any]) -> None:
    rows = [
        {"start_s": s.start_s, "end_s": s.end_s, "text": s.text, "logits": logits}
        for s, logits in zip(scored.sentences, scored.logits.tolist(), strict=True)
    ]
    _write_parquet(path, pa.Table.from_pylist(rows, schema=_describe(SENTENCES, made_with)))


def read_sentences(path: Path) -> ScoredSentences:
    rows = _read_parquet(path).to_pylist()
    return ScoredSentences(
        sentences=[Sentence(start_s=r["start_s"], end_s=r["end_s"], text=r["text"]) for r in rows],
        logits=np.array([r["logits"] for r in rows], np.float32).reshape(-1, len(EMOTIONS)),
    )


def write_clips(path: Path, clips: Sequence[Clip], *, made_with: Mapping[str, Any]) -> None:
    """The clips of one video, rows of the index to come."""
    columns = [pa.array([getattr(clip, f.name) for clip in clips], f.type) for f in INDEX]
    _write_parquet(path, pa.Table.from_arrays(columns, schema=_describe(INDEX, made_with)))


def read_clips(path: Path) -> pa.Table:
    """The clips of one video as a table with the columns of INDEX."""
    return _read_parquet(path).replace_schema_metadata(None)


class IndexWriter:
    """Writes the index from the clips of many videos, holding at most 65,536 rows: `with IndexWriter(…) as writer`."""

    def __init__(self, path: Path, *, made_with: Mapping[str, Any]) -> None:
        self._whole = whole_file(path)
        self._schema = _describe(INDEX, made_with)
        self._held: list[pa.Table] = []
        self._num_held = 0

    def __enter__(self) -> IndexWriter:
        self._writer = pq.ParquetWriter(self._whole.__enter__(), self._schema, compression="zstd")
        return self

    def add(self, clips: pa.Table) -> None:
        if len(clips):
            self._held.append(clips)
            self._num_held += len(clips)
        if self._num_held >= ROWS_PER_GROUP:
            self._flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._writer:
                if error is None:
                    self._flush()
        except BaseException as failure:
            self._whole.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._whole.__exit__(kind, error, trace)

    def _flush(self) -> None:
        if self._held:
            table = pa.concat_tables(self._held).replace_schema_metadata(self._schema.metadata)
            self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            self._held, self._num_held = [], 0


def write_index(path: Path, clips: Sequence[Clip], *, made_with: Mapping[str, Any]) -> None:
    """A whole index at once."""
    write_clips(path, clips, made_with=made_with)


def read_index(path: Path) -> list[Clip]:
    return clips_in(_read_parquet(path))


def clips_in(rows: pa.Table | pa.RecordBatch) -> list[Clip]:
    """The clips that these rows of an index are."""
    columns = {field.name: rows.column(field.name).to_pylist() for field in fields(Clip)}
    columns["sentiment_logits"] = [tuple(logits) for logits in columns["sentiment_logits"]]
    return [Clip(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def made_with(path: Path) -> dict[str, Any] | None:
    """What an output says it was made with; None where there is no such file."""
    if not path.is_file():
        return None
    schema = open_arrow(path).schema if path.suffix == ".arrow" else _schema(path)
    return metadata_of(schema, path=path)


def up_to_date(path: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `path` was made with if that is what is `wanted`; None if it must be made: it is absent, old or damaged."""
    try:
        made = made_with(path)
    except MienError:
        return None
    is_wanted = made is not None and all(made.get(key) == value for key, value in wanted.items())
    return made if is_wanted else None


def _describe(schema: pa.Schema, made_with: Mapping[str, Any]) -> pa.Schema:
    return schema.with_metadata({METADATA_KEY: json.dumps(made_with)})


def _write_arrow(path: Path, columns: list[pa.Array], *, schema: pa.Schema) -> None:
    with (
        whole_file(path) as part,
        pa.OSFile(str(part), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        writer.write_batch(pa.record_batch(columns, schema=schema))


def _write_parquet(path: Path, table: pa.Table) -> None:
    with whole_file(path) as part:
        pq.write_table(table, part, compression="zstd")


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise MienError(f"no {path}; run `mien prepare` to make it") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from error


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> MienError:
    return MienError(f"{path} is damaged ({error}); delete it and run `mien prepare` again")
