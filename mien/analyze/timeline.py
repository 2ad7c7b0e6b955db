"""The timeline: a table of who shows what when, a row a person, moment and source; as Parquet, CSV and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from jaxtyping import Float, Float32, Int32, Int64

from mien.types import MienError
from mien.whole_file import whole_file

FILE, CSV_FILE, JSONL_FILE = "timeline.parquet", "timeline.csv", "timeline.jsonl"
METADATA_KEY = b"mien"
UNCERTAIN = "uncertain"
"""What `top` says where no word is probable enough."""

WHERE = {
    "video": pa.string(), "time_s": pa.float64(), "frame": pa.int64(), "shot": pa.int32(), "track": pa.int32(),
    "source": pa.string(), "x0": pa.float32(), "y0": pa.float32(), "x1": pa.float32(), "y1": pa.float32(),
}  # fmt: skip
"""The columns before the words'."""
WHAT = {"top": pa.string(), "confidence": pa.float32(), "model": pa.string(), "detector": pa.string()}
"""The columns after the words'."""
RESERVED = frozenset([*WHERE, *WHAT, UNCERTAIN])
ROWS_A_TIME = 4096


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """Who was looked at when, a row each: arrays of equal length, sorted by frame. Boxes are in source pixels."""

    time_s: Float[np.ndarray, "n"]
    frame: Int64[np.ndarray, "n"]
    shot: Int32[np.ndarray, "n"]
    track: Int32[np.ndarray, "n"]
    source: tuple[str, ...]
    xyxy: Float32[np.ndarray, "n 4"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Timeline:
    """A video's timeline.

    table: see docs/analyze.md for the columns. words: those whose columns are probabilities. numbers: those whose
    columns are none, valence and arousal of a fitted head say. made_with: what it was made with, as JSON.
    """

    table: pa.Table
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    made_with: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path) -> Timeline:
        """The timeline in the Parquet file `path`, or in the folder of an analysis. Raises MienError if none is."""
        file = path / FILE if path.is_dir() else path
        if not file.is_file():
            raise MienError(f"no {file}; `mien analyze` writes one")
        try:
            table = pq.read_table(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise MienError(f"{file} is damaged ({error}); delete it and run `mien analyze` again") from error
        if METADATA_KEY not in (table.schema.metadata or {}):
            raise MienError(f"{file} was not written by `mien analyze`: it does not say which columns are words")
        told = json.loads(table.schema.metadata[METADATA_KEY])
        return cls(table=table, words=tuple(told["words"]), numbers=tuple(told["numbers"]), made_with=told["made_with"])

    def save(self, folder: Path) -> None:
        """Writes the table three times into `folder`, the Parquet file last: where it is, the others are."""
        with whole_file(folder / CSV_FILE) as part:
            pyarrow.csv.write_csv(self.table, part)
        with whole_file(folder / JSONL_FILE) as part, part.open("w", encoding="utf-8") as lines:
            for batch in self.table.to_batches(max_chunksize=ROWS_A_TIME):
                lines.writelines(json.dumps(_rounded(row), ensure_ascii=False) + "\n" for row in batch.to_pylist())
        told = {"words": self.words, "numbers": self.numbers, "made_with": self.made_with}
        with whole_file(folder / FILE) as part:
            pq.write_table(self.table.replace_schema_metadata({METADATA_KEY: json.dumps(told)}), part)


def made_with(folder: Path) -> dict[str, Any] | None:
    """What the timeline in `folder` was made with; None where there is none that can be read."""
    try:
        return dict(json.loads(pq.read_schema(folder / FILE).metadata[METADATA_KEY])["made_with"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None


def make_timeline(
    seen: Seen,
    *,
    video: str,
    words: Sequence[str],
    probabilities: Float[np.ndarray, "n c"],
    numbers: Mapping[str, Float[np.ndarray, "n"]],
    min_confidence: float,
    model_of: Mapping[str, str],
    detector_of: Mapping[str, str],
    made_with: Mapping[str, Any],
) -> Timeline:
    """The table of what was seen and how it was scored; the models and detectors by source."""
    count = len(seen.time_s)
    best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1, initial=0.0)
    top = [words[i] if p >= min_confidence else UNCERTAIN for i, p in zip(best, confidence, strict=True)]
    columns: dict[str, Any] = {
        "video": [video] * count,
        "time_s": seen.time_s,
        "frame": seen.frame,
        "shot": seen.shot,
        "track": seen.track,
        "source": list(seen.source),
        **{name: seen.xyxy[:, i] for i, name in enumerate(("x0", "y0", "x1", "y1"))},
        **{word: probabilities[:, i].astype(np.float32) for i, word in enumerate(words)},
        **{name: values.astype(np.float32) for name, values in numbers.items()},
        "top": top,
        "confidence": confidence.astype(np.float32),
        "model": [model_of[source] for source in seen.source],
        "detector": [detector_of[source] for source in seen.source],
    }
    scored = {name: pa.float32() for name in (*words, *numbers)}
    schema = pa.schema({**WHERE, **scored, **WHAT})
    table = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    return Timeline(table=table, words=tuple(words), numbers=tuple(numbers), made_with=made_with)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}
