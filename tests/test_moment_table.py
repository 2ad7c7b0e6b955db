"""The table of moments: a row each, and nothing written where nothing can be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from made_videos import write_video
from small_mien import small_mien

from mien import Mien
from mien.moment_table import write_moments
from mien.types import MienError


@pytest.fixture(scope="module")
def model() -> Mien:
    return small_mien()


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("nan")])
def test_window_without_a_frame_is_refused_before_anything_is_written(
    model: Mien, window_s: float, tmp_path: Path
) -> None:
    (tmp_path / "e.parquet").write_bytes(b"mine")
    video = write_video(tmp_path / "a.mp4")
    with pytest.raises(MienError, match="window must last"):
        write_moments(tmp_path / "e.parquet", model, [video], window_s=window_s)
    assert (tmp_path / "e.parquet").read_bytes() == b"mine"


def test_table_stays_what_it_is_where_no_file_can_be_read(model: Mien, tmp_path: Path) -> None:
    out, video, broken = tmp_path / "e.parquet", write_video(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    broken.write_bytes(b"not a video")
    assert write_moments(out, model, [video, broken]).num_moments == 1
    written = write_moments(out, model, [broken])
    assert (written.num_moments, written.num_videos, len(written.failed)) == (0, 0, 1)
    assert pq.read_table(out).num_rows == 1


def test_table_under_the_ending_of_another_format_is_refused(model: Mien, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"e\.csv: .*Parquet.*/e\.parquet"):
        write_moments(tmp_path / "e.csv", model, [write_video(tmp_path / "a.mp4")])
    assert not (tmp_path / "e.csv").exists()


def test_cut_out_faces_are_looked_for_unless_they_are_said_to_be(tmp_path: Path) -> None:
    face, blank = Mien.from_pretrained("face", device="cpu"), tmp_path / "a.png"
    cv2.imwrite(str(blank), np.full((48, 48, 3), 128, np.uint8))
    (failed,) = write_moments(tmp_path / "e.parquet", face, [blank]).failed
    assert "no face is found" in failed.reason
    assert write_moments(tmp_path / "e.parquet", face, [blank], cropped=True).num_moments == 1
