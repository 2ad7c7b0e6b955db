import pickle
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.media.video import read_frames
from mien.perception.centerface import CELL, WEIGHTS, CenterFace, decode
from mien.types import Detections

REAL = {"multi_face.jpg": 5, "sample1.jpg": 3, "sample2.jpg": 3, "astronaut.png": 1}


def faces_of(path: Path) -> tuple[np.ndarray, Detections]:
    """A real picture as it is stored, and the faces above the threshold."""
    detector = CenterFace(threads=1)
    (frame,) = read_frames(path, fps=8, short_side=256)
    (found,) = detector.detect(frame.rgb[None])
    keep = found.score >= detector.threshold
    assert found.landmarks is not None
    return frame.rgb, Detections(xyxy=found.xyxy[keep], score=found.score[keep], landmarks=found.landmarks[keep])


@given(
    row=st.integers(0, 5),
    column=st.integers(0, 7),
    middle=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    sides=st.tuples(st.floats(1, 60), st.floats(1, 60)),
    points=st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=5, max_size=5),
)
def test_what_a_cell_tells_of_is_decoded_as_published(
    row: int,
    column: int,
    middle: tuple[float, float],
    sides: tuple[float, float],
    points: list[tuple[float, float]],
) -> None:
    """Number by number, as the published code's loop has it, without its cutting at the picture's edge."""
    score, size = np.zeros((6, 8), np.float32), np.zeros((2, 6, 8), np.float32)
    offset, landmarks = np.zeros((2, 6, 8), np.float32), np.zeros((10, 6, 8), np.float32)
    score[row, column] = 0.7
    size[:, row, column] = np.log(sides)  # height, width
    offset[:, row, column] = middle  # y, x
    landmarks[:, row, column] = [share for x, y in points for share in (y, x)]
    found = decode(score, size, offset, landmarks, min_score=0.5)
    height, width = sides[0] * CELL, sides[1] * CELL
    x0 = (column + middle[1] + 0.5) * CELL - width / 2
    y0 = (row + middle[0] + 0.5) * CELL - height / 2
    assert found.score.tolist() == [np.float32(0.7)]
    assert_allclose(found.xyxy, [[x0, y0, x0 + width, y0 + height]], atol=1e-3)
    assert_allclose(found.landmarks, [[[x0 + x * width, y0 + y * height] for x, y in points]], atol=1e-3)


def test_faces_come_highest_first_and_low_scores_not_at_all() -> None:
    score = np.array([[0.4, 0.9], [0.05, 0.6]], np.float32)
    zeros = np.zeros((2, 2, 2), np.float32)
    found = decode(score, zeros, zeros, np.zeros((10, 2, 2), np.float32), min_score=0.1)
    assert found.score.tolist() == pytest.approx([0.9, 0.6, 0.4])
    assert found.xyxy[0].tolist() == [4, 0, 8, 4]


def test_detector_pickles_without_its_session() -> None:
    detector = CenterFace(threads=1)
    detector.detect(np.zeros((1, 32, 32, 3), np.uint8))
    assert len(pickle.dumps(detector)) < 500
    assert pickle.loads(pickle.dumps(detector)).threads == 1


def test_shipped_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 4e6


@pytest.mark.real_data
@pytest.mark.parametrize("name", sorted(REAL))
def test_faces_of_real_pictures_are_found_with_their_landmarks(name: str, real_data: Path) -> None:
    _, faces = faces_of(real_data / "people" / name)
    assert len(faces.score) == REAL[name]
    assert faces.landmarks is not None
    for (x0, y0, x1, y1), marks in zip(faces.xyxy, faces.landmarks, strict=True):
        left_eye, right_eye, nose, left_corner, right_corner = marks
        assert ((marks > [x0, y0]) & (marks < [x1, y1])).all()
        assert left_eye[0] < right_eye[0]
        assert left_corner[0] < right_corner[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_corner[1], right_corner[1])


@pytest.mark.real_data
def test_face_follows_the_picture_wherever_it_is_put(real_data: Path) -> None:
    picture, alone = faces_of(real_data / "people" / "astronaut.png")
    detector = CenterFace(threads=1)
    canvas = np.full((256, 512, 3), 127, np.uint8)
    canvas[:, 200:456] = picture
    (shifted,) = detector.detect(canvas[None])
    assert_allclose(shifted.xyxy[0] - [200, 0, 200, 0], alone.xyxy[0], atol=6)
    doubled = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    (found,) = detector.detect(doubled[None])
    assert found.landmarks is not None
    assert_allclose(found.landmarks[0] / 2, alone.landmarks[0], atol=3)
    (mirrored,) = detector.detect(np.ascontiguousarray(picture[None, :, ::-1]))
    assert mirrored.landmarks is not None
    assert_allclose(256 - mirrored.landmarks[0, [1, 0, 2, 4, 3], 0], alone.landmarks[0, :, 0], atol=4)


@pytest.mark.real_data
def test_shipped_graph_equals_the_published_one(real_data: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    published = onnxruntime.InferenceSession(
        str(real_data / "detectors" / "centerface.onnx"), options, providers=["CPUExecutionProvider"]
    )
    (frame,) = read_frames(real_data / "people" / "astronaut.png", fps=8, short_side=None)
    pictures = np.stack([cv2.resize(frame.rgb, (32, 32), interpolation=cv2.INTER_AREA)] * 10)  # the size it takes
    expected = published.run(None, {"input.1": pictures.transpose(0, 3, 1, 2).astype(np.float32)})
    names = ["score", "size", "offset", "landmarks"]
    for ours, theirs in zip(CenterFace(threads=1)._session.run(names, {"pixels": pictures}), expected, strict=True):
        assert_allclose(ours, theirs, atol=0.01)  # weights are kept as float16
