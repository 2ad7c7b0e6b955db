import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.media.video import read_frames
from mien.perception.centernet import SIDE, CenterNet, decode, letterbox_for, without_doubles
from mien.perception.detector import DETECTORS, build_detector
from mien.types import Detections, MienError

SIDES = st.integers(16, 2000)


@given(height=SIDES, width=SIDES, corners=st.tuples(*[st.floats(0, 1)] * 4))
def test_box_comes_back_from_the_letterbox_where_it_was(
    height: int, width: int, corners: tuple[float, float, float, float]
) -> None:
    x0, x1 = sorted((corners[0] * width, corners[1] * width))
    y0, y1 = sorted((corners[2] * height, corners[3] * height))
    letterbox = letterbox_for(height=height, width=width)
    to_input = np.array([letterbox.width / width, letterbox.height / height] * 2)
    box = np.array([[x0, y0, x1, y1]], np.float32)
    assert_allclose(letterbox.to_frame((box * to_input).astype(np.float32)), box, atol=1e-3 * max(width, height) / 512)
    assert max(letterbox.width, letterbox.height) == SIDE


@pytest.mark.parametrize(("height", "width"), [(256, 455), (1080, 1920), (455, 256), (300, 300)])
def test_an_edge_in_the_frame_lies_where_the_letterbox_says(height: int, width: int) -> None:
    frame = np.zeros((height, width, 3), np.uint8)
    column, row = width // 3, height // 4
    frame[row:, column:] = 255
    letterbox = letterbox_for(height=height, width=width)
    grey = letterbox.apply(frame)[..., 0] / 255
    # Where the edge is, to a fraction of a pixel: what is dark of the row, and of the column, through the lit part.
    edge = [letterbox.width - grey[letterbox.height - 1].sum(), letterbox.height - grey[:, letterbox.width - 1].sum()]
    back = letterbox.to_frame(np.array([[*edge, letterbox.width, letterbox.height]], np.float32))
    assert_allclose(back[0], [column, row, width, height], atol=0.15)


def test_boxes_are_decoded_at_peaks_highest_first() -> None:
    score = np.zeros((4, 4), np.float32)
    score[1, 2], score[3, 0], score[0, 0] = 0.4, 0.9, 0.05
    reach = np.zeros((4, 4, 4), np.float32)
    reach[:, 1, 2], reach[:, 3, 0] = [1, 2, 3, 4], [0, 5, 6, 7]
    found = decode(score, reach, min_score=0.1)
    assert found.score.tolist() == pytest.approx([0.9, 0.4])
    assert found.xyxy.tolist() == [[0, 7, 6, 19], [7, 2, 11, 8]]


def test_a_person_found_twice_counts_once() -> None:
    xyxy = np.array([[0, 0, 100, 100], [3, 2, 99, 100], [60, 0, 160, 100]], np.float32)
    once = without_doubles(Detections(xyxy=xyxy, score=np.array([0.9, 0.8, 0.7], np.float32)))
    assert once.xyxy[:, 0].tolist() == [0, 60]
    assert len(without_doubles(Detections(xyxy=xyxy[:0], score=np.zeros(0, np.float32))).score) == 0


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_keeps_the_contract(name: str) -> None:
    detector = build_detector(name, threads=1)
    assert detector.id
    assert 0 < detector.threshold < 1
    assert detector.detect(np.zeros((0, 48, 64, 3), np.uint8)) == []
    frames = np.random.default_rng(0).integers(0, 256, (2, 120, 200, 3), np.uint8)
    found = detector.detect(frames)
    assert len(found) == 2
    for persons in found:
        assert (np.diff(persons.score) <= 0).all()
        assert (persons.xyxy >= 0).all()
        assert (persons.xyxy <= [200, 120, 200, 120]).all()


def test_detector_pickles_without_its_session() -> None:
    detector = CenterNet(threads=1)
    detector.detect(np.zeros((1, 32, 32, 3), np.uint8))
    assert len(pickle.dumps(detector)) < 500
    assert pickle.loads(pickle.dumps(detector)).threads == 1


def test_unknown_detector_is_named_with_those_there_are() -> None:
    with pytest.raises(MienError, match=r"no detector 'yolo'; there is centernet"):
        build_detector("yolo")


@pytest.mark.real_data
def test_persons_of_real_pictures_are_found(real_data: Path) -> None:
    detector = CenterNet(threads=1)
    counts = {}
    for name in ("multi_face.jpg", "sample1.jpg", "sample2.jpg", "astronaut.png"):
        (frame,) = read_frames(real_data / "people" / name, fps=8, short_side=256)
        (found,) = detector.detect(frame.rgb[None])
        counts[name] = int((found.score >= detector.threshold).sum())
    assert counts == {"multi_face.jpg": 5, "sample1.jpg": 3, "sample2.jpg": 3, "astronaut.png": 1}


@pytest.mark.real_data
def test_box_follows_the_person_wherever_the_picture_is_put(real_data: Path) -> None:
    (frame,) = read_frames(real_data / "people" / "astronaut.png", fps=8, short_side=256)
    detector = CenterNet(threads=1)
    (alone,) = detector.detect(frame.rgb[None])
    canvas = np.full((256, 512, 3), 127, np.uint8)
    canvas[:, 200:456] = frame.rgb
    (shifted,) = detector.detect(canvas[None])
    assert_allclose(shifted.xyxy[0] - [200, 0, 200, 0], alone.xyxy[0], atol=16)
    doubled = cv2.resize(frame.rgb, (512, 512), interpolation=cv2.INTER_CUBIC)
    assert_allclose(detector.detect(doubled[None])[0].xyxy[0] / 2, alone.xyxy[0], atol=6)


@pytest.mark.real_data
def test_shipped_graph_equals_the_straight_conversion(real_data: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    straight = onnxruntime.InferenceSession(
        str(real_data / "detectors" / "centernet.onnx"), providers=["CPUExecutionProvider"]
    )
    (frame,) = read_frames(real_data / "people" / "sample1.jpg", fps=8, short_side=None)
    picture = cv2.resize(frame.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    (expected,) = straight.run(None, {"image": picture[None].astype(np.float32)})
    expected = expected.reshape(-1, 6)
    expected = expected[(expected[:, 5] == 0) & (expected[:, 4] >= 0.1)]
    score, reach = CenterNet(threads=1)._session.run(None, {"pixels": picture[None]})
    found = decode(score[0, 0], reach[0], min_score=0.1)
    assert_allclose(found.xyxy, expected[:, :4], atol=0.01)
    assert_allclose(found.score, expected[:, 4], atol=1e-4)
