import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.perception.tracking import KeyFrame, find_tracks, iou, link, spread, track_shots
from mien.types import BoxTable, Detections


def key(frame: int, *boxes: tuple[float, float, float, float], score: float = 0.5) -> KeyFrame:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return KeyFrame(frame=frame, found=Detections(xyxy=xyxy, score=np.full(len(boxes), score, np.float32)))


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


def test_the_greatest_overlap_in_all_is_linked_not_the_greatest_first() -> None:
    before = [np.array([0, 0, 10, 10], np.float32), np.array([4, 0, 14, 10], np.float32)]
    now = np.array([[3, 0, 13, 10], [7, 0, 17, 10]], np.float32)
    # overlaps: 0.54, 0.82 and 0.18, 0.54: the greedy 0.82 would leave 0.18, which is nobody
    assert link(before, now) == {0: 0, 1: 1}


def moments(*scored: tuple[float, float] | None, step: int = 1) -> list[KeyFrame]:
    """Key frames of one person at x with a score, or of nobody."""
    boxes = [() if at is None else ((at[0], 0.0, at[0] + 40, 100.0),) for at in scored]
    return [
        key(i * step, *box, score=at[1] if at else 0.0) for i, (box, at) in enumerate(zip(boxes, scored, strict=True))
    ]


def test_faint_boxes_keep_a_person_but_make_none() -> None:
    table = track_shots([moments((0, 0.9), (4, 0.2), (8, 0.7))], max_gap=0, min_score=0.35)
    assert table.track.tolist() == [0, 0, 0]
    assert table.xyxy[:, 0].tolist() == [0, 4, 8]  # the place of the faint box
    assert_allclose(table.score, [0.9, 0.8, 0.7])  # the certainty of its neighbours
    assert len(track_shots([moments((0, 0.2), (0, 0.3))], max_gap=8, min_score=0.35)) == 0


def test_faint_beginnings_and_ends_belong_to_the_person_with_their_own_scores() -> None:
    table = track_shots([moments((0, 0.1), (0, 0.2), (0, 0.9), (0, 0.3))], max_gap=8, min_score=0.35)
    assert table.track.tolist() == [0, 0, 0, 0]
    assert_allclose(table.score, [0.1, 0.2, 0.9, 0.3])


def test_a_faint_box_elsewhere_is_not_the_person() -> None:
    keys = [key(0, (0, 0, 40, 100)), key(1, (20, 0, 60, 100), score=0.2)]  # IoU 1/3: enough for a clear box only
    assert track_shots([keys], max_gap=8, min_score=0.35).frame.tolist() == [0]


def test_two_who_cross_keep_their_tracks() -> None:
    right = [(20.0 * i, 0.0, 20.0 * i + 40, 100.0) for i in range(12)]
    left = [(223.0 - 20 * i, 0.0, 263.0 - 20 * i, 100.0) for i in range(12)]
    tracks = find_tracks([key(i, *pair) for i, pair in enumerate(zip(right, left, strict=True))], max_gap=8)
    assert [set(track.boxes) for track in tracks] == [{0}, {1}]


def test_a_walker_hidden_for_a_while_is_met_where_the_pace_leads() -> None:
    keys = moments(*[(20.0 * i, 0.9) if i < 4 or i > 8 else None for i in range(12)])
    (track,) = find_tracks(keys, max_gap=8)
    assert track.keys == [0, 1, 2, 3, 9, 10, 11]
    assert len(find_tracks(keys, max_gap=5)) == 2


def test_any_columns_are_carried_along_a_track() -> None:
    keys = [key(0), key(4, (0, 0, 10, 10)), key(8, (0, 0, 10, 10))]
    (track,) = find_tracks(keys, max_gap=8)
    eyes = [np.zeros((0, 2)), np.array([[1.0, 10.0]]), np.array([[3.0, 30.0]])]
    frames, carried = spread(track, keys, eyes)
    assert frames.tolist() == [3, 4, 5, 6, 7, 8]
    assert_allclose(carried, [[1, 10], [1, 10], [1.5, 15], [2, 20], [2.5, 25], [3, 30]])


@st.composite
def shots(draw: st.DrawFn) -> list[KeyFrame]:
    frames = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
    place = st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(1, 80), st.integers(1, 80))
    keys = []
    for frame in frames:
        found = draw(st.lists(st.tuples(place, st.integers(0, 20)), max_size=5))
        xyxy = np.array([(x, y, x + w, y + h) for (x, y, w, h), _ in found], np.float32).reshape(-1, 4)
        persons = Detections(xyxy=xyxy, score=np.array([score / 20 for _, score in found], np.float32))
        keys.append(KeyFrame(frame=frame, found=persons))
    return keys


@settings(max_examples=100, deadline=None)
@given(keys=shots(), max_gap=st.integers(0, 20))
def test_every_clear_box_is_in_one_track_and_in_the_table(keys: list[KeyFrame], max_gap: int) -> None:
    tracks = find_tracks(keys, max_gap=max_gap, min_score=0.5)
    owned = [pair for track in tracks for pair in zip(track.keys, track.boxes, strict=True)]
    clear = {(n, i) for n, k in enumerate(keys) for i, score in enumerate(k.found.score) if score >= 0.5}
    assert len(owned) == len(set(owned))
    assert clear <= set(owned)
    assert all(set(zip(track.keys, track.boxes, strict=True)) & clear for track in tracks)
    assert all(a < b for track in tracks for a, b in zip(track.keys, track.keys[1:], strict=False))
    table = track_shots([keys], max_gap=max_gap, min_score=0.5)
    rows = {(int(f), *map(float, box)) for f, box in zip(table.frame, table.xyxy, strict=True)}
    assert {(keys[n].frame, *map(float, keys[n].found.xyxy[i])) for n, i in owned} <= rows
    assert np.all(np.diff(table.frame) >= 0)
    assert len(set(zip(table.frame.tolist(), table.track.tolist(), strict=True))) == len(table)


# ── the scores of bench/tracking.py ──────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = spec_from_file_location("bench_tracking", Path(__file__).parents[2] / "bench" / "tracking.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def table(*rows: tuple[int, int, float]) -> BoxTable:
    """Rows of frame, track, x."""
    x = np.array([row[2] for row in rows], np.float32)
    return BoxTable(
        frame=np.array([row[0] for row in rows], np.int32),
        xyxy=np.stack([x, 0 * x, x + 10, 0 * x + 10], axis=1),
        score=np.ones(len(rows), np.float32),
        track=np.array([row[1] for row in rows], np.int32),
        speaking=np.zeros(len(rows), np.bool_),
    )


def scored(bench: ModuleType, truth: BoxTable, found: BoxTable) -> dict[str, float]:
    result: dict[str, float] = bench.scores([bench.count(truth, found)])
    return result


def test_scores_of_the_truth_are_full(bench: ModuleType) -> None:
    truth = table((0, 1, 0), (0, 2, 50), (1, 1, 0), (1, 2, 50))
    full = dict.fromkeys(("IDF1", "IDP", "IDR", "MOTA", "recall", "precision"), 100.0)
    assert scored(bench, truth, truth) == full | {"switches": 0, "fragments": 0}


def test_a_person_found_as_two_is_one_switch_and_half_an_identity(bench: ModuleType) -> None:
    truth = table(*[(i, 1, 0) for i in range(10)])
    found = table(*[(i, 7 if i < 6 else 8, 0) for i in range(10)])
    row = scored(bench, truth, found)
    assert (row["IDF1"], row["IDP"], row["IDR"]) == (60, 60, 60)
    assert (row["MOTA"], row["switches"], row["fragments"]) == (90, 1, 0)


def test_a_hole_is_a_fragment_and_lowers_recall(bench: ModuleType) -> None:
    truth = table(*[(i, 1, 0) for i in range(10)])
    row = scored(bench, truth, table(*[(i, 7, 0) for i in range(10) if i not in (4, 5)]))
    assert (row["IDR"], row["IDP"], row["MOTA"], row["recall"]) == (80, 100, 80, 80)
    assert (row["switches"], row["fragments"]) == (0, 1)
    assert row["IDF1"] == round(200 * 8 / 18, 1)


def test_false_boxes_and_boxes_beside_cost_twice(bench: ModuleType) -> None:
    truth = table((0, 1, 0), (1, 1, 0))
    row = scored(bench, truth, table((0, 7, 0), (1, 7, 6), (2, 7, 0)))  # beside: IoU 0.25
    assert (row["MOTA"], row["recall"], row["precision"]) == (-50, 50, round(100 / 3, 1))
    assert row["IDF1"] == 40


def test_two_tracks_that_swap_are_two_switches(bench: ModuleType) -> None:
    truth = table(*[(i, person, 50 * person) for i in range(4) for person in (0, 1)])
    found = table(*[(i, person if i < 2 else 1 - person, 50 * person) for i in range(4) for person in (0, 1)])
    row = scored(bench, truth, found)
    assert (row["IDF1"], row["switches"], row["MOTA"]) == (50, 2, 75)
