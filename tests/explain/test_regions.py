"""Regions of a face: they follow its landmarks, turn with it, and cover it once."""

from __future__ import annotations

import numpy as np
import pytest

from mien.explain.regions import REGIONS, face_regions
from mien.perception.face_crop import cut_face, points_in_cut

FRONTAL = np.array([[15, 18], [33, 18], [24, 27], [17, 36], [31, 36]], np.float32)


def middle(mask: np.ndarray) -> np.ndarray:
    """x, y"""
    return np.argwhere(mask).mean(axis=0)[::-1] + 0.5


def turned(points: np.ndarray, *, degrees: float) -> np.ndarray:
    """Around the picture's middle."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((points - 24) @ turn.T + 24).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 25, -40, 180])
def test_regions_share_no_pixel_cover_all_and_hold_their_landmarks(degrees: float) -> None:
    marks = turned(FRONTAL, degrees=degrees)
    regions = face_regions(marks, size=48)
    assert tuple(regions) == REGIONS
    assert (sum(mask.astype(int) for mask in regions.values()) == 1).all()
    for name, rows in (("eyes and brows", [0, 1]), ("nose", [2]), ("mouth", [3, 4])):
        for x, y in marks[rows]:
            assert regions[name][int(y), int(x)], name


def test_regions_turn_with_the_face() -> None:
    upright, tilted = (face_regions(turned(FRONTAL, degrees=angle), size=48) for angle in (0, 30))
    for name in ("eyes and brows", "mouth"):
        expected = turned(middle(upright[name])[None], degrees=30)[0]
        assert middle(tilted[name]) == pytest.approx(expected, abs=0.7)
        assert tilted[name].sum() == pytest.approx(upright[name].sum(), rel=0.1)


def test_landmarks_in_one_place_make_no_error() -> None:
    regions = face_regions(np.full((5, 2), 24, np.float32), size=48)
    assert sum(mask.sum() for mask in regions.values()) == 48 * 48


def test_points_are_where_they_are_seen_in_the_cut_out_face() -> None:
    picture = np.zeros((100, 120, 3), np.uint8)
    picture[40:44, 60:64] = 255
    box = np.array([40.0, 20, 80, 70])
    cut = cut_face(picture, box, size=48)
    seen = middle(cut[..., 0] > 127)
    assert points_in_cut(np.array([[62.0, 42.0]]), box, size=48)[0] == pytest.approx(seen, abs=0.8)
