"""Other people's shards: what of them becomes a store, and what is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_tars import write_tar
from made_videos import number_of, write_video

from mien.data.store import SKIPPED_FILE, Store
from mien.exchange import import_webdataset
from mien.exchange.foreign import said
from mien.exchange.tar_samples import Span, TarSample
from mien.media.video import read_frames
from mien.prepare.boxes import BoxSettings
from mien.prepare.settings import PrepareSettings
from mien.types import MienError, Sentence

NO_BOXES = PrepareSettings(boxes=BoxSettings(source="none"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds, frame k grey of level 8 k."""
    path = write_video(tmp_path_factory.mktemp("film") / "film.mp4", num_frames=24)
    return path.read_bytes()


def lines_of(store: Path) -> dict[str, str]:
    lines = (store / SKIPPED_FILE).read_text(encoding="utf-8").splitlines()
    return {line["what"]: line["reason"] for line in map(json.loads, lines)}


def test_video2dataset_shards_become_a_store(tmp_path: Path, film: bytes) -> None:
    told = {"url": "https://…", "key": "000000000", "status": "success", "caption": "not this", "clips": [[5, 8]]}
    files = {"000000000.mp4": film, "000000000.txt": b"I am so\nhappy.", "000000000.json": json.dumps(told).encode()}
    files |= {"000000001.mp4": film, "000000001.json": json.dumps({"caption": "Oh no!"}).encode()}
    write_tar(tmp_path / "in" / "00000.tar", files)
    write_tar(tmp_path / "in" / "00001.tar", {"000010000.mp4": film, "000010000.txt": b"Leave me alone!"})
    report = import_webdataset(tmp_path / "in", tmp_path / "store", settings=NO_BOXES)
    assert (report.num_videos, report.num_new, report.num_clips, report.failed) == (3, 3, 3, ())
    store = Store(tmp_path / "store")
    assert store.verify() == []
    assert [(c.video, c.text, c.start_s, c.end_s, c.num_frames) for c in store.clips()] == [
        ("00000/000000000", "I am so happy.", 0.0, 3.0, 24),
        ("00000/000000001", "Oh no!", 0.0, 3.0, 24),
        ("00001/000010000", "Leave me alone!", 0.0, 3.0, 24),
    ]
    assert [number_of(store.frames("00000/000000000").decode(i)) for i in (0, 7, 23)] == [0, 7, 23]
    assert len({clip.sentiment_logits for clip in store.clips()}) == 3
    assert lines_of(store.path) == {}
    assert import_webdataset(tmp_path / "in", tmp_path / "store", settings=NO_BOXES).num_new == 0


def test_broken_samples_are_listed_and_never_fatal(tmp_path: Path, film: bytes) -> None:
    files = {
        "whole.webm": film,  # what it is decides, not what it is called
        "whole.txt": b"Hello there.",
        "damaged.mp4": film[:300],
        "damaged.txt": b"Hm.",
        "empty.mp4": b"",
        "nofilm.txt": b"Only words.",
        "badjson.mp4": film,
        "badjson.json": b"{",
        "silent.avi": film,
    }
    shard = write_tar(tmp_path / "s.tar", files)
    (tmp_path / "t.tar").write_bytes(b"no tar at all")
    report = import_webdataset(f"{tmp_path}/*.tar", tmp_path / "store", settings=NO_BOXES)
    assert sorted(f.what for f in report.failed) == ["s/damaged", "s/empty", "t.tar"]
    assert [clip.video for clip in Store(tmp_path / "store").clips()] == ["s/whole"]
    assert Store(tmp_path / "store").verify() == []
    lines = lines_of(tmp_path / "store")
    assert set(lines) == {"s/damaged", "s/empty", "s/nofilm", "s/badjson", "s/silent", "t.tar"}
    assert lines["s/silent"] == "it has no text: it makes no clips"
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size - 10240)  # the end of the last film, and of the tar
    again = import_webdataset(shard, tmp_path / "other", settings=NO_BOXES)
    assert "s.tar" in lines_of(tmp_path / "other")
    assert again.num_clips == 1


def test_shards_without_a_single_video_are_an_error(tmp_path: Path) -> None:
    write_tar(tmp_path / "s.tar", {"0.jpg": b"x", "0.txt": b"x"})
    with pytest.raises(MienError, match=r"no video among its files \(jpg, txt\)"):
        import_webdataset(tmp_path / "s.tar", tmp_path / "store", settings=NO_BOXES)
    assert not (tmp_path / "store").exists()


def test_a_clip_of_ours_that_names_no_video_is_listed(tmp_path: Path, film: bytes) -> None:
    ours = json.dumps({"mien": 1, "sentiment_logits": []}).encode()
    files = {"0.mp4": film, "0.json": ours, "1.mp4": film, "1.txt": b"Hello there."}
    shard = write_tar(tmp_path / "s.tar", files)
    report = import_webdataset(shard, tmp_path / "store", settings=NO_BOXES)
    assert (report.num_videos, report.failed) == (1, ())
    assert "can be no video's name" in lines_of(tmp_path / "store")["s/0"]


def test_two_samples_of_one_name_are_told_apart(tmp_path: Path, film: bytes) -> None:
    for folder in ("a", "b"):
        write_tar(tmp_path / folder / "s.tar", {"0.mp4": film, "0.txt": folder.encode() * 5})
    report = import_webdataset(f"{tmp_path}/*/s.tar", tmp_path / "store", settings=NO_BOXES)
    assert report.num_videos == 1
    assert "two samples" in lines_of(tmp_path / "store")["s/0"]


def test_other_settings_make_a_video_again(tmp_path: Path, film: bytes) -> None:
    shard = write_tar(tmp_path / "s.tar", {"0.mp4": film, "0.txt": b"Hello there."})
    import_webdataset(shard, tmp_path / "store", settings=NO_BOXES)
    short = NO_BOXES.model_copy(update={"index": NO_BOXES.index.model_copy(update={"max_duration_s": 2.5})})
    report = import_webdataset(shard, tmp_path / "store", settings=short)
    assert (report.num_new, report.num_clips) == (1, 0)
    assert lines_of(tmp_path / "store")["s/0#0"].startswith("too long")


@pytest.mark.slow
def test_persons_are_detected_in_foreign_videos(tmp_path: Path, real_data: Path) -> None:
    film = (real_data / "people" / "no_face.mp4").read_bytes()
    seconds = sum(1 for _ in read_frames(real_data / "people" / "no_face.mp4", fps=8.0, short_side=64)) / 8
    shard = write_tar(tmp_path / "s.tar", {"0.mp4": film, "0.txt": b"Hello there."})
    import_webdataset(shard, tmp_path / "store", settings=PrepareSettings())
    store = Store(tmp_path / "store")
    assert len(store.frames("s/0")) == pytest.approx(8 * seconds, abs=1)
    assert store.settings["boxes"]["source"] == "detector"


@pytest.mark.parametrize(
    ("text", "told", "sentences"),
    [
        ("Hi.", {"caption": "Ho."}, [(0, 4, "Hi.")]),
        ("  \n", {"text": "Ho."}, [(0, 4, "Ho.")]),
        (None, {"captions": ["A man walks.", "Somebody walks."]}, [(0, 4, "A man walks.")]),
        (None, {"texts": ["B.", "A."], "clips": [[2, 3], ["00:00:00.5", "00:00:01"]]}, [(0.5, 1, "A."), (2, 3, "B.")]),
        (None, {"clip_subtitles": [{"start": "0", "end": "1", "lines": ["So", "it is."]}]}, [(0, 4, "So it is.")]),
        (None, {"caption": None, "text": 7}, []),
        (None, [1, 2], []),
    ],
)  # fmt: skip
def test_what_is_said_is_found_where_it_is_usual(tmp_path: Path, text: str | None, told: Any, sentences: list) -> None:
    (tmp_path / "s.tar").write_bytes(text.encode() if text else b"")
    files = {"txt": Span(offset=0, size=len(text))} if text else {}
    sample = TarSample(shard=tmp_path / "s.tar", key="0", files=files)
    wanted = [Sentence(start_s=float(start), end_s=float(end), text=words) for start, end, words in sentences]
    assert said(sample, told, duration_s=4.0) == wanted


@pytest.mark.parametrize("clip", [[3, 2], ["x", 1], 5, [1, 2, 3], [-1, 2], [0, float("nan")]])
def test_times_that_make_no_sense_are_an_error(tmp_path: Path, clip: Any) -> None:
    sample = TarSample(shard=tmp_path / "s.tar", key="0")
    with pytest.raises(MienError, match="the clip"):
        said(sample, {"texts": ["A.", "B."], "clips": [[0, 1], clip]}, duration_s=4.0)
