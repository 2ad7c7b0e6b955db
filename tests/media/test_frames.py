import errno
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from mien.media.frames import FrameReader, FrameWriter
from mien.types import MienError, VideoInfo
from mien.whole_file import DiskFullError, whole_file

INFO = VideoInfo(
    source="a.mp4",
    source_width=640,
    source_height=480,
    source_duration_s=9.0,
    width=80,
    height=60,
    fps=8.0,
    num_frames=0,
)


def picture(k: int) -> np.ndarray:
    rng = np.random.default_rng(k)
    return np.kron(rng.integers(0, 256, (6, 8, 3), np.uint8), np.ones((10, 10, 1), np.uint8))


def write(path: Path, *, num_frames: int) -> FrameReader:
    with FrameWriter(path, info=INFO, made_with={"settings": {"fps": 8}}, quality=95) as writer:
        for k in range(num_frames):
            writer.add(picture(k), time_s=k / 8)
    return FrameReader(path)


@pytest.mark.parametrize("num_frames", [1, 63, 64, 65, 150])
def test_frames_come_back_in_order(tmp_path: Path, num_frames: int) -> None:
    reader = write(tmp_path / "frames.arrow", num_frames=num_frames)
    assert len(reader) == reader.info.num_frames == num_frames
    assert reader.times_s == [k / 8 for k in range(num_frames)]
    for k in {0, num_frames // 2, num_frames - 1}:
        assert np.abs(reader.decode(k).astype(int) - picture(k)).mean() < 12
    assert reader.made_with["settings"] == {"fps": 8}
    assert (reader.info.source_width, reader.info.height) == (640, 60)


def test_scale_between_source_and_stored_pixels_may_differ_across_and_down() -> None:
    info = replace(INFO, source_width=120)
    assert info.stored_per_source == (80 / 120, 0.125)
    assert info.source_per_stored == (1.5, 8.0)


def test_decoding_shrinks_by_powers_of_two_only_while_large_enough(tmp_path: Path) -> None:
    reader = write(tmp_path / "frames.arrow", num_frames=1)
    sizes = {side: reader.decode(0, min_short_side=side).shape[:2] for side in (None, 60, 31, 30, 15, 8, 1)}
    assert sizes == {
        None: (60, 80),
        60: (60, 80),
        31: (60, 80),
        30: (30, 40),
        15: (15, 20),
        8: (8, 10),
        1: (8, 10),
    }


def test_jpeg_is_the_stored_bytes(tmp_path: Path) -> None:
    reader = write(tmp_path / "frames.arrow", num_frames=2)
    assert bytes(reader.jpeg(1)) == simplejpeg.encode_jpeg(picture(1), quality=95, colorsubsampling="420")


def test_missing_frame_is_named_with_the_count(tmp_path: Path) -> None:
    reader = write(tmp_path / "frames.arrow", num_frames=3)
    for i in (3, -1):
        with pytest.raises(MienError, match=rf"frames\.arrow has no frame {i}: it has 3 .*prepare"):
            reader.decode(i)


def test_reader_pickles_as_its_path(tmp_path: Path) -> None:
    reader = write(tmp_path / "frames.arrow", num_frames=2)
    reader.decode(0)
    assert len(pickle.dumps(reader)) < 500
    assert (pickle.loads(pickle.dumps(reader)).decode(1) == reader.decode(1)).all()


def test_reader_works_after_a_fork(tmp_path: Path) -> None:
    reader = write(tmp_path / "frames.arrow", num_frames=2)
    reader.decode(0)
    child = os.fork()
    if child == 0:
        os._exit(0 if reader.decode(1).shape == (60, 80, 3) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("failure", [RuntimeError("decoder"), KeyboardInterrupt()])
def test_interrupted_writing_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    def interrupted() -> None:
        with FrameWriter(tmp_path / "frames.arrow", info=INFO, made_with={}) as writer:
            writer.add(picture(0), time_s=0.0)
            raise failure

    with pytest.raises(type(failure)):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_keeps_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("earlier")
    with pytest.raises(DiskFullError, match=r"no room left for .*a\.txt.*same command again"), whole_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_full_disk_is_recognised_from_the_writers_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "with_name", lambda self, name: Path("/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(DiskFullError), FrameWriter(tmp_path / "frames.arrow", info=INFO, made_with={}) as writer:
        writer.add(picture(0), time_s=0.0)


def test_foreign_and_damaged_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "frames.arrow"
    with pytest.raises(MienError, match=r"no .*prepare"):
        len(FrameReader(path))
    path.write_bytes(b"something else")
    with pytest.raises(MienError, match="damaged"):
        len(FrameReader(path))


def test_a_reader_lets_go_of_what_it_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapped file's pages count as the process's memory: two hours of pictures are gigabytes of them."""
    path = tmp_path / "frames.arrow"
    write(path, num_frames=3)
    monkeypatch.setattr("mien.media.frames.MAPPED_BYTES", 1)
    reader = FrameReader(path)
    first = reader.jpeg(0)
    kept, mapping = bytes(first), reader._file
    assert bytes(reader.jpeg(1)) == bytes(FrameReader(path).jpeg(1))
    assert reader._file is not mapping
    assert bytes(first) == kept
