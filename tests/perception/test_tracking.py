import numpy as np
from numpy.testing import assert_allclose

from mien.perception.shots import find_shots
from mien.perception.tracking import KeyFrame, iou, link, track_shots
from mien.types import Detections


def key(frame: int, *boxes: tuple[float, float, float, float], score: float = 0.5) -> KeyFrame:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return KeyFrame(frame=frame, persons=Detections(xyxy=xyxy, score=np.full(len(boxes), score, np.float32)))


def test_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 10, 10], [5, 5, 5, 5]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [7, 7, 7, 7]], np.float32)
    assert_allclose(iou(a, b), [[1, 1 / 3, 0, 0], [0, 0, 0, 0]], atol=1e-7)


def test_greatest_overlap_is_linked_first() -> None:
    before = [np.array([0, 0, 10, 10], np.float32), np.array([4, 0, 14, 10], np.float32)]
    now = np.array([[3, 0, 13, 10], [50, 50, 60, 60]], np.float32)
    assert link(before, now) == {0: 1}


def test_boxes_move_linearly_between_detections() -> None:
    table = track_shots([[key(0, (0, 0, 100, 100)), key(4, (40, 0, 140, 100), score=0.9)]], max_gap=4)
    assert table.frame.tolist() == [0, 1, 2, 3, 4]
    assert table.xyxy[:, 0].tolist() == [0, 10, 20, 30, 40]
    assert_allclose(table.score, [0.5, 0.6, 0.7, 0.8, 0.9])
    assert set(table.track.tolist()) == {0}
    assert not table.speaking.any()


def test_person_missed_for_a_moment_stays_and_one_gone_for_long_is_new() -> None:
    box = (0.0, 0.0, 100.0, 100.0)
    table = track_shots([[key(0, box), key(1), key(2, box), *(key(i) for i in range(3, 9)), key(9, box)]], max_gap=4)
    assert table.frame.tolist() == [0, 1, 2, 9]
    assert table.track.tolist() == [0, 0, 0, 1]


def test_person_seen_in_one_key_frame_came_and_went_half_way() -> None:
    table = track_shots([[key(0), key(4, (0, 0, 100, 100)), key(7)]], max_gap=4)
    assert table.frame.tolist() == [3, 4, 5]
    crossing = track_shots([[key(0, (0, 0, 10, 10)), key(4, (90, 0, 100, 10))]], max_gap=4)
    assert crossing.frame.tolist() == [0, 1, 2, 3, 4]
    assert crossing.xyxy[:, 0].tolist() == [0, 0, 0, 90, 90]


def test_two_persons_keep_their_tracks_when_the_detector_changes_their_order() -> None:
    left, right = (0.0, 0.0, 40.0, 100.0), (60.0, 0.0, 100.0, 100.0)
    table = track_shots([[key(0, left, right), key(1, right, left)]], max_gap=1)
    assert table.xyxy[table.track == 0][:, 0].tolist() == [0, 0]
    assert table.xyxy[table.track == 1][:, 0].tolist() == [60, 60]


def test_nobody_is_followed_across_a_cut() -> None:
    box = (0.0, 0.0, 100.0, 100.0)
    table = track_shots([[key(0, box), key(3, box)], [key(4, box), key(5, box)]], max_gap=4)
    assert table.frame.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.track.tolist() == [0, 0, 0, 0, 1, 1]


def test_no_detections_give_an_empty_table() -> None:
    assert len(track_shots([[key(0), key(3)]], max_gap=4)) == 0
    assert len(track_shots([], max_gap=4)) == 0


def test_cuts_are_found_and_motion_is_not_a_cut() -> None:
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 256, (3, 16, 24, 3))
    still = np.concatenate([scenes[i] + rng.integers(0, 4, (n, 16, 24, 3)) for i, n in enumerate((10, 1, 12))])
    assert find_shots(np.clip(still, 0, 255).astype(np.uint8)) == [range(10), range(10, 11), range(11, 23)]
    wide = rng.integers(0, 256, (16, 100, 3)).astype(np.uint8)
    pan = np.stack([wide[:, i : i + 24] for i in range(40)])  # every picture differs a lot from the one before
    assert find_shots(pan) == [range(40)]


def test_shots_of_one_picture_and_of_two() -> None:
    one = np.zeros((1, 8, 8, 3), np.uint8)
    assert find_shots(one) == [range(1)]
    assert find_shots(np.concatenate([one, one])) == [range(2)]
