import pickle
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose

from mien.media.video import read_frames
from mien.perception.centernet import SIDE, CenterNet, decode


def test_boxes_are_decoded_at_peaks_highest_first() -> None:
    score = np.zeros((4, 4), np.float32)
    score[1, 2], score[3, 0], score[0, 0] = 0.4, 0.9, 0.05
    reach = np.zeros((4, 4, 4), np.float32)
    reach[:, 1, 2], reach[:, 3, 0] = [1, 2, 3, 4], [0, 5, 6, 7]
    found = decode(score, reach, min_score=0.1)
    assert found.score.tolist() == pytest.approx([0.9, 0.4])
    assert found.xyxy.tolist() == [[0, 7, 6, 19], [7, 2, 11, 8]]


def test_detector_pickles_without_its_session() -> None:
    detector = CenterNet(threads=1)
    detector.detect(np.zeros((1, 32, 32, 3), np.uint8))
    assert len(pickle.dumps(detector)) < 500
    assert pickle.loads(pickle.dumps(detector)).threads == 1


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
