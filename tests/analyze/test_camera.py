"""Recording: from a source of pictures that is no camera, FFmpeg's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.analyze.camera import device_of, open_v4l2, record
from mien.media.video import picture_times, probe_video
from mien.types import MienError

DEVICE = Path("/dev/video0")


def test_card(device: Path) -> Any:
    return av.open("testsrc=size=65x48:rate=25", format="lavfi")


test_card.__test__ = False


@pytest.mark.parametrize(
    ("source", "device"),
    [("camera:2", "/dev/video2"), ("/dev/video0", "/dev/video0"), ("video.mp4", None), ("camera:x", None)],
)
def test_a_camera_is_told_from_a_file(source: str, device: str | None) -> None:
    assert device_of(source) == (None if device is None else Path(device))


def test_as_many_seconds_as_asked_for_are_recorded(tmp_path: Path) -> None:
    out, told = tmp_path / "recording.mp4", list[float]()
    length_s = record(DEVICE, out, seconds=1.0, on_seconds=told.append, open_camera=test_card)
    assert length_s == pytest.approx(0.96)
    assert told == pytest.approx(list(np.arange(25) / 25))
    probe = probe_video(out)
    assert (probe.width, probe.height, probe.codec) == (64, 48, "h264")
    assert picture_times(out) == pytest.approx(np.arange(25) / 25, abs=1e-3)


def test_ctrl_c_ends_the_recording_and_leaves_it_whole(tmp_path: Path) -> None:
    def interrupt(seconds: float) -> None:
        if seconds >= 0.5:
            raise KeyboardInterrupt

    class Interrupted:
        """A camera during whose reading Ctrl-C comes."""

        def __init__(self) -> None:
            self._container = test_card(DEVICE)

        def __enter__(self) -> Interrupted:
            return self

        def __exit__(self, *error: object) -> None:
            self._container.close()

        def decode(self, *, video: int) -> Iterator[Any]:
            for number, frame in enumerate(self._container.decode(video=video)):
                interrupt(number / 25)
                yield frame

    out = tmp_path / "recording.mp4"
    record(DEVICE, out, seconds=None, open_camera=lambda device: Interrupted())
    assert len(picture_times(out)) == 13


def test_somebody_else_can_end_it(tmp_path: Path) -> None:
    asked = iter([False] * 5)
    out = tmp_path / "recording.mp4"
    record(DEVICE, out, seconds=None, should_stop=lambda: next(asked, True), open_camera=test_card)
    assert len(picture_times(out)) == 5


def test_nothing_to_record_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="not one picture"):
        record(DEVICE, tmp_path / "recording.mp4", seconds=0.0, open_camera=test_card)
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no camera at /dev/video999; there is"):
        open_v4l2(Path("/dev/video999"))
