"""Where everyone is between samples."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from mien.analyze.boxes_over_time import BoxesOverTime
from mien.analyze.record import Shot
from mien.analyze.timeline import Seen, Timeline, make_timeline

SHOTS = (Shot(start_s=0.0, end_s=1.25), Shot(start_s=1.5, end_s=2.5))


def timeline(rows: list[tuple[float, int, int, float]]) -> Timeline:
    """Rows of time, shot, track, left edge; boxes are 10 wide."""
    count = len(rows)
    left = np.array([row[3] for row in rows], np.float32)
    seen = Seen(
        time_s=np.array([row[0] for row in rows]),
        frame=np.arange(count),
        shot=np.array([row[1] for row in rows], np.int32),
        track=np.array([row[2] for row in rows], np.int32),
        source=("face",) * count,
        xyxy=np.stack([left, 0 * left, left + 10, 0 * left + 10], axis=1),
    )
    return make_timeline(
        seen, video="a", words=("joy",), probabilities=np.ones((count, 1)), numbers={}, min_confidence=0.0,
        model_of={"face": "m"}, detector_of={"face": "d"}, made_with={},
    )  # fmt: skip


def lefts(boxes: BoxesOverTime, times: list[float]) -> list[list[float]]:
    return [[float(box.xyxy[0]) for box in boxes.at(time_s)] for time_s in times]


def test_a_box_glides_from_sample_to_sample() -> None:
    boxes = BoxesOverTime(timeline([(0.0, 0, 0, 0.0), (0.25, 0, 0, 50.0)]), step_s=0.25, shots=SHOTS)
    assert_allclose(lefts(boxes, [0.0, 0.05, 0.25]), [[0.0], [10.0], [50.0]], atol=1e-5)


def test_who_comes_or_goes_is_there_half_a_step_longer() -> None:
    boxes = BoxesOverTime(timeline([(0.5, 0, 0, 0.0), (0.75, 0, 0, 0.0)]), step_s=0.25, shots=SHOTS)
    assert lefts(boxes, [0.3, 0.4, 0.85, 0.95]) == [[], [0.0], [0.0], []]


def test_nobody_is_shown_across_a_cut() -> None:
    """Of shot 0 the last picture looked at shows at 1.25 s, the first of shot 1 at 1.5 s: the cut is in between."""
    rows = [(1.0, 0, 0, 0.0), (1.25, 0, 0, 0.0), (1.5, 1, 1, 80.0), (1.75, 1, 1, 80.0)]
    boxes = BoxesOverTime(timeline(rows), step_s=0.25, shots=SHOTS)
    assert lefts(boxes, [1.2, 1.3, 1.45, 1.5]) == [[0.0], [], [], [80.0]]


def test_while_someone_is_not_seen_no_box_is_made_up() -> None:
    boxes = BoxesOverTime(timeline([(0.0, 0, 0, 0.0), (1.0, 0, 0, 40.0)]), step_s=0.25, shots=SHOTS)
    assert lefts(boxes, [0.1, 0.5, 0.95]) == [[0.0], [], [40.0]]


def test_nobody_at_all() -> None:
    assert lefts(BoxesOverTime(timeline([]), step_s=0.0, shots=SHOTS), [0.0, 1.0]) == [[], []]
