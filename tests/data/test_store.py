import pickle
from pathlib import Path

import numpy as np
import pytest

from mien.data.store import BOXES_FILE, FORMAT, FRAMES_FILE, INDEX_FILE, SENTENCES_FILE, Store
from mien.data.tables import (
    NO_BOXES,
    ScoredSentences,
    made_with,
    read_boxes,
    read_sentences,
    up_to_date,
    write_boxes,
    write_index,
    write_sentences,
)
from mien.media.frames import FrameWriter
from mien.types import BoxTable, Clip, MienError, Sentence, VideoInfo

BOXES = BoxTable(
    frame=np.array([0, 0, 3], np.int32),
    xyxy=np.array([[1, 2, 30, 40], [5, 6, 70.5, 80], [-3, 2, 30, 40]], np.float32),
    score=np.array([0.9, 0.4, 0.8], np.float32),
    track=np.array([0, 1, 0], np.int32),
    speaking=np.array([True, False, True]),
)


def clip(video: str, *, end_frame: int) -> Clip:
    return Clip(
        id=f"{video}#0",
        video=video,
        start_frame=2,
        end_frame=end_frame,
        start_s=0.25,
        end_s=end_frame / 8,
        text="Hello. «Ça va»?",
        sentiment_logits=(0.0, 1.5, -2.0, 0.0, 0.25, 0.0, 3.0),
        person_share=0.5,
    )


def make_store(root: Path, *, clips: list[Clip], num_frames: int = 20) -> Store:
    folder = root / "videos" / "series" / "a"
    info = VideoInfo(
        source="a.mp4",
        source_width=160,
        source_height=120,
        source_duration_s=num_frames / 8,
        width=80,
        height=60,
        fps=8.0,
        num_frames=0,
    )
    with FrameWriter(folder / FRAMES_FILE, info=info, made_with={}) as writer:
        for k in range(num_frames):
            writer.add(np.full((60, 80, 3), k, np.uint8), time_s=k / 8)
    write_boxes(folder / BOXES_FILE, BOXES, made_with={"by": "hand"})
    sentences = [Sentence(start_s=0.25, end_s=2.0, text="Hello.")]
    write_sentences(
        folder / SENTENCES_FILE,
        ScoredSentences(sentences=sentences, logits=np.arange(7, dtype=np.float32)[None]),
        made_with={},
    )
    write_index(root / INDEX_FILE, clips, made_with={})
    (root / "store.json").write_text(f'{{"format": {FORMAT}, "settings": {{"images": false}}}}')
    return Store(root)


def test_store_gives_back_what_was_written(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", clips=[clip("series/a", end_frame=16)])
    assert store.settings == {"images": False}
    assert store.videos == ["series/a"]
    assert store.clips() == [clip("series/a", end_frame=16)]
    assert len(store.frames("series/a")) == 20
    boxes = store.boxes("series/a")
    for name in ("frame", "xyxy", "score", "track", "speaking"):
        np.testing.assert_array_equal(getattr(boxes, name), getattr(BOXES, name))
        assert getattr(boxes, name).dtype == getattr(BOXES, name).dtype
    assert store.sentences("series/a").sentences == [Sentence(start_s=0.25, end_s=2.0, text="Hello.")]
    assert store.verify() == []


def test_readers_are_kept_and_a_store_pickles_as_its_path(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", clips=[])
    assert store.frames("series/a") is store.frames("series/a")
    copy = pickle.loads(pickle.dumps(store))
    assert copy.frames("series/a").decode(3).shape == (60, 80, 3)


def test_empty_tables_round_trip(tmp_path: Path) -> None:
    write_boxes(tmp_path / "boxes.arrow", NO_BOXES, made_with={})
    assert len(read_boxes(tmp_path / "boxes.arrow")) == 0
    nothing = ScoredSentences(sentences=[], logits=np.zeros((0, 7), np.float32))
    write_sentences(tmp_path / "sentences.parquet", nothing, made_with={})
    assert read_sentences(tmp_path / "sentences.parquet").logits.shape == (0, 7)


def test_files_say_what_they_were_made_with(tmp_path: Path) -> None:
    path = tmp_path / "boxes.arrow"
    assert made_with(path) is None
    assert up_to_date(path, {"a": 1}) is None
    write_boxes(path, BOXES, made_with={"a": 1, "more": 2})
    assert up_to_date(path, {"a": 1}) == {"a": 1, "more": 2}
    assert up_to_date(path, {"a": 2}) is None
    path.write_bytes(b"damaged")
    assert up_to_date(path, {"a": 1}) is None


def test_verify_lists_clips_that_reach_beyond_their_video(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", clips=[clip("series/a", end_frame=21), clip("gone", end_frame=16)])
    problems = {problem.what: problem.reason for problem in store.verify()}
    assert problems["series/a#0"] == "frames 2 to 21 of 20; run `mien prepare` again"
    assert "has no video 'gone'" in problems["gone#0"]


def test_verify_lists_damaged_and_missing_files(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", clips=[])
    (store.folder("series/a") / FRAMES_FILE).write_bytes(b"zeros")
    (store.folder("series/a") / SENTENCES_FILE).unlink()
    reasons = [problem.reason for problem in store.verify()]
    assert len(reasons) == 2
    assert "damaged" in reasons[0]
    assert "has no sentences.parquet of video 'series/a'" in reasons[1]


def test_folders_that_are_no_store_are_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no store at .*mien prepare"):
        Store(tmp_path / "absent")
    with pytest.raises(MienError, match="is not a store"):
        Store(tmp_path)


def test_store_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"format": 99, "settings": {}}')
    with pytest.raises(MienError, match="format 99"):
        _ = Store(tmp_path).settings


def test_any_stretch_of_a_video_is_a_clip(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", clips=[])
    middle = store.clip("series/a", start_s=0.5, end_s=1.0, text="hm")
    assert (middle.start_frame, middle.end_frame, middle.text) == (4, 8, "hm")
    assert len(middle.sentiment_logits) == 7
    instant = store.clip("series/a", start_s=1.0, end_s=1.0)
    assert instant.num_frames == 1
    overlong = store.clip("series/a", start_s=2.0, end_s=60.0)
    assert (overlong.start_frame, overlong.end_frame) == (16, 20)
    with pytest.raises(MienError, match=r"no stretch 3\.0 to 4\.0 s in its 2\.500 s"):
        store.clip("series/a", start_s=3.0, end_s=4.0)
