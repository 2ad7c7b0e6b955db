import numpy as np

from mien.perception.detections import choose, highest_first, in_frame, without_doubles
from mien.perception.letterbox import fit_inside
from mien.types import Detections


def test_a_thing_found_twice_counts_once() -> None:
    xyxy = np.array([[0, 0, 100, 100], [3, 2, 99, 100], [60, 0, 160, 100]], np.float32)
    landmarks = np.arange(30, dtype=np.float32).reshape(3, 5, 2)
    found = Detections(xyxy=xyxy, score=np.array([0.9, 0.8, 0.7], np.float32), landmarks=landmarks)
    once = without_doubles(found, same_iou=0.6)
    assert once.xyxy[:, 0].tolist() == [0, 60]
    assert once.landmarks is not None
    assert once.landmarks[:, 0, 0].tolist() == [0, 20]
    assert len(without_doubles(choose(found, np.zeros(0, np.int64)), same_iou=0.6).score) == 0


def test_highest_score_comes_first_and_equals_keep_their_order() -> None:
    found = Detections(xyxy=np.arange(12, dtype=np.float32).reshape(3, 4), score=np.array([0.2, 0.5, 0.5], np.float32))
    assert highest_first(found).xyxy[:, 0].tolist() == [4, 8, 0]


def test_what_lies_outside_the_frame_is_no_more() -> None:
    box = fit_inside(frame_height=50, frame_width=100, input_height=100, input_width=100)
    found = Detections(
        xyxy=np.array([[10, 60, 40, 90], [-20, -10, 20, 30]], np.float32), score=np.array([0.9, 0.8], np.float32)
    )
    assert in_frame(found, box).xyxy.tolist() == [[0, 0, 20, 30]]
