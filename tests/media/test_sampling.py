"""Which frames are taken: literal lists, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.sampling import evenly, frame_range, random_in_order, segment_midpoints

Sampler = Callable[[int, int], np.ndarray]
SAMPLERS: dict[str, Sampler] = {
    "evenly": lambda frames, count: evenly(frames, count=count),
    "random_in_order": lambda frames, count: random_in_order(frames, count=count, rng=np.random.default_rng(frames)),
    "segment_midpoints": lambda frames, count: segment_midpoints(frames, count=count),
}


@pytest.mark.parametrize("name", SAMPLERS)
@given(frames=st.integers(1, 500), count=st.integers(1, 40))
def test_indices_are_sorted_in_range_and_distinct_where_possible(name: str, frames: int, count: int) -> None:
    chosen = SAMPLERS[name](frames, count)
    assert chosen.shape == (count,)
    assert chosen.dtype == np.int64
    assert chosen[0] >= 0
    assert chosen[-1] < frames
    steps = np.diff(chosen)
    assert (steps >= (1 if frames >= count else 0)).all()


@pytest.mark.parametrize("name", SAMPLERS)
@given(frames=st.integers(1, 40))
def test_short_clips_give_every_frame(name: str, frames: int) -> None:
    assert set(SAMPLERS[name](frames, 2 * frames)) == set(range(frames))


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [
        (17, 3, [0, 8, 16]),
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (2, 4, [0, 0, 1, 1]),
        (1, 3, [0, 0, 0]),
        (9, 1, [0]),
        (24, 8, [0, 3, 7, 10, 13, 16, 20, 23]),
    ],
)
def test_even_samples(frames: int, count: int, expected: list[int]) -> None:
    assert evenly(frames, count=count).tolist() == expected


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [(16, 4, [2, 6, 10, 14]), (3, 1, [1]), (4, 4, [0, 1, 2, 3]), (2, 4, [0, 0, 1, 1]), (10, 4, [1, 3, 6, 8])],
)
def test_midpoints_of_segments(frames: int, count: int, expected: list[int]) -> None:
    assert segment_midpoints(frames, count=count).tolist() == expected


def test_random_samples_repeat_with_the_seed_and_vary_without() -> None:
    draws = [random_in_order(40, count=8, rng=np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_every_frame_is_drawn_about_equally_often() -> None:
    rng = np.random.default_rng(0)
    drawn = np.bincount(np.concatenate([random_in_order(10, count=4, rng=rng) for _ in range(2000)]), minlength=10)
    np.testing.assert_allclose(drawn / 2000, 0.4, atol=0.05)


@pytest.mark.parametrize(
    ("start_s", "end_s", "fps", "expected"),
    [
        (0.0, 1.0, 8.0, (0, 8)),
        (0.01, 1.01, 8.0, (1, 9)),
        (0.3, 0.6, 10.0, (3, 6)),
        (0.1 * 3, 0.2 * 3, 10.0, (3, 6)),
        (2.0, 2.0, 8.0, (16, 16)),
    ],
)
def test_frames_of_a_stretch(start_s: float, end_s: float, fps: float, expected: tuple[int, int]) -> None:
    assert frame_range(start_s, end_s, fps=fps) == expected
