"""The released pipeline's files, written as its scripts write them, on their way into a store."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from mien.data.card import read_card
from mien.data.clips import ClipDataset, ClipSettings
from mien.data.store import SKIPPED_FILE, Store
from mien.exchange import ReleasedSettings, import_released
from mien.exchange.letterbox import letterbox
from mien.exchange.released_frames import shrink
from mien.media.transforms import Preprocess
from mien.types import EMOTIONS, MienError

h5py = pytest.importorskip("h5py", reason="h5py is not installed (the extra hdf5)")

WIDTH, HEIGHT, COUNT = 320, 180, 40
WORDS = [
    {"text": "i am so happy today", "start": 0.5, "end": 3.0, "duration": 2.5},
    {"text": "leave me alone", "start": 3.0, "end": 4.9, "duration": 1.9},
    {"text": "what was that", "start": 2.2, "end": 4.8, "duration": 2.6},
]
PERSON = np.array([[40.0, 30.0, 120.0, 180.0]], np.float32)


def picture(k: int, *, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    rgb = np.full((height, width, 3), 4 * k, np.uint8)
    rgb[30:, 40:120] = 255
    return simplejpeg.encode_jpeg(rgb, quality=90)


def write_video(
    folder: Path,
    *,
    numbers: Any = range(1, COUNT + 1),
    store_as: str = "string",
    words: list[dict] | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Path:
    """A folder of the released data: picture number n is grey of level 4 (n - 1), with somebody white in it."""
    folder.mkdir(parents=True)
    box = letterbox(source_width=width, source_height=height).from_source(PERSON)[0].tolist()
    with h5py.File(folder / "frames.hdf5", "w") as file:
        for n in numbers:
            content = picture(n - 1, width=width, height=height)
            match store_as:
                case "string":
                    file[f"{n:08d}.jpg"] = np.asarray(content)  # as the released script does
                case "numbers":
                    file[f"frames/{n:08d}.jpg"] = np.frombuffer(content, np.uint8)
                case "opaque":
                    file[f"{n:08d}.jpg"] = np.void(content)
    persons = [{f"{n:08d}.jpg": [[*box, 0.8]] if n % 2 else []} for n in numbers]
    (folder / "human_boxes.json").write_text(json.dumps(persons))
    (folder / "transcript_cleaned.json").write_text(json.dumps(WORDS if words is None else words))
    return folder


def lines_of(store: Path) -> list[tuple[str, str]]:
    lines = (store / SKIPPED_FILE).read_text(encoding="utf-8").splitlines()
    return [(line["what"], line["reason"]) for line in map(json.loads, lines)]


def test_released_data_becomes_a_store(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "abc123")
    report = import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    assert (report.num_videos, report.num_new, report.num_clips, report.failed) == (1, 1, 2, ())
    store = Store(tmp_path / "store")
    assert store.verify() == []
    reader = store.frames("abc123")
    assert [bytes(reader.jpeg(i)) for i in range(COUNT)] == [picture(k) for k in range(COUNT)]  # small: not touched
    assert (reader.info.source_width, reader.info.width, reader.info.fps) == (WIDTH, WIDTH, 8.0)
    boxes = store.boxes("abc123")
    assert boxes.frame.tolist() == list(range(0, COUNT, 2))  # number 1 is frame 0
    np.testing.assert_allclose(boxes.xyxy, np.repeat(PERSON, 20, axis=0), atol=1e-3)
    assert set(boxes.track.tolist()) == {-1}
    first, second = store.clips()
    assert (first.id, first.text, first.start_frame, first.end_frame) == ("abc123#0", "i am so happy today", 4, 24)
    assert second.id == "abc123#1"  # by time
    assert first.person_share == pytest.approx(0.5)
    assert lines_of(store.path) == [("abc123#2", "too short: 1.90 s; more than 2 s is wanted")]
    assert import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings()).num_new == 0


def test_the_store_tells_how_it_was_made(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "a")
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings(keep_duplicates=True, exclude=()))
    told = Store(tmp_path / "store").settings
    assert (told["keep_duplicates"], told["exclude"]) == (True, [])
    assert (told["boxes"]["detector"], told["index"]["min_box_score"]) == ("yolov7", 0.5)


def test_clips_can_be_trained_on(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "abc123")
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    store = Store(tmp_path / "store")
    dataset = ClipDataset(
        store, store.clips(), settings=ClipSettings(num_frames=8), preprocess=Preprocess(image_size=32)
    )
    sample = dataset[0, 0]
    assert sample.frames.shape == (8, 3, 32, 32)
    assert any(len(boxes) for boxes in sample.boxes)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (480, 360), (854, 480), (202, 360), (1280, 720)])
def test_boxes_lie_on_the_person_whatever_the_pictures_size(tmp_path: Path, width: int, height: int) -> None:
    write_video(tmp_path / "in" / "v", numbers=range(1, 4), width=width, height=height)
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings(short_side=144))
    store = Store(tmp_path / "store")
    info = store.frames("v").info
    assert min(info.width, info.height) == 144
    assert (info.source_width, info.source_height) == (width, height)
    np.testing.assert_allclose(store.boxes("v").xyxy, np.repeat(PERSON, 2, axis=0), atol=2e-3)
    shown = store.frames("v").decode(2)
    x0, y0, x1, y1 = (store.boxes("v").xyxy[0] * info.width / width).round().astype(int)
    inner = shown[y0 + 3 : min(y1, info.height) - 3, x0 + 3 : x1 - 3]
    assert inner.min() > 200
    assert shown[:, x1 + 4 :].max() < 60


@pytest.mark.parametrize("store_as", ["numbers", "opaque"])
def test_pictures_may_be_stored_in_other_ways(tmp_path: Path, store_as: str) -> None:
    write_video(tmp_path / "in" / "v", store_as=store_as)
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    assert bytes(Store(tmp_path / "store").frames("v").jpeg(5)) == picture(5)


def test_numbers_may_start_at_zero(tmp_path: Path) -> None:
    folder = write_video(tmp_path / "in" / "v", words=[])
    with h5py.File(folder / "frames.hdf5", "a") as file:
        file["00000000.jpg"] = np.asarray(picture(50))
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    store = Store(tmp_path / "store")
    assert bytes(store.frames("v").jpeg(1)) == picture(0)
    assert store.boxes("v").frame[0] == 1


def test_deleted_and_damaged_pictures_are_grey_and_make_no_clip(tmp_path: Path) -> None:
    kept = [n for n in range(1, COUNT + 1) if n not in (2, 3, 30)]
    folder = write_video(tmp_path / "in" / "v", numbers=kept)
    with h5py.File(folder / "frames.hdf5", "a") as file:
        del file["00000035.jpg"]
        file["00000035.jpg"] = np.asarray(picture(34)[:200])
        del file["00000001.jpg"]
        file["00000001.jpg"] = np.asarray(
            picture(0, width=64, height=48)
        )  # of another size than most: the first counts
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    lines = dict(lines_of(tmp_path / "store"))
    assert "(36 of them damaged)" in lines["v: frames"]
    with h5py.File(folder / "frames.hdf5", "a") as file:
        del file["00000001.jpg"]
        file["00000001.jpg"] = np.asarray(picture(0))
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    store, lines = Store(tmp_path / "store"), dict(lines_of(tmp_path / "store"))
    assert lines["v: frames"] == "4 of 40 pictures are missing (1 of them damaged): they are grey"
    assert [clip.id for clip in store.clips()] == ["v#0"]
    assert lines["v#1"] == "2 of its 21 frames are not in frames.hdf5, or damaged"
    assert np.all(store.frames("v").decode(29) == 128)
    assert np.all(store.frames("v").decode(34) == 128)


def test_released_logits_go_with_their_sentences(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "a")
    write_video(tmp_path / "in" / "b", numbers=range(1, COUNT + 11))  # else it would be a duplicate
    rows = [("b", WORDS[0], 4, 24), ("a", WORDS[0], 4, 24), ("a", WORDS[2], 18, 38)]
    index = [
        {"video_id": v, "duration": w["duration"], "start_frame": s, "end_frame": e, "text": w["text"], "has_person": 1}
        for v, w, s, e in rows
    ]
    (tmp_path / "index.json").write_text(json.dumps(index))
    logits = np.random.default_rng(0).normal(size=(3, len(EMOTIONS))).astype(np.float32)
    np.save(tmp_path / "logits.npy", logits)
    chosen = {"settings": ReleasedSettings(), "index": tmp_path / "index.json", "logits": tmp_path / "logits.npy"}
    import_released([tmp_path / "in"], tmp_path / "store", **chosen)  # type: ignore[arg-type]
    store = Store(tmp_path / "store")
    found = {clip.id: clip.sentiment_logits for clip in store.clips()}
    for row, id in enumerate(("b#0", "a#0", "a#1")):
        assert found[id] == tuple(logits[row].tolist())
    assert "1 of 3 sentences are not in the index: scored by mien" in dict(lines_of(store.path))["a: logits"]
    np.save(tmp_path / "logits.npy", logits[:2])
    with pytest.raises(MienError, match="must be \\(3, 7\\)"):
        import_released([tmp_path / "in"], tmp_path / "other", **chosen)  # type: ignore[arg-type]


def test_the_card_names_the_model_that_scored_the_sentences(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "a")
    row = {"video_id": "a", "start_frame": 4, "end_frame": 24, "text": WORDS[0]["text"]}
    for video, model in (("a", "distilroberta"), ("another", "mien")):
        (tmp_path / "index.json").write_text(json.dumps([row | {"video_id": video}]))
        np.save(tmp_path / "logits.npy", np.zeros((1, len(EMOTIONS)), np.float32))
        chosen = {"index": tmp_path / "index.json", "logits": tmp_path / "logits.npy"}
        import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings(), **chosen)
        assert model in read_card(tmp_path / "store").models["sentiment"]


def test_files_may_lie_under_several_roots(tmp_path: Path) -> None:
    folder = write_video(tmp_path / "video" / "v")
    (tmp_path / "words" / "v").mkdir(parents=True)
    (folder / "transcript_cleaned.json").rename(tmp_path / "words" / "v" / "transcript_cleaned.json")
    (folder / "human_boxes.json").unlink()
    roots = [tmp_path / "video", tmp_path / "words"]
    assert import_released(roots, tmp_path / "store", settings=ReleasedSettings()).num_clips == 2
    assert ("v", "no human_boxes.json: nobody is known to be in its pictures") in lines_of(tmp_path / "store")


def test_excluded_videos_are_left_out(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "Db19rWN5BGo&list=x")
    write_video(tmp_path / "in" / "v")
    report = import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    assert (report.num_videos, Store(tmp_path / "store").videos) == (1, ["v"])
    assert "bold_sources" in dict(lines_of(tmp_path / "store"))["Db19rWN5BGo&list=x"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("frames.hdf5", b"not hdf5", "cannot be read as HDF5"),
        ("human_boxes.json", b"{", "not JSON"),
        ("human_boxes.json", b"7", "it must be a list of"),
        ("human_boxes.json", b'[{"00000001.jpg": [[1, 2, 3]]}]', "it must be a list of"),
        ("human_boxes.json", b'[{"00000001.jpg": [[0, 0, 1270, 700, 0.9]]}]', "boxes up to .1270, 700."),
        ("transcript_cleaned.json", b'{"text": "x"}', "must hold a list"),
    ],
)
def test_a_damaged_file_fails_its_video_alone(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    (write_video(tmp_path / "in" / "bad") / file).write_bytes(content)
    write_video(tmp_path / "in" / "good")
    report = import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    assert [failed.what for failed in report.failed] == ["bad"]
    assert re.search(message, report.failed[0].reason)
    assert report.num_clips == 2


def test_boxes_may_be_of_the_picture_itself(tmp_path: Path) -> None:
    folder = write_video(tmp_path / "in" / "v")
    boxes = [[*PERSON[0].tolist(), 0.9], [400, 0, 500, 90, 0.5], [1, 1, 2, float("nan"), 0.5]]
    told = {"00000001.jpg": boxes, "77.jpg": [[0, 0, 9, 9, 1]]}
    (folder / "human_boxes.json").write_text(json.dumps(told))
    import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings(boxes_in="source"))
    assert Store(tmp_path / "store").boxes("v").xyxy.tolist() == PERSON.tolist()
    reasons = sorted(reason for what, reason in lines_of(tmp_path / "store") if what == "v: boxes")
    assert [reason.split(" ", 3)[3] for reason in reasons] == [
        "are empty, or lie wholly outside of the picture", "are not numbers", "are of pictures that there are not",
    ]  # fmt: skip


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_boxes_that_are_no_numbers_are_left_out(tmp_path: Path, number: str) -> None:
    folder = write_video(tmp_path / "in" / "v")
    (folder / "human_boxes.json").write_text(f'[{{"00000001.jpg": [[{number}, 0, {number}, 9, 0.9]]}}]')
    report = import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    assert (report.num_clips, len(Store(tmp_path / "store").boxes("v"))) == (2, 0)
    assert dict(lines_of(tmp_path / "store"))["v: boxes"] == "1 of 1 are not numbers"


def test_entries_of_a_transcript_that_make_no_sense_are_listed(tmp_path: Path) -> None:
    words: list[Any] = [{"text": "x", "start": 3, "end": 2}, {"start": 1, "end": 2}, "x"]
    words.append({"text": "So it is.", "start": 1, "duration": 3})
    write_video(tmp_path / "in" / "v", words=words)
    report = import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    assert report.num_clips == 1
    assert [what for what, _ in lines_of(tmp_path / "store")] == [f"v: entry {i} of the transcript" for i in range(3)]


def test_nothing_to_import_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(MienError, match=r"holds no frames\.hdf5"):
        import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings())
    with pytest.raises(MienError, match="give both"):
        import_released([tmp_path / "in"], tmp_path / "store", settings=ReleasedSettings(), index=tmp_path)


def test_shrunk_pictures_keep_their_mean() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (360, 640, 3)).astype(np.uint8)
    small = shrink(rgb, height=256, width=455)
    assert small.shape == (256, 455, 3)
    assert abs(float(small.mean()) - float(rgb.mean())) < 0.5
