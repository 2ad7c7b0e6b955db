"""The main job on real people: prepare a folder of videos, train shortly, embed and classify.

No result is read into it: the one subtitle file there is invented, and the training is a few steps.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_cli import TINY, run

from mien.data.store import Store


@pytest.mark.real_data
@pytest.mark.slow
def test_folder_of_real_videos_is_prepared_trained_on_embedded_and_classified(real_data: Path, tmp_path: Path) -> None:
    people = real_data / "people"
    store, out, table = tmp_path / "store", tmp_path / "run", tmp_path / "e.parquet"
    run("prepare", people, "--out", store, "--images")
    prepared = Store(store)
    media = {p.stem for p in people.iterdir() if p.suffix in {".mp4", ".mov", ".jpg", ".png"}}
    assert set(prepared.videos) == media
    assert {clip.video for clip in prepared.clips()} == {"franck"}
    assert len(prepared.boxes("multi_face")) == 5
    assert len(prepared.boxes("no_face")) == 0
    run("train", "configs/small.yaml", "--out", out, f"data.store={store}", *TINY)
    run("embed", people, "--model", out / "model", "--out", table, "--window", 10)
    assert {Path(row["video"]).stem for row in pq.read_table(table).to_pylist()} == media
    video = people / "noface_face.mov"
    text = run("classify", video, "--model", out / "model", "--labels", "joy,anger", "--json")
    moments = json.loads(text[text.index("[") : text.rindex("]") + 1])
    assert all(sum(m["scores"].values()) == pytest.approx(1) for m in moments)
