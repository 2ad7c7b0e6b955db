from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mien.media.frames import FrameReader, FrameWriter
from mien.perception.keyframes import find_key_frames
from mien.perception.tracking import iou
from mien.prepare.boxes import BoxSettings, detect_boxes
from mien.types import Detections, VideoInfo

Box = tuple[float, float, float, float]
STILL = np.zeros((200, 12, 16), np.uint8)


def found(*boxes: Box, score: float = 0.9) -> Detections:
    return Detections(xyxy=np.array(boxes, np.float32).reshape(-1, 4), score=np.full(len(boxes), score, np.float32))


def keys(shot: range, look: Callable[[int], Detections], *, every: int = 8, sketches: np.ndarray = STILL) -> list[int]:
    looked: list[int] = []

    def counted(i: int) -> Detections:
        looked.append(i)
        return look(i)

    chosen = list(find_key_frames(shot, counted, sketches=sketches, every=every, min_score=0.35))
    frames = [key.frame for key in chosen]
    assert sorted(looked) == frames  # nobody looks twice, or in vain
    for key in chosen:
        assert_array_equal(key.found.xyxy, look(key.frame).xyxy)
    return frames


def test_what_is_still_takes_a_look_every_so_often() -> None:
    assert keys(range(10, 34), lambda i: found((0, 0, 50, 100))) == [10, 17, 25, 33]
    assert keys(range(3, 4), lambda i: found()) == [3]
    assert keys(range(3, 5), lambda i: found()) == [3, 4]


def test_a_coming_is_found_to_the_frame() -> None:
    frames = keys(range(17), lambda i: found((0, 0, 50, 100)) if i >= 5 else found(), every=16)
    assert {4, 5} <= set(frames)
    assert len(frames) == 6  # both ends, and one a halving


def test_who_fades_has_not_gone() -> None:
    assert keys(range(9), lambda i: found((0, 0, 50, 100), score=0.4 if i < 4 else 0.3)) == [0, 8]
    assert keys(range(9), lambda i: found((0, 0, 50, 100), score=0.4 if i < 4 else 0.2)) == [0, 2, 3, 4, 8]


def test_a_steady_walk_takes_one_look_half_way() -> None:
    assert keys(range(17), lambda i: found((0.5 * i, 0, 0.5 * i + 50, 100))) == [0, 8, 16]
    assert keys(range(17), lambda i: found((2 * i, 0, 2 * i + 50, 100))) == [0, 4, 8, 12, 16]


def test_a_turn_is_looked_at_more_closely() -> None:
    assert keys(range(9), lambda i: found((5 * abs(i - 6), 0, 5 * abs(i - 6) + 50, 100))) == [0, 2, 4, 8]


def test_there_and_back_again_is_seen_in_the_pictures() -> None:
    sketches = STILL.copy()
    sketches[3:6, :, 4:8] = 255
    assert keys(range(9), lambda i: found((0, 0, 50, 100)), sketches=STILL) == [0, 8]
    assert keys(range(9), lambda i: found((0, 0, 50, 100)), sketches=sketches) == [0, 4, 8]


def test_every_picture_is_a_key_frame_where_asked() -> None:
    assert keys(range(5, 12), lambda i: found(), every=1) == list(range(5, 12))


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 50),
    length=st.integers(1, 60),
    every=st.integers(1, 20),
    places=st.lists(st.sampled_from((0, 5, 80, None)), min_size=110, max_size=110),
)
def test_key_frames_span_the_shot_in_steps_no_longer_than_asked(
    start: int, length: int, every: int, places: Sequence[int | None]
) -> None:
    def look(i: int) -> Detections:
        x = places[i]
        return found() if x is None else found((x, 0, x + 50, 100))

    frames = keys(range(start, start + length), look, every=every)
    assert (frames[0], frames[-1]) == (start, start + length - 1)
    assert all(0 < b - a <= every for a, b in pairwise(frames))
    assert all(places[a] == places[b] or {places[a], places[b]} == {0, 5} for a, b in pairwise(frames) if b - a > 1)


# ── detect_boxes ─────────────────────────────────────────────────────────────────────────────────


@dataclass
class Lamp:
    """Finds the bright part of a picture, once."""

    id: str = "lamp"
    threshold: float = 0.35
    finds: str = "persons"
    looks: list[int] = field(default_factory=list)

    def detect(self, frames: np.ndarray) -> list[Detections]:
        self.looks.append(len(frames))
        (ys, xs) = np.nonzero(frames[0].mean(axis=2) > 128)
        box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)) if len(xs) else None
        return [found(box) if box else found()]


@pytest.fixture
def film(tmp_path: Path) -> FrameReader:
    """A light that stays for 24 pictures, walks for 24, and is gone for 24; twice as large in the source."""
    info = VideoInfo(
        source="a.mp4", source_width=512, source_height=512, source_duration_s=9, width=256, height=256, fps=8,
        num_frames=0,
    )  # fmt: skip
    with FrameWriter(tmp_path / "frames.arrow", info=info, made_with={}) as writer:
        for i in range(72):
            picture = np.zeros((256, 256, 3), np.uint8)
            x = 16 + 4 * min(max(i - 24, 0), 24)
            picture[64:192, x : x + 64] = 255 if i < 48 else 0
            writer.add(picture, time_s=i / 8)
    return FrameReader(tmp_path / "frames.arrow")


def test_few_looks_find_what_many_find(film: FrameReader) -> None:
    few, many = Lamp(), Lamp()
    told: list[float] = []
    sparse = detect_boxes(film, few, settings=BoxSettings(), on_fraction=told.append)
    dense = detect_boxes(film, many, settings=BoxSettings(every=1))
    assert len(many.looks) == 72
    assert len(few.looks) < 72 / 3
    assert sparse.frame.tolist() == dense.frame.tolist() == list(range(48))
    assert set(sparse.track.tolist()) == {0}
    assert np.diag(iou(sparse.xyxy, dense.xyxy)).min() > 0.9
    assert dense.xyxy[0].tolist() == [32, 128, 160, 384]
    assert told == sorted(told)
    assert told[-1] == 1.0
