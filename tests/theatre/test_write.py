"""A theatre on disk: what lies beside what, that it agrees, and that it is the same every time."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.theatre import TheatreSettings, write_theatre
from mien.types import CATEGORIES, EMOTIONS, MienError

pytestmark = pytest.mark.slow  # together they take long

SMALL = TheatreSettings(num_train=2, num_test=1, min_utterances=1, max_utterances=2, width=160, height=128)
SUFFIXES = {".mp4", ".srt", ".boxes.csv", ".truth.json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("theatre")
    write_theatre(out, settings=SMALL)
    return out


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def truth_of(video: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(video.with_suffix(".truth.json").read_text())
    return data


def videos(out: Path) -> list[Path]:
    return sorted(out.rglob("*.mp4"))


def captions_of(srt: Path) -> Iterator[tuple[float, float, str]]:
    for block in srt.read_text().strip().split("\n\n"):
        _, times, text = block.split("\n")
        found = re.fullmatch(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})", times)
        assert found is not None
        h0, m0, s0, ms0, h1, m1, s1, ms1 = map(int, found.groups())
        yield (
            round(3600 * h0 + 60 * m0 + s0 + ms0 / 1000, 3),
            round(3600 * h1 + 60 * m1 + s1 + ms1 / 1000, 3),
            text,
        )


def test_every_video_has_its_side_cars_and_nothing_else(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    names = ["train/0000", "train/0001", "test/0000"]
    assert files == {"theatre.json", *(name + suffix for name in names for suffix in SUFFIXES)}


def test_video_is_h264_of_the_size_rate_and_length_it_says(folder: Path) -> None:
    for path in videos(folder):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert (stream.width, stream.height, stream.pix_fmt) == (160, 128, "yuv420p")
            times = [frame.time for frame in container.decode(video=0)]
        assert times == [k / 8 for k in range(truth_of(path)["num_frames"])]


def test_every_utterance_has_at_least_sixteen_frames(folder: Path) -> None:
    for path in videos(folder):
        truth = truth_of(path)
        for said in truth["utterances"]:
            inside = [k for k in range(truth["num_frames"]) if said["start_s"] <= k / 8 < said["end_s"]]
            assert len(inside) >= 16


def test_subtitles_agree_with_the_truth(folder: Path) -> None:
    for path in videos(folder):
        captions = list(captions_of(path.with_suffix(".srt")))
        utterances = truth_of(path)["utterances"]
        assert " ".join(text for *_, text in captions) == " ".join(u["text"] for u in utterances)
        starts, ends = [c[0] for c in captions], [c[1] for c in captions]
        assert {u["start_s"] for u in utterances} <= set(starts)
        assert {u["end_s"] for u in utterances} <= set(ends)
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_truth_names_emotion_categories_and_persons(folder: Path) -> None:
    for path in videos(folder):
        truth = truth_of(path)
        tracks = {person["track"] for person in truth["persons"]}
        for said in truth["utterances"]:
            assert said["emotion"] in EMOTIONS
            assert len(said["categories"]) == len(CATEGORIES)
            assert len(said["vad"]) == 3
            assert said["speaker"] in tracks


def test_boxes_lie_in_the_frame_and_exactly_the_speaker_speaks(folder: Path) -> None:
    for path in videos(folder):
        truth = truth_of(path)
        with path.with_suffix(".boxes.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert {float(row["time_s"]) for row in rows} == {k / 8 for k in range(truth["num_frames"])}
        for row in rows:
            assert 0 <= float(row["x0"]) < float(row["x1"]) <= 160
            assert 0 <= float(row["y0"]) < float(row["y1"]) <= 128
            t, track = float(row["time_s"]), int(row["track"])
            speaks = [u for u in truth["utterances"] if u["start_s"] <= t < u["end_s"] and u["speaker"] == track]
            assert row["speaking"] == str(len(speaks))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_same_settings_give_the_same_theatre(folder: Path, tmp_path: Path, workers: int) -> None:
    write_theatre(tmp_path, settings=SMALL, workers=workers)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".srt", ".csv", ".json"):
            assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()
    for path in videos(folder):
        np.testing.assert_array_equal(decode(tmp_path / path.relative_to(folder)), decode(path))


@pytest.mark.slow
def test_what_is_done_is_kept_and_what_is_missing_is_made(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"num_test": 0})
    write_theatre(tmp_path, settings=settings)
    first, second = videos(tmp_path)
    second.with_suffix(".truth.json").unlink()
    second.write_bytes(b"half a video")
    before = first.stat().st_mtime_ns
    told = []
    result = write_theatre(tmp_path, settings=settings, on_video=told.append)
    assert [name.number for name in result.made] == [1]
    assert [name.number for name in result.kept] == [0]
    assert tuple(told) == result.made
    assert first.stat().st_mtime_ns == before
    assert len(decode(second)) == truth_of(second)["num_frames"]


def test_a_theatre_may_grow(tmp_path: Path) -> None:
    one = SMALL.model_copy(update={"num_train": 1, "num_test": 0})
    write_theatre(tmp_path, settings=one)
    result = write_theatre(tmp_path, settings=one.model_copy(update={"num_test": 1}))
    assert [(name.split, name.number) for name in result.made] == [("test", 0)]


def test_folder_of_other_settings_is_refused(folder: Path) -> None:
    with pytest.raises(MienError, match=r"seed: 0 there, 1 here.*another folder"):
        write_theatre(folder, settings=SMALL.model_copy(update={"seed": 1}))


def test_no_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="workers = 0"):
        write_theatre(tmp_path, settings=SMALL, workers=0)
