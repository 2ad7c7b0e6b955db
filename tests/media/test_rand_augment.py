"""RandAugment's operations, one by one, and what they do to boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mien.media.distort import Distortions
from mien.media.rand_augment import COLOURS, MOVES, STRONGEST, draw_operations, matrix_of, recolour

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def test_all_fourteen_operations_are_drawn_both_ways() -> None:
    rng = np.random.default_rng(0)
    drawn = [operation for _ in range(400) for operation in draw_operations(rng, count=2, strength=9.0)]
    assert {name for name, _ in drawn} == {"identity", *MOVES, *COLOURS}
    assert len({"identity", *MOVES, *COLOURS}) == 14
    assert {round(value, 6) for _, value in drawn} == {0.3, -0.3}


@pytest.mark.parametrize("name", [name for name in COLOURS if name not in ("autocontrast", "equalize")])
def test_no_strength_changes_nothing(name: str) -> None:
    found = recolour(PICTURE, [(name, 0.0)])
    inverted = PICTURE == 255 if name == "solarize" else np.zeros_like(PICTURE, bool)
    assert np.array_equal(found[~inverted], PICTURE[~inverted])


def test_colours_change_as_their_names_say() -> None:
    half = PICTURE // 2 + 20
    assert recolour(half, [("brightness", 0.5)]).mean() > half.mean() > recolour(half, [("brightness", -0.5)]).mean()
    assert recolour(half, [("contrast", -0.5)]).std() < half.std() < recolour(half, [("contrast", 0.5)]).std()
    spread = half.std(axis=2).mean()
    assert recolour(half, [("color", -0.9)]).std(axis=2).mean() < 0.2 * spread
    smooth, sharp = recolour(half, [("sharpness", -1.0)]), recolour(half, [("sharpness", 1.0)])
    assert np.abs(np.diff(smooth.astype(int), axis=0)).mean() < np.abs(np.diff(sharp.astype(int), axis=0)).mean()
    assert set(np.unique(recolour(PICTURE, [("posterize", 1.0)])) % 16) == {0}
    assert np.array_equal(recolour(PICTURE, [("solarize", -1.0)]), 255 - PICTURE)
    stretched = recolour(half, [("autocontrast", 1.0)])
    assert (stretched.min(), stretched.max()) == (0, 255)
    even = recolour(np.sort(half.reshape(-1)).reshape(half.shape) // 3, [("equalize", 1.0)])
    assert even.max() - even.min() > 200
    flat = np.full((4, 4, 3), 7, np.uint8)
    assert np.array_equal(recolour(flat, [("autocontrast", 1.0)]), flat)


def test_moves_leave_the_centre_and_move_the_rest() -> None:
    centre = np.array([7.5, 7.5, 1])
    for name in ("shear_x", "shear_y", "rotate"):
        matrix = matrix_of([(name, 0.5)], size=16)
        np.testing.assert_allclose(matrix @ centre, centre, atol=1e-9)
        assert not np.allclose(matrix, np.eye(3))
    np.testing.assert_allclose(matrix_of([("translate_x", 0.5)], size=16) @ centre, [7.5 + 8 * 150 / 331, 7.5, 1])
    turned = matrix_of([("rotate", 1.0), ("rotate", -1.0)], size=16)
    np.testing.assert_allclose(turned, np.eye(3), atol=1e-9)


def test_boxes_move_with_what_they_hold() -> None:
    white = np.zeros((64, 64, 3), np.uint8)
    white[20:30, 24:40] = 255
    settings = Distortions(random_operations=2, random_strength=STRONGEST / 3)
    for seed in range(30):
        distortion = settings.draw(np.random.default_rng(seed), size=64)
        if any(name in COLOURS for name, _ in distortion.operations):
            continue
        (box,) = distortion.boxes(torch.tensor([[24.0, 20.0, 40.0, 30.0]]), size=64)
        moved = cv2.cvtColor(distortion.picture(white), cv2.COLOR_RGB2GRAY) > 128
        rows, columns = np.flatnonzero(moved.any(axis=1)), np.flatnonzero(moved.any(axis=0))
        if len(rows) and columns[0] > 0 and columns[-1] < 63 and rows[0] > 0 and rows[-1] < 63:
            found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            np.testing.assert_allclose(box.numpy(), found, atol=2.0)


def test_none_are_drawn_unless_asked_for() -> None:
    assert not Distortions().changes_anything
    assert Distortions(random_operations=1).changes_anything
    assert Distortions(rotation=5.0).draw(np.random.default_rng(0), size=8).operations == ()
