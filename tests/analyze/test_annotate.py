"""The annotated copy: its pictures' times, its size, its sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import write_video

from mien.analyze.annotate import annotate, annotated_with
from mien.analyze.record import Shot, VideoFacts
from mien.analyze.scene import Scene
from mien.analyze.timeline import Seen, Timeline, make_timeline
from mien.media.video import picture_times, probe_video, read_frames


def timeline() -> Timeline:
    """One person for two seconds, a box from 8 to 40 across and 8 to 24 down."""
    seen = Seen(
        time_s=np.arange(8) / 4,
        frame=np.arange(0, 16, 2),
        shot=np.zeros(8, np.int32),
        track=np.zeros(8, np.int32),
        source=("face",) * 8,
        xyxy=np.tile(np.array([[8, 8, 40, 24]], np.float32), (8, 1)),
    )
    return make_timeline(
        seen, video="a", words=("joy",), probabilities=np.ones((8, 1)), numbers={}, min_confidence=0.0,
        model_of={"face": "m"}, detector_of={"face": "d"}, made_with={},
    )  # fmt: skip


def drawn(video: Path, out: Path) -> Path:
    probe = probe_video(video)
    facts = VideoFacts(
        path=str(video), name=video.name, num_bytes=1, duration_s=probe.duration_s, width=probe.width,
        height=probe.height, fps=probe.fps, is_picture=False,
    )  # fmt: skip
    scene = Scene(
        made_with="", video=facts, num_samples=8, num_persons=1, shots=(Shot(start_s=0.0, end_s=1.75),), utterances=(),
        detectors={}, skipped=(),
    )  # fmt: skip
    annotate(video, out, timeline(), scene, step_s=0.25, mark="abc")
    return out


def add_sound(video: Path, out: Path, *, codec: str) -> Path:
    """The video with two seconds of a hum, which begins half a second after the pictures."""
    rate = 16_000
    hum = (8000 * np.sin(np.arange(2 * rate) / 20)).astype(np.int16)[None]
    with av.open(str(video)) as source, av.open(str(out), "w") as made:
        pictures = made.add_stream_from_template(source.streams.video[0])
        sound = made.add_stream(codec, rate=rate)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                made.mux(packet)
        frame = av.AudioFrame.from_ndarray(hum, format="s16", layout="mono")
        frame.rate, frame.pts = rate, rate // 2
        made.mux(sound.encode(frame))
        made.mux(sound.encode(None))
    return out


def test_pictures_keep_their_times_where_the_rate_varies(tmp_path: Path) -> None:
    times_ms = [0, 100, 150, 400, 401, 900, 1500, 1600]
    video = write_video(tmp_path / "a.mkv", num_frames=8, times_ms=times_ms)
    out = drawn(video, tmp_path / "out.mp4")
    np.testing.assert_allclose(picture_times(out), np.array(times_ms) / 1000, atol=2e-3)
    assert annotated_with(out) == "abc"


def test_an_odd_size_loses_a_line_not_the_video(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv", width=65, height=49, codec="ffv1", pix_fmt="yuv444p")
    probe = probe_video(drawn(video, tmp_path / "out.mp4"))
    assert (probe.width, probe.height) == (64, 48)


def test_a_turned_video_is_drawn_upright(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", rotation=90, marks_corner=True)
    probe = probe_video(drawn(video, tmp_path / "out.mp4"))
    assert (probe.width, probe.height, probe.rotation) == (48, 64, 0)


def test_colours_stay(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", width=320, height=240)
    out = drawn(video, tmp_path / "out.mp4")
    for before, after in zip(*(read_frames(path, fps=4, short_side=None) for path in (video, out)), strict=True):
        np.testing.assert_allclose(after.rgb[200:, 200:].mean(), before.rgb[200:, 200:].mean(), atol=1.5)


@pytest.mark.parametrize(("codec", "suffix", "kept"), [("aac", ".mp4", "aac"), ("pcm_s16le", ".mkv", "aac")])
def test_sound_is_copied_where_it_can_be_and_encoded_anew_else(
    codec: str, suffix: str, kept: str, tmp_path: Path
) -> None:
    silent = write_video(tmp_path / "silent.mp4", num_frames=24)
    video = add_sound(silent, tmp_path / f"a{suffix}", codec=codec)
    with av.open(str(drawn(video, tmp_path / "out.mp4"))) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == kept
        heard = [frame for frame in container.decode(sound) if np.abs(frame.to_ndarray()).max() > 0.05]
    assert heard[0].time == pytest.approx(0.5, abs=0.15)
    assert heard[-1].time == pytest.approx(2.5, abs=0.15)


def test_no_mark_is_known_of_other_files(tmp_path: Path) -> None:
    assert annotated_with(tmp_path / "annotated.mp4") is None
    (tmp_path / "annotated.mp4").write_bytes(b"broken")
    assert annotated_with(tmp_path / "annotated.mp4") is None
    (tmp_path / "annotated.jpg").write_bytes(b"broken")
    assert annotated_with(tmp_path / "annotated.jpg") is None
