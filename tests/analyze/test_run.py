"""A whole analysis, of the ten seconds that come with the package: a woman in distress, who then smiles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from made_videos import write_video

from mien.analyze import Analysis, AnalyzeSettings, StoppedError, Timeline, analyze, analyze_folder
from mien.analyze.folder import named_files
from mien.media.video import picture_times, probe_video, read_frames
from mien.types import ASSETS, MienError
from mien.whole_file import DiskFullError

pytestmark = pytest.mark.slow

SAMPLE = ASSETS / "sample" / "sample.mp4"
QUICK = AnalyzeSettings(samples_per_s=2.0, annotate=False)


class Stages:
    """The stages that were worked on."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if stage not in self.names:
            self.names.append(stage)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("analysed") / "sample"
    analyze(SAMPLE, out)
    return out


def test_she_is_sad_first_and_happy_last(analysed: Path) -> None:
    table = Timeline.load(analysed).table
    top = table["top"].to_pylist()
    assert set(table["track"].to_pylist()) == {0}
    assert (top[0], top[-1]) == ("sadness", "happiness")
    assert "uncertain" in top
    assert table["time_s"].to_pylist() == [i / 4 for i in range(43)]


def test_rows_sum_to_one_and_tell_the_picture_shown(analysed: Path) -> None:
    timeline = Timeline.load(analysed)
    probabilities = np.stack([timeline.table[word].to_numpy() for word in timeline.words])
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    times = picture_times(SAMPLE)
    frame, time_s = timeline.table["frame"].to_numpy(), timeline.table["time_s"].to_numpy()
    assert frame[0] == 0  # it appears 5 ms late
    assert (times[frame[1:]] <= time_s[1:] + 1e-3).all()
    assert (times[frame[:-1] + 1] > time_s[:-1]).all()


def test_the_record_tells_who_with_what_and_for_how_long(analysed: Path) -> None:
    record = Analysis.load(analysed)
    (person,) = record.persons
    assert person.has_body
    assert sum(person.shares.values()) == pytest.approx(1, abs=1e-5)
    assert {peak.word for peak in person.peaks} == set(person.shares) - {"uncertain"}
    assert record.models["face"].weights_hash in Timeline.load(analysed).table["model"][0].as_py()
    assert record.detectors["face"] == Timeline.load(analysed).table["detector"][0].as_py()
    assert all((analysed / name).is_file() for name in record.files)
    assert not (analysed / "store").exists()


def test_the_annotated_video_is_as_long_sounds_and_shows_the_box(analysed: Path) -> None:
    annotated = analysed / "annotated.mp4"
    probe, original = probe_video(annotated), probe_video(SAMPLE)
    assert (probe.codec, probe.width, probe.height, probe.has_audio) == ("h264", 640, 360, True)
    assert probe.duration_s == pytest.approx(original.duration_s, abs=0.05)
    np.testing.assert_allclose(picture_times(annotated), picture_times(SAMPLE), atol=1e-3)
    with av.open(str(annotated)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        heard = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
    assert heard == pytest.approx(10.5, abs=0.1)
    row = Timeline.load(analysed).table.to_pylist()[8]
    pictures = (list(read_frames(path, fps=4, short_side=None))[8].rgb.astype(int) for path in (annotated, SAMPLE))
    changed = np.abs(np.subtract(*pictures)).sum(axis=2)
    y = int((row["y0"] + row["y1"]) / 2)
    assert changed[y, int(row["x0"]) - 2 : int(row["x0"]) + 3].max() > 100
    assert changed[y, int(row["x0"]) + 20 : int(row["x1"]) - 20].max() < 100


def test_the_same_again_has_nothing_to_do(analysed: Path) -> None:
    stages, before = Stages(), (analysed / "timeline.parquet").stat().st_mtime_ns
    analyze(SAMPLE, analysed, on_progress=stages)
    assert stages.names == []
    assert (analysed / "timeline.parquet").stat().st_mtime_ns == before


def test_other_words_need_no_second_look(analysed: Path, tmp_path: Path) -> None:
    out, stages = tmp_path / "copy", Stages()
    shutil.copytree(analysed, out)
    analyze(SAMPLE, out, settings=AnalyzeSettings(words=("joy", "grief")), on_progress=stages)
    assert stages.names == ["score", "annotate"]
    assert Timeline.load(out).words == ("joy", "grief")


def test_without_a_drawing_the_old_one_goes(analysed: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(analysed, out)
    analyze(SAMPLE, out, settings=AnalyzeSettings(annotate=False))
    assert not (out / "annotated.mp4").exists()


@pytest.mark.parametrize("stage", ["boxes", "annotate"])
def test_stopped_anywhere_it_goes_on_to_the_same_result(stage: str, analysed: Path, tmp_path: Path) -> None:
    now = [""]
    with pytest.raises(StoppedError, match="goes on"):
        analyze(
            SAMPLE,
            tmp_path / "out",
            on_progress=lambda name, done, total: now.__setitem__(0, name),
            should_stop=lambda: now[0] == stage,
        )
    assert not list((tmp_path / "out").glob(".*.part"))
    stages = Stages()
    analyze(SAMPLE, tmp_path / "out", on_progress=stages)
    assert Timeline.load(tmp_path / "out").table.equals(Timeline.load(analysed).table)
    if stage == "annotate":
        assert stages.names == ["annotate"]


def test_a_full_disk_at_the_end_is_told_and_the_rest_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise DiskFullError("no room left")

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr("mien.analyze.annotate.annotate", full)
        with pytest.raises(DiskFullError):
            analyze(SAMPLE, out, settings=QUICK.model_copy(update={"annotate": True}))
    assert Timeline.load(out).table.num_rows > 0
    stages = Stages()
    analyze(SAMPLE, out, settings=QUICK, on_progress=stages)
    assert stages.names == []


def test_nobody_makes_an_empty_timeline_and_a_drawing_without_boxes(tmp_path: Path) -> None:
    grey = write_video(tmp_path / "grey.mp4", num_frames=16)
    record = analyze(grey, tmp_path / "out")
    assert (record.persons, Timeline.load(tmp_path / "out").table.num_rows) == ((), 0)
    assert len(picture_times(tmp_path / "out" / "annotated.mp4")) == 16


def test_a_picture_is_one_moment_and_a_drawn_picture(tmp_path: Path) -> None:
    from PIL import Image

    frame = list(read_frames(SAMPLE, fps=1, short_side=None))[-1].rgb
    Image.fromarray(frame).save(tmp_path / "photo.png")
    record = analyze(tmp_path / "photo.png", tmp_path / "out")
    (person,) = record.persons
    assert (record.video.is_picture, person.num_samples, person.seconds) == (True, 1, 0.0)
    assert (tmp_path / "out" / "annotated.jpg").is_file()
    stages = Stages()
    analyze(tmp_path / "photo.png", tmp_path / "out", on_progress=stages)
    assert stages.names == []


def broken(path: Path) -> None:
    path.write_bytes(b"no video at all")


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("make", "why"), [(broken, "cannot be read as a video"), (sound_only, "has no pictures")])
def test_what_cannot_be_read_is_told_with_the_reason(make: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    make(tmp_path / "a.mp4")
    with pytest.raises(MienError, match=why):
        analyze(tmp_path / "a.mp4", tmp_path / "out")


def test_a_folder_is_analysed_file_by_file_and_failures_are_listed(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (videos / "deep").mkdir(parents=True)
    write_video(videos / "a.mp4", num_frames=8)
    write_video(videos / "a.mkv", num_frames=8)
    write_video(videos / "deep" / "b.mp4", num_frames=8)
    broken(videos / "c.mp4")
    done = analyze_folder(videos, videos / "out", settings=QUICK)
    assert set(done.analyses) == {"a.mp4", "a.mkv", "deep/b"}
    (failure,) = done.failed
    assert failure.what.endswith("c.mp4")
    assert json.loads((videos / "out" / "deep" / "b" / "analysis.json").read_text())["video"]["name"] == "b.mp4"
    assert set(named_files(videos, videos / "out")) == {"a.mp4", "a.mkv", "deep/b", "c"}


def test_a_folder_that_holds_something_else_is_left_alone(analysed: Path, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"holds the analysis of sample\.mp4"):
        analyze(write_video(tmp_path / "other.mp4"), analysed)
    (tmp_path / "out" / "store").mkdir(parents=True)
    (tmp_path / "out" / "store" / "mine.txt").write_text("")
    with pytest.raises(MienError, match="is not of `mien analyze`"):
        analyze(SAMPLE, tmp_path / "out")


def test_subtitles_beside_the_video_become_utterances(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", num_frames=32)
    (tmp_path / "a.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nI am so happy for you!\n", encoding="utf-8")
    record = analyze(video, tmp_path / "out", settings=QUICK)
    (said,) = record.utterances
    assert (said.text, said.emotion, said.start_s) == ("I am so happy for you!", "joy", 0.5)


def test_what_cannot_be_read_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(MienError, match="cannot be read"):
        analyze(tmp_path / "a.mp4", tmp_path / "out", settings=QUICK)
    assert not (tmp_path / "out").exists()


def test_half_a_picture_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    cv2.imwrite(str(whole), np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8))
    (tmp_path / "half.jpg").write_bytes(whole.read_bytes()[:20_000])
    with pytest.raises(MienError, match="is wanted, whole"):
        analyze(tmp_path / "half.jpg", tmp_path / "out", settings=QUICK)
