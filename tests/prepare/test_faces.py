from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mien.media.frames import FrameReader, FrameWriter
from mien.perception.detector import build_detector
from mien.prepare.boxes import BoxSettings, detect_boxes
from mien.prepare.faces import FaceSettings, detect_faces, mark_speakers
from mien.prepare.frames import FrameSettings, make_frames
from mien.types import BoxTable, Detections, FaceTable, MienError, Sentence, VideoInfo

HEIGHT, WIDTH = 96, 160
SCALE = 2.0  # source pixels a stored one is


class SquareFinder:
    """Takes the white square of a picture for a face, its corners and middle for landmarks."""

    id = "square"
    finds: Literal["persons", "faces"] = "faces"
    threshold = 0.5

    def __init__(self) -> None:
        self.num_looks = 0

    def detect(self, frames: np.ndarray) -> list[Detections]:
        self.num_looks += len(frames)
        return [self._one(frame) for frame in frames]

    def _one(self, frame: np.ndarray) -> Detections:
        rows, columns = np.nonzero(frame[..., 0] > 200)
        if not len(rows):
            return Detections(
                xyxy=np.zeros((0, 4), np.float32),
                score=np.zeros(0, np.float32),
                landmarks=np.zeros((0, 5, 2), np.float32),
            )
        x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        marks = [[x0, y0], [x1, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x0, y1], [x1, y1]]
        return Detections(
            xyxy=np.array([[x0, y0, x1, y1]], np.float32),
            score=np.array([0.9], np.float32),
            landmarks=np.array([marks], np.float32),
        )


def store_of(path: Path, pictures: list[np.ndarray]) -> FrameReader:
    info = VideoInfo(
        source="made.mp4", source_width=int(WIDTH * SCALE), source_height=int(HEIGHT * SCALE), source_duration_s=1.0,
        width=WIDTH, height=HEIGHT, fps=8.0, num_frames=0,
    )  # fmt: skip
    with FrameWriter(path, info=info, made_with={}) as writer:
        for i, picture in enumerate(pictures):
            writer.add(picture, time_s=i / 8)
    return FrameReader(path)


def square_at(x: int, *, level: int = 40) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    picture[16:40, x : x + 24] = 255
    return picture


def one_person(num_frames: int, *, track: int = 5) -> BoxTable:
    return BoxTable(
        frame=np.arange(num_frames, dtype=np.int32),
        xyxy=np.tile(np.array([[0, 0, WIDTH * SCALE, HEIGHT * SCALE]], np.float32), (num_frames, 1)),
        score=np.ones(num_frames, np.float32),
        track=np.full(num_frames, track, np.int32),
        speaking=np.zeros(num_frames, np.bool_),
    )


def test_faces_are_followed_between_key_frames_in_source_pixels(tmp_path: Path) -> None:
    reader = store_of(tmp_path / "frames.arrow", [square_at(32 + 2 * i) for i in range(17)])
    finder, told = SquareFinder(), list[float]()
    faces = detect_faces(reader, finder, one_person(17), settings=FaceSettings(), on_fraction=told.append)
    assert faces.frame.tolist() == list(range(17))
    assert_allclose(faces.xyxy[:, 0], [SCALE * (32 + 2 * i) for i in range(17)], atol=1.5)
    assert_allclose(faces.landmarks[:, 2, 0], faces.xyxy[:, [0, 2]].mean(axis=1), atol=1e-3)
    assert set(faces.track.tolist()) == {5}
    assert finder.num_looks < 17
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_nothing_glides_across_a_cut(tmp_path: Path) -> None:
    before, after = [square_at(16)] * 8, [square_at(120, level=160)] * 8
    reader = store_of(tmp_path / "frames.arrow", before + after)
    faces = detect_faces(reader, SquareFinder(), one_person(16), settings=FaceSettings())
    assert_allclose(faces.xyxy[:8, 0], 16 * SCALE, atol=2)
    assert_allclose(faces.xyxy[8:, 0], 120 * SCALE, atol=2)


@pytest.mark.parametrize("every", [4, 12])
@pytest.mark.parametrize(("missed", "found"), [(3, 17), (6, 11)])
def test_a_face_missed_for_half_a_second_has_stayed_however_seldom_is_looked(
    tmp_path: Path, every: int, missed: int, found: int
) -> None:
    """At 8 pictures a second, half a second is 4: from the last with the face to the next."""
    nothing = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    pictures = [square_at(32)] * 7 + [nothing] * missed + [square_at(32)] * (10 - missed)
    reader = store_of(tmp_path / "frames.arrow", pictures)
    faces = detect_faces(reader, SquareFinder(), one_person(17), settings=FaceSettings(every=every))
    assert len(faces) == found


def test_pictures_without_faces_make_an_empty_table(tmp_path: Path) -> None:
    reader = store_of(tmp_path / "frames.arrow", [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 5)
    assert len(detect_faces(reader, SquareFinder(), one_person(5), settings=FaceSettings())) == 0
    assert len(detect_faces(reader, build_detector("centerface"), one_person(5), settings=FaceSettings())) == 0


def test_a_detector_of_persons_is_turned_away(tmp_path: Path) -> None:
    reader = store_of(tmp_path / "frames.arrow", [square_at(16)])
    with pytest.raises(MienError, match="finds persons, not faces; take centerface"):
        detect_faces(reader, build_detector("centernet"), one_person(1), settings=FaceSettings())


def test_whoever_is_alone_is_marked_without_a_look(tmp_path: Path) -> None:
    reader = store_of(tmp_path / "frames.arrow", [square_at(16)] * 16)
    boxes = one_person(16)
    nobody = detect_faces(reader, SquareFinder(), boxes, settings=FaceSettings(min_score=1.0))
    assert len(nobody) == 0
    marked = mark_speakers(reader, boxes, nobody, [Sentence(start_s=0.5, end_s=1.0, text="so")])
    assert marked.frame[marked.speaking].tolist() == [4, 5, 6, 7]
    assert not boxes.speaking.any()


# ── real videos ──────────────────────────────────────────────────────────────────────────────────

Prepare = Callable[[str], tuple[FrameReader, BoxTable, FaceTable]]


@pytest.fixture
def prepare(real_data: Path, tmp_path: Path) -> Prepare:
    def run(name: str) -> tuple[FrameReader, BoxTable, FaceTable]:
        out = tmp_path / f"{name}.arrow"
        make_frames(real_data / "people" / name, out, settings=FrameSettings(), made_with={}, threads=1)
        reader = FrameReader(out)
        boxes = detect_boxes(reader, build_detector("centernet", threads=1), settings=BoxSettings())
        faces = detect_faces(reader, build_detector("centerface", threads=1), boxes, settings=FaceSettings())
        return reader, boxes, faces

    return run


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "count"), [("multi_face.jpg", 5), ("sample1.jpg", 3), ("astronaut.png", 1)])
def test_each_face_of_a_picture_has_a_person_of_its_own(name: str, count: int, prepare: Prepare) -> None:
    _, boxes, faces = prepare(name)
    assert len(faces) == count
    assert len(set(faces.track.tolist())) == count
    assert set(faces.track.tolist()) <= set(boxes.track.tolist())


@pytest.mark.real_data
def test_there_is_no_face_where_there_is_none(prepare: Prepare) -> None:
    assert len(prepare("no_face.mp4")[2]) == 0


@pytest.mark.slow
@pytest.mark.real_data
def test_a_face_stays_one_persons_through_a_video(prepare: Prepare) -> None:
    reader, _, faces = prepare("WolfgangLanger_Pexels.mp4")
    assert len(np.unique(faces.frame)) >= 0.95 * len(reader)
    assert (faces.track == np.bincount(faces.track).argmax()).mean() > 0.95
