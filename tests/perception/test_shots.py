import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.perception.shots import overview


def scenes(*lengths: int) -> np.ndarray:
    """Stills of noise that trembles a little, one after the other."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 252, (len(lengths), 16, 24, 3))
    frames = [pictures[i] + rng.integers(0, 4, (n, 16, 24, 3)) for i, n in enumerate(lengths)]
    return np.concatenate(frames).astype(np.uint8)


def test_cuts_are_found() -> None:
    assert overview(scenes(10, 1, 12)).shots == [range(10), range(10, 11), range(11, 23)]


def test_motion_is_not_a_cut() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (16, 100, 3)).astype(np.uint8)
    pan = np.stack([wide[:, i : i + 24] for i in range(40)])  # every picture differs a lot from the one before
    assert overview(pan).shots == [range(40)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_videos_are_one_shot(count: int) -> None:
    assert overview(np.zeros((count, 8, 8, 3), np.uint8)).shots == [range(count)]


def test_a_video_without_pictures_has_no_shots() -> None:
    view = overview([])
    assert view.shots == []
    assert len(view.sketches) == 0


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6), seed=st.integers(0, 9))
def test_shots_hold_every_frame_once(lengths: list[int], seed: int) -> None:
    frames = np.random.default_rng(seed).permutation(scenes(*lengths))
    found = overview(frames).shots
    assert [i for shot in found for i in shot] == list(range(len(frames)))


def test_sketches_are_the_pictures_in_grey() -> None:
    halves = np.zeros((1, 24, 32, 3), np.uint8)
    halves[:, :, 16:] = (10, 200, 90)
    (sketch,) = overview(halves).sketches
    assert sketch.shape == (12, 16)
    assert set(sketch[:, :8].ravel().tolist()) == {0}
    assert set(sketch[:, 8:].ravel().tolist()) == {round(0.299 * 10 + 0.587 * 200 + 0.114 * 90)}


def test_thumbnails_are_not_held() -> None:
    def stream() -> Iterator[np.ndarray]:
        for i in range(1000):
            yield np.full((32, 57, 3), i % 256, np.uint8)

    tracemalloc.start()
    overview(stream())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000 * 32 * 57 * 3 / 3  # bytes; the sketches are a 28th of the thumbnails
