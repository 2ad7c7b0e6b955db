"""A moment of a file: the stretch that was meant, whoever is in it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_videos import number_of, write_video

from mien.prepare import FrameSettings, prepared_moment
from mien.prepare.sidecar import SidecarRow, write_sidecar
from mien.types import MienError

FRAMES = FrameSettings()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Four seconds; frame k is grey of level 8 k. From second 1 on, person 5 walks and speaks."""
    path = write_video(tmp_path / "a film.mp4", num_frames=32)
    rows = [SidecarRow(time_s=t, track=5, xyxy=(8 + 4 * t, 4, 24 + 4 * t, 40), speaking=t >= 2) for t in (1, 2, 3, 4)]
    write_sidecar(path.with_name("a film.boxes.csv"), rows)
    return path


def seen(path: Path, **moment: float) -> tuple[float, float, list[int]]:
    """When the stretch begins and ends, and the numbers of its frames in the file."""
    with prepared_moment(path, frames=FRAMES, window_s=1.0, **moment) as found:
        reader = found.store.frames(found.video)
        return found.start_s, found.end_s, [number_of(reader.decode(i)) for i in range(len(reader))]


def test_stretch_lies_around_the_second_and_within_the_video(video: Path) -> None:
    assert seen(video, at_s=2.0) == (1.5, 2.5, list(range(12, 20)))
    assert seen(video, at_s=0.0) == (0.0, 1.0, list(range(8)))
    assert seen(video, at_s=3.9) == (3.0, 4.0, list(range(24, 32)))
    assert seen(video) == (1.5, 2.5, list(range(12, 20)))


def test_persons_come_from_the_side_car_at_the_moment_s_own_times(video: Path) -> None:
    with prepared_moment(video, at_s=2.0, window_s=1.0, frames=FRAMES) as found:
        boxes = found.store.boxes(found.video)
        assert boxes.frame.tolist() == list(range(8))
        assert boxes.xyxy[:, 0] == pytest.approx(8 + 4 * (1.5 + np.arange(8) / 8))
        assert found.store.settings["subject"] == "speaking"
    with prepared_moment(video, at_s=0.4, window_s=0.5, frames=FRAMES) as found:
        assert len(found.store.boxes(found.video)) == 0
        assert found.store.settings["subject"] == "all"


def test_moment_after_the_end_is_refused(video: Path) -> None:
    with pytest.raises(MienError, match=r"lasts 4\.0 s, so there is nothing at 4 s"):
        seen(video, at_s=4.0)


@pytest.mark.slow
def test_without_a_side_car_the_detector_looks(real_data: Path) -> None:
    with prepared_moment(real_data / "people" / "franck.mp4", at_s=20.0, window_s=0.5, frames=FRAMES) as found:
        assert len(found.store.boxes(found.video)) == len(found.store.faces(found.video)) == 4
        assert found.store.faces(found.video).track.tolist() == [0] * 4
