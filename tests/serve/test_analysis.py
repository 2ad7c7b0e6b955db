"""What an analysis leaves for the API to give out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from made_videos import write_video

from mien.hub import SHIPPED
from mien.serve.analysis import analyze_video, require_settings, timeline_json
from mien.serve.refusal import Refused


def test_timeline_is_rows_with_scores_in_the_words_order_and_null_for_what_is_unknown() -> None:
    table = pa.table(
        {
            "time_s": [0.25], "track": [3], "source": ["face"], "x0": [1.0], "y0": [2.0], "x1": [3.0], "y1": [4.0],
            "anger": [float("nan")], "joy": [0.1234567], "top": ["joy"], "confidence": [0.9], "model": ["face"],
        }
    )  # fmt: skip
    told = json.loads(timeline_json(table, words=("joy", "anger"), video={"fps": 8.0}))
    assert told == {
        "video": {"fps": 8.0},
        "words": ["joy", "anger"],
        "rows": [
            {
                "time_s": 0.25, "track": 3, "source": "face", "x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0,
                "top": "joy", "confidence": 0.9, "scores": [0.123457, None],
            }
        ],
    }  # fmt: skip


def test_settings_that_do_not_go_are_refused() -> None:
    assert require_settings({"words": ["joy"], "face_model": "face"}).words == ("joy",)
    with pytest.raises(Refused, match="samples_per_s") as refused:
        require_settings({"samples_per_s": -1})
    assert refused.value.status == 422


def test_where_things_lie_on_the_server_is_not_told(tmp_path: Path) -> None:
    video, model, out = write_video(tmp_path / "v.mp4"), tmp_path / "model", tmp_path / "out"
    shutil.copytree(SHIPPED["face"], model)
    analyze_video(video, out, {"words": ("joy", "anger"), "face_model": str(model)}, lambda *progress: None)
    for name in ("analysis.json", "report.html", "timeline.json", "timeline.csv", "timeline.jsonl"):
        assert str(tmp_path) not in (out / name).read_text(encoding="utf-8"), name


@pytest.mark.slow
def test_analysis_of_a_video_with_nobody_in_it_has_all_files(tmp_path: Path) -> None:
    video, out, told = write_video(tmp_path / "v.mp4"), tmp_path / "out", list[str]()
    analyze_video(video, out, {"words": ("joy", "anger")}, lambda stage, done, total: told.append(stage))
    found = json.loads((out / "timeline.json").read_text())
    assert found == {
        "video": {"duration_s": 2.0, "width": 64, "height": 48, "fps": 8.0}, "words": ["joy", "anger"], "rows": []
    }  # fmt: skip
    assert {"timeline.csv", "timeline.parquet", "annotated.mp4"} <= {path.name for path in out.iterdir()}
    assert "faces" in told
