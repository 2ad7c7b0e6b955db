"""The square around a face has the margin of the training pictures, wherever in the picture the face is."""

from __future__ import annotations

import numpy as np
import pytest

from mien.perception.face_crop import RISE, SIDE_PER_FACE, cut_face, face_square


def test_the_square_is_as_large_as_the_longer_side_asks_and_a_little_above_the_middle() -> None:
    x0, y0, x1, y1 = face_square(np.array([10.0, 20.0, 50.0, 80.0]))
    assert x1 - x0 == pytest.approx(60 * SIDE_PER_FACE) == pytest.approx(y1 - y0)
    assert (x0 + x1) / 2 == pytest.approx(30)
    assert (y0 + y1) / 2 == pytest.approx(50 - RISE * 60 * SIDE_PER_FACE)


@pytest.mark.parametrize("size", [24, 48, 200])
def test_the_cut_out_shows_what_is_in_the_square(size: int) -> None:
    picture = np.zeros((100, 120, 3), np.uint8)
    picture[20:80, 10:50] = 255  # the face: two thirds of the square across, as high as 60 of its 65 pixels
    cut = cut_face(picture, np.array([10.0, 20.0, 50.0, 80.0]), size=size)
    assert cut.shape == (size, size, 3)
    assert (cut > 128).mean() == pytest.approx(40 * 60 / (60 * SIDE_PER_FACE) ** 2, abs=0.03)


def test_beyond_the_picture_its_edge_goes_on() -> None:
    picture = np.tile(np.arange(60, dtype=np.uint8)[:, None, None], (1, 60, 3))
    cut = cut_face(picture, np.array([-20.0, -20.0, 20.0, 20.0]), size=44)
    assert (cut[:20] == 0).all()
    assert cut[-1, 0, 0] > 10
