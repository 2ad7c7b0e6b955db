from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_videos import number_of, write_video

from mien.media import video
from mien.media.video import picture_times, pictures_at, probe_video, read_frames
from mien.types import MienError


def frames_shown(path: Path, *, fps: float | None) -> list[int]:
    return [number_of(frame.rgb) for frame in read_frames(path, fps=fps, short_side=None, threads=1)]


def test_every_frame_comes_once_at_the_videos_own_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=12, fps=8)
    assert frames_shown(path, fps=8) == list(range(12))
    assert frames_shown(path, fps=None) == list(range(12))


def test_frames_are_picked_by_time_at_a_third_of_the_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=24, fps=24)
    assert frames_shown(path, fps=8) == [0, 3, 6, 9, 12, 15, 18, 21]


def test_frames_repeat_above_the_videos_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=4, fps=4)
    assert frames_shown(path, fps=8) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_rounded_milliseconds_do_not_shift_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", num_frames=30, fps=30, codec="libx264")
    assert frames_shown(path, fps=6) == [0, 5, 10, 15, 20, 25]


def test_variable_frame_rate_shows_what_a_viewer_sees(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", num_frames=5, fps=8, times_ms=[0, 100, 600, 700, 980])
    frames = list(read_frames(path, fps=8, short_side=None))
    assert [number_of(f.rgb) for f in frames[:8]] == [0, 1, 1, 1, 1, 2, 3, 3]
    assert [round(f.time_s, 3) for f in frames[:6]] == [0.0, 0.1, 0.1, 0.1, 0.1, 0.6]


def test_start_offset_is_removed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", num_frames=8, fps=8)
    with av.open(str(path)) as container:
        assert container.start_time > 0
    frames = list(read_frames(path, fps=None, short_side=None))
    assert frames[0].time_s == 0.0
    assert frames[-1].time_s == pytest.approx(7 / 8, abs=0.01)


def test_short_side_shrinks_and_never_enlarges(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=1, width=96, height=64)
    sizes = [next(read_frames(path, fps=8, short_side=side)).rgb.shape[:2] for side in (32, 64, 200, None)]
    assert sizes == [(32, 48), (64, 96), (64, 96), (64, 96)]


@pytest.mark.parametrize(
    ("rotation", "white_corner"),
    [(0, "upper left"), (90, "lower left"), (180, "lower right"), (-90, "upper right")],
)
def test_rotation_flag_is_honoured(tmp_path: Path, rotation: int, white_corner: str) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=1, rotation=rotation, marks_corner=True, width=64, height=32)
    probe = probe_video(path)
    (frame,) = read_frames(path, fps=8, short_side=None)
    assert (probe.width, probe.height) == ((64, 32) if rotation in (0, 180) else (32, 64))
    assert frame.rgb.shape == (probe.height, probe.width, 3)
    h, w = frame.rgb.shape[0] // 2, frame.rgb.shape[1] // 2
    corners = {
        "upper left": frame.rgb[:h, :w],
        "upper right": frame.rgb[:h, w:],
        "lower left": frame.rgb[h:, :w],
        "lower right": frame.rgb[h:, w:],
    }
    assert max(corners, key=lambda name: corners[name].mean()) == white_corner


def test_pixels_that_are_not_square_give_the_displayed_size(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=2, width=72, height=58, pixel_aspect=Fraction(16, 11))
    probe = probe_video(path)
    assert (probe.width, probe.height) == (105, 58)
    assert next(read_frames(path, fps=8, short_side=29)).rgb.shape == (29, 52, 3)


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv444p"), ("libx264", "yuv420p10le"), ("ffv1", "bgr0")])
def test_odd_sizes_and_deep_colours_decode(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    path = write_video(tmp_path / "a.mkv", num_frames=6, width=54, height=38, codec=codec, pix_fmt=pix_fmt)
    assert frames_shown(path, fps=8) == [0, 1, 2, 3, 4, 5]
    odd = write_video(tmp_path / "b.mkv", num_frames=2, width=53, height=37, codec="ffv1", pix_fmt="bgr0")
    assert next(read_frames(odd, fps=8, short_side=None)).rgb.shape == (37, 53, 3)
    assert next(read_frames(odd, fps=8, short_side=16)).rgb.shape == (16, 23, 3)


@pytest.mark.skipif("libx265" not in av.codecs_available, reason="this build of PyAV cannot write HEVC")
def test_hevc_decodes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mov", num_frames=6, codec="libx265")
    assert probe_video(path).codec == "hevc"
    assert frames_shown(path, fps=8) == list(range(6))


def test_avi_whose_times_are_out_of_order_plays_in_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", num_frames=10, fps=10)
    assert frames_shown(path, fps=10) == list(range(10))


def test_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    av.VideoFrame.from_ndarray(np.full((30, 40, 3), 7, np.uint8), "rgb24").save(path)
    (frame,) = read_frames(path, fps=8, short_side=256)
    assert frame.time_s == 0.0
    assert frame.rgb.shape == (30, 40, 3)
    assert (frame.rgb == 7).all()


def test_probe_tells_size_rate_and_length(tmp_path: Path) -> None:
    probe = probe_video(write_video(tmp_path / "a.mp4", num_frames=20, fps=10))
    assert (probe.width, probe.height, probe.codec, probe.has_audio) == (64, 48, "h264", False)
    assert probe.fps == pytest.approx(10)
    assert probe.duration_s == pytest.approx(2.0, abs=0.05)


def test_truncated_video_gives_what_decodes(tmp_path: Path) -> None:
    mjpeg = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}  # each frame on its own, all of about the same size
    whole = write_video(tmp_path / "a.mp4", num_frames=30, fps=8, options={"movflags": "faststart"}, **mjpeg)
    content = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: len(content) * 7 // 10])
    shown = frames_shown(cut, fps=8)
    assert 0 < len(shown) < 30
    assert probe_video(cut).duration_s == pytest.approx(30 / 8, abs=0.05)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("empty.mp4", b"", "empty"), ("text.mp4", b"not a video at all\n" * 20, "cannot be read as a video")],
)
def test_what_is_not_a_video_is_named_with_a_remedy(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MienError, match=said) as caught:
        probe_video(path)
    assert str(path) in str(caught.value)


def test_header_without_pictures_is_an_error(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", num_frames=8)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:-200])  # its header comes last
    with pytest.raises(MienError, match=r"cut\.mp4"):
        list(read_frames(cut, fps=8, short_side=None))


def test_sound_alone_and_missing_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(MienError, match="no pictures"):
        probe_video(path)
    with pytest.raises(MienError, match="no video at"):
        probe_video(tmp_path / "b.mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_pictures_at_times_are_those_that_reading_through_shows(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, num_frames=31, fps=1, codec="mpeg4")  # a key frame every twelve seconds
    read = [number_of(picture.rgb) for picture in read_frames(path, fps=1, short_side=None)]
    times_s = [0.0, 0.9, 3.0, 3.0, 17.5, 18.0, 30.0, 99.0]
    shown = [number_of(picture.rgb) for picture in pictures_at(path, times_s, short_side=None)]
    assert shown == [read[min(int(time_s), 30)] for time_s in times_s] == [0, 0, 3, 3, 17, 18, 30, 30]


def test_pictures_at_leaps_over_what_lies_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=31, fps=1, codec="mpeg4")
    decoded = []
    plain = video._decoded

    def counted(*args: Any) -> Iterator[Any]:
        for frame in plain(*args):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video, "_decoded", counted)
    assert [number_of(picture.rgb) for picture in pictures_at(path, [26.0], short_side=None)] == [26]
    assert len(decoded) < 10


def test_pictures_are_numbered_by_their_times_without_decoding(tmp_path: Path) -> None:
    times_ms = [0, 100, 150, 400, 900]
    video = write_video(tmp_path / "a.mkv", num_frames=5, times_ms=times_ms)
    assert picture_times(video) == pytest.approx(np.array(times_ms) / 1000, abs=1e-3)
    decoded = [picture.time_s for picture in read_frames(video, fps=None, short_side=None)]
    assert picture_times(video) == pytest.approx(decoded, abs=1e-6)
