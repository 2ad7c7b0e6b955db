"""The timeline as a table, and as the files it is written to and read from."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.analyze.timeline import Seen, Timeline, made_with, make_timeline
from mien.types import MienError

SEEN = Seen(
    time_s=np.array([0.0, 0.0, 0.25]),
    frame=np.array([0, 0, 6]),
    shot=np.zeros(3, np.int32),
    track=np.array([0, 3, 0], np.int32),
    source=("face", "person", "face"),
    xyxy=np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], np.float32),
)
PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.55, 0.45]])


def timeline(*, min_confidence: float = 0.6) -> Timeline:
    return make_timeline(
        SEEN,
        video="a.mp4",
        words=("joy", "barely hidden, anger"),
        probabilities=PROBABILITIES,
        numbers={"valence": np.array([0.5, -0.5, 0.0])},
        min_confidence=min_confidence,
        model_of={"face": "face@1", "person": "mine@2"},
        detector_of={"face": "centerface", "person": "centernet"},
        made_with={"settings": 1},
    )


def test_columns_are_where_then_words_then_numbers_then_what() -> None:
    assert timeline().table.column_names == [
        "video", "time_s", "frame", "shot", "track", "source", "x0", "y0", "x1", "y1",
        "joy", "barely hidden, anger", "valence", "top", "confidence", "model", "detector",
    ]  # fmt: skip


def test_the_likeliest_word_is_top_and_uncertain_below_the_least_confidence() -> None:
    table = timeline().table
    assert table["top"].to_pylist() == ["joy", "barely hidden, anger", "uncertain"]
    assert table["confidence"].to_pylist() == pytest.approx([0.9, 0.6, 0.55])
    assert timeline(min_confidence=0.0).table["top"].to_pylist()[2] == "joy"


def test_each_source_tells_its_model_and_detector() -> None:
    table = timeline().table
    assert table["model"].to_pylist() == ["face@1", "mine@2", "face@1"]
    assert table["detector"].to_pylist() == ["centerface", "centernet", "centerface"]


def test_what_is_saved_is_loaded_from_folder_and_file(tmp_path: Path) -> None:
    timeline().save(tmp_path)
    for place in (tmp_path, tmp_path / "timeline.parquet"):
        loaded = Timeline.load(place)
        assert loaded.table.equals(timeline().table)
        assert (loaded.words, loaded.numbers) == (("joy", "barely hidden, anger"), ("valence",))
    assert made_with(tmp_path) == {"settings": 1}


def test_csv_and_json_lines_hold_the_same_rows(tmp_path: Path) -> None:
    timeline().save(tmp_path)
    with (tmp_path / "timeline.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "timeline.jsonl").read_text().splitlines()]
    assert [row["barely hidden, anger"] for row in rows] == ["0.1", "0.6", "0.45"]
    assert [line["barely hidden, anger"] for line in lines] == [0.1, 0.6, 0.45]
    assert [line["top"] for line in lines] == [row["top"] for row in rows]


def test_nobody_seen_is_a_table_without_rows(tmp_path: Path) -> None:
    nobody = Seen(
        time_s=np.zeros(0), frame=np.zeros(0, np.int64), shot=np.zeros(0, np.int32), track=np.zeros(0, np.int32),
        source=(), xyxy=np.zeros((0, 4), np.float32),
    )  # fmt: skip
    empty = make_timeline(
        nobody, video="a", words=("joy",), probabilities=np.zeros((0, 1)), numbers={}, min_confidence=0.5,
        model_of={}, detector_of={}, made_with={},
    )  # fmt: skip
    empty.save(tmp_path)
    assert len(Timeline.load(tmp_path).table) == 0
    assert (tmp_path / "timeline.jsonl").read_text() == ""


def test_other_files_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="mien analyze"):
        Timeline.load(tmp_path)
    (tmp_path / "timeline.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(MienError, match="damaged"):
        Timeline.load(tmp_path)
    pa.parquet.write_table(pa.table({"joy": [1.0]}), tmp_path / "timeline.parquet")
    with pytest.raises(MienError, match="not written by"):
        Timeline.load(tmp_path)
    assert made_with(tmp_path) is None
