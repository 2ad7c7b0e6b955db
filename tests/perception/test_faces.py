import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.perception.faces import face_table, pair, persons_of, with_own_numbers
from mien.perception.tracking import KeyFrame
from mien.types import BoxTable, Detections

Box = tuple[float, float, float, float]


def key(frame: int, *faces: Box) -> KeyFrame:
    """Faces whose landmarks are corners and middle of their boxes."""
    xyxy = np.array(faces, np.float32).reshape(-1, 4)
    marks = np.stack([landmarks_of(box) for box in xyxy]) if len(xyxy) else np.zeros((0, 5, 2), np.float32)
    found = Detections(xyxy=xyxy, score=np.full(len(xyxy), 0.9, np.float32), landmarks=marks)
    return KeyFrame(frame=frame, found=found)


def landmarks_of(box: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x0, y1], [x1, y1]], np.float32)


def persons(rows: list[tuple[int, int, Box]]) -> BoxTable:
    """Rows of frame, track, box."""
    rows = sorted(rows, key=lambda row: row[:2])
    return BoxTable(
        frame=np.array([row[0] for row in rows], np.int32),
        xyxy=np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
        score=np.ones(len(rows), np.float32),
        track=np.array([row[1] for row in rows], np.int32),
        speaking=np.zeros(len(rows), np.bool_),
    )


def test_boxes_and_landmarks_glide_between_key_frames_in_source_pixels() -> None:
    first, last = (10.0, 10.0, 30.0, 40.0), (18.0, 10.0, 38.0, 40.0)
    table = face_table([[key(0, first), key(4, last)]], persons([]), scale=(2.0, 3.0), max_gap=4, min_score=0.5)
    assert table.frame.tolist() == [0, 1, 2, 3, 4]
    assert_allclose(table.xyxy[:, 0], [20, 24, 28, 32, 36])
    assert_allclose(table.xyxy[:, 1], 30)
    for box, marks in zip(table.xyxy, table.landmarks, strict=True):
        assert_allclose(marks, landmarks_of(box), atol=1e-4)
    assert table.track.tolist() == [0] * 5


def test_nothing_glides_across_a_cut() -> None:
    face = (10.0, 10.0, 30.0, 40.0)
    table = face_table([[key(0, face)], [key(5, face)]], persons([]), scale=(1.0, 1.0), max_gap=9, min_score=0.5)
    assert table.frame.tolist() == [0, 5]


def test_no_faces_make_an_empty_table() -> None:
    table = face_table([[key(0), key(4)]], persons([]), scale=(1.0, 1.0), max_gap=4, min_score=0.5)
    assert len(table) == 0
    assert table.landmarks.shape == (0, 5, 2)


def test_each_face_goes_to_the_person_whose_head_it_is() -> None:
    """Two persons side by side, boxes overlapping; the right one's face lies in both boxes."""
    left, right = (0.0, 0.0, 100.0, 200.0), (60.0, 10.0, 160.0, 200.0)
    faces = np.array([[90, 20, 120, 55], [35, 15, 65, 50]], np.float32)
    assert sorted(pair(faces, np.array([left, right], np.float32))) == [(0, 1), (1, 0)]


def test_a_face_outside_every_box_is_nobodys() -> None:
    boxes = np.array([[0, 0, 50, 100]], np.float32)
    assert pair(np.array([[200, 0, 220, 30]], np.float32), boxes) == []
    assert pair(np.array([[45, 0, 75, 30]], np.float32), boxes) == []  # its middle is at 60


@settings(max_examples=40)
@given(
    faces=st.lists(st.tuples(*[st.floats(0, 100, width=32)] * 2), max_size=4),
    boxes=st.lists(st.tuples(*[st.floats(0, 100, width=32)] * 4), max_size=4),
)
def test_as_many_pairs_as_can_be_and_each_holds_its_face(faces: list, boxes: list) -> None:
    small = np.array([[x - 1, y - 1, x + 1, y + 1] for x, y in faces], np.float32).reshape(-1, 4)
    large = np.array([[*np.minimum(b[:2], b[2:]), *np.maximum(b[:2], b[2:])] for b in boxes], np.float32).reshape(-1, 4)
    pairs = pair(small, large)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    middle = (small[:, None, :2] + small[:, None, 2:]) / 2  # f 1 2
    holds = ((large[:, :2] <= middle) & (middle <= large[:, 2:])).all(axis=2)  # f p
    holds &= (large[:, 2:] - large[:, :2] >= 1).all(axis=1)
    assert all(holds[i, j] for i, j in pairs)
    assert len(pairs) >= most_pairs(holds.tolist())


def most_pairs(holds: list[list[bool]]) -> int:
    """The greatest number of pairs, by trying all."""
    if not holds:
        return 0
    rest = most_pairs(holds[1:])
    taken = [1 + most_pairs([[h for k, h in enumerate(row) if k != j] for row in holds[1:]])
             for j, can in enumerate(holds[0]) if can]  # fmt: skip
    return max([rest, *taken])


def test_majority_over_its_track_decides_whose_face_it_is() -> None:
    """For one frame of five, another person's box fits better; that person has no other face."""
    mine, other = (0.0, 0.0, 100.0, 200.0), (300.0, 0.0, 400.0, 200.0)
    rows = [(f, 7, mine) for f in range(5)] + [(f, 8, other if f != 2 else mine) for f in range(5)]
    rows = [row if row != (2, 7, mine) else (2, 7, (20.0, 0.0, 200.0, 300.0)) for row in rows]
    frame = np.arange(5, dtype=np.int32)
    xyxy = np.tile(np.array([[35, 20, 65, 60]], np.float32), (5, 1))
    alone = persons_of(frame, xyxy, np.arange(5, dtype=np.int32), persons(rows))
    assert alone.tolist() == [7, 7, 8, 7, 7]
    assert persons_of(frame, xyxy, np.zeros(5, np.int32), persons(rows)).tolist() == [7] * 5


def test_where_the_usual_person_is_gone_the_one_there_is_taken() -> None:
    box = (0.0, 0.0, 100.0, 200.0)
    rows = [(f, 1, box) for f in range(3)] + [(3, 2, box)]
    xyxy = np.tile(np.array([[35, 20, 65, 60]], np.float32), (5, 1))
    found = persons_of(np.arange(5, dtype=np.int32), xyxy, np.zeros(5, np.int32), persons(rows))
    assert found.tolist() == [1, 1, 1, 2, -1]


def test_a_face_that_is_nobodys_has_a_number_after_the_persons_which_stays() -> None:
    near, far = (10.0, 10.0, 30.0, 40.0), (210.0, 10.0, 230.0, 40.0)
    rows = persons([(f, 4, (0.0, 0.0, 100.0, 200.0)) for f in range(5)])
    table = face_table([[key(0, near, far), key(4, near, far)]], rows, scale=(1.0, 1.0), max_gap=4, min_score=0.5)
    assert table.track.tolist() == [4, 5] * 5


def test_a_persons_face_stays_his_where_the_body_is_not_found() -> None:
    person, frame = np.array([1, 1, 1, -1], np.int32), np.arange(4, dtype=np.int32)
    assert with_own_numbers(person, frame, np.zeros(4, np.int32), first=2).tolist() == [1, 1, 1, 1]


def test_but_not_if_he_has_another_face_there() -> None:
    person, frame = np.array([1, 1, -1, 1], np.int32), np.array([0, 1, 2, 2], np.int32)
    assert with_own_numbers(person, frame, np.array([0, 0, 0, 9], np.int32), first=2).tolist() == [1, 1, 2, 1]


@pytest.mark.parametrize("seed", range(5))
def test_no_two_faces_of_a_frame_are_one_persons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (f, t, (float(x), 0.0, float(x + 60), 100.0)) for f in range(6) for t, x in enumerate(rng.uniform(0, 60, 3))
    ]
    frame = np.repeat(np.arange(6, dtype=np.int32), 4)
    corner = rng.uniform(0, 80, (24, 2))
    xyxy = np.concatenate([corner, corner + 20], axis=1).astype(np.float32)
    person = persons_of(frame, xyxy, rng.integers(0, 5, 24).astype(np.int32), persons(rows))
    for f in range(6):
        named = [p for p in person[frame == f].tolist() if p >= 0]
        assert len(named) == len(set(named))
    assert (person >= 0).any()
