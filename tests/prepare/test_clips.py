from pathlib import Path

import numpy as np
import pytest

from mien.data.store import FRAMES_FILE
from mien.data.tables import ScoredSentences
from mien.media.frames import FrameReader, FrameWriter
from mien.prepare.clips import IndexSettings, Unfit, clips_of, count_people
from mien.types import BoxTable, Clip, Sentence, VideoInfo


def index(
    folder: Path, *sentences: tuple[float, float, str], settings: IndexSettings | None = None
) -> tuple[list[Clip], list[Unfit]]:
    """The clips of a video of 20 s at 8 fps, in whose second half a person is seen (score 0.5)."""
    info = VideoInfo(
        source="a.mp4", source_width=8, source_height=8, source_duration_s=20, width=8, height=8, fps=8.0, num_frames=0
    )
    with FrameWriter(folder / FRAMES_FILE, info=info, made_with={}) as writer:
        for k in range(160):
            writer.add(np.zeros((8, 8, 3), np.uint8), time_s=k / 8)
    seen = np.arange(80, 160, dtype=np.int32)
    boxes = BoxTable(
        frame=seen,
        xyxy=np.tile(np.array([0, 0, 8, 8], np.float32), (80, 1)),
        score=np.full(80, 0.5, np.float32),
        track=np.zeros(80, np.int32),
        speaking=np.zeros(80, np.bool_),
    )
    scored = ScoredSentences(
        sentences=[Sentence(start_s=s, end_s=e, text=t) for s, e, t in sentences],
        logits=np.zeros((len(sentences), 7), np.float32),
    )
    reader = FrameReader(folder / FRAMES_FILE)
    return clips_of("v", reader, boxes, scored, settings=settings or IndexSettings())


def test_a_sentence_becomes_a_clip_of_its_frames(tmp_path: Path) -> None:
    ((clip,), skipped) = index(tmp_path, (8.0, 12.0, "Hello there."))
    assert (clip.id, clip.start_frame, clip.end_frame, clip.text) == ("v#0", 64, 96, "Hello there.")
    assert clip.person_share == 0.5
    assert skipped == []


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ((1.0, 3.0, "Two seconds."), "too short: 2.00 s"),
        ((1.0, 11.0, "Ten seconds."), "too long: 10.00 s"),
        ((1.0, 4.0, "Oh"), "too few characters: 'Oh' has 2"),
        ((17.0, 20.6, "Beyond the end."), "beyond the pictures: it ends at 20.60 s, and pictures at 20.00 s"),
    ],
)
def test_what_breaks_a_rule_is_listed_with_the_reason(
    tmp_path: Path, sentence: tuple[float, float, str], reason: str
) -> None:
    clips, (skipped,) = index(tmp_path, sentence)
    assert clips == []
    assert skipped.as_skipped().what == "v#0"
    assert reason in skipped.as_skipped().reason


def test_a_caption_that_stays_a_little_longer_than_the_pictures_is_kept(tmp_path: Path) -> None:
    (clip,), _ = index(tmp_path, (17.0, 20.4, "Almost over."))
    assert (clip.start_frame, clip.end_frame) == (136, 160)


def test_rules_are_settings(tmp_path: Path) -> None:
    settings = IndexSettings(min_duration_s=0.5, min_frames=9)
    clips, (skipped,) = index(tmp_path, (1.0, 2.0, "Short."), (1.0, 2.2, "Less so."), settings=settings)
    assert [clip.id for clip in clips] == ["v#1"]
    assert skipped.as_skipped().reason == "too few frames: 8; at least 9 are wanted"


def test_numbers_stay_when_settings_change(tmp_path: Path) -> None:
    sentences = [(1.0, 4.0, "Nobody."), (12.0, 15.0, "Somebody.")]
    (_, second), _ = index(tmp_path, *sentences)
    (only,), (skipped,) = index(tmp_path, *sentences, settings=IndexSettings(min_person_share=0.5))
    assert only == second
    assert skipped.as_skipped().reason == "too few persons: in 0% of its frames; at least 50% is wanted"


def test_faint_boxes_are_no_persons(tmp_path: Path) -> None:
    (clip,), _ = index(tmp_path, (12.0, 15.0, "Somebody?"), settings=IndexSettings(min_box_score=0.6))
    assert clip.person_share == 0.0


def test_persons_are_counted_by_frame_and_by_track() -> None:
    boxes = BoxTable(
        frame=np.array([0, 0, 1, *[3] * 7], np.int32),
        xyxy=np.zeros((10, 4), np.float32),
        score=np.array([0.9, 0.2, 0.9, *[0.9] * 7], np.float32),
        track=np.array([1, 2, 1, *range(3, 9), -1], np.int32),
        speaking=np.zeros(10, np.bool_),
    )
    counted = count_people(boxes, num_frames=5, min_score=0.35)
    assert counted.persons_per_frame == {"0": 2, "1": 2, "5+": 1}
    assert counted.num_tracks == 7
