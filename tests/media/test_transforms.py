"""Crops: what is in a box before is in it after."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.media.transforms import (
    NORMALIZATION,
    Augment,
    Crop,
    Preprocess,
    centre_crop,
    crop_boxes_with,
    crop_frame,
    random_crop,
)

GEOMETRIES = ((90, 160), (96, 128), (160, 90), (64, 64))  # height, width
SIZE = 48


def frame_with_person(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    frame[y0:y1, x0:x1, 0] = 255
    return frame


@st.composite
def scenes(draw: st.DrawFn) -> tuple[int, int, tuple[int, int, int, int], Crop]:
    height, width = draw(st.sampled_from(GEOMETRIES))
    x0, y0 = draw(st.integers(0, width - 12)), draw(st.integers(0, height - 12))
    x1, y1 = draw(st.integers(x0 + 12, width)), draw(st.integers(y0 + 12, height))
    augment = Augment(crop=draw(st.floats(0.4, 1)), horizontal_flip=draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return height, width, (x0, y0, x1, y1), random_crop(augment, height=height, width=width, rng=rng)


@given(scene=scenes())
@settings(max_examples=150, deadline=None)
def test_box_stays_on_the_person_through_the_crop(scene: tuple[int, int, tuple[int, int, int, int], Crop]) -> None:
    height, width, box, crop = scene
    picture = crop_frame(frame_with_person(height, width, box), crop, size=SIZE)
    x0, y0, x1, y1 = crop_boxes_with(torch.tensor([box]).float(), crop, size=SIZE)[0].tolist()
    rows, columns = np.nonzero(picture[..., 0] > 127)
    slack = 1 + SIZE / crop.side  # half a pixel here, a pixel there: crops lie on whole pixels
    if not len(rows):
        assert min(x1 - x0, y1 - y0) <= slack
        return
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(found, (x0, y0, x1, y1), atol=slack)


@given(scene=scenes())
@settings(max_examples=50, deadline=None)
def test_random_crop_lies_in_the_picture(scene: tuple[int, int, tuple[int, int, int, int], Crop]) -> None:
    height, width, _, crop = scene
    assert min(crop.left, crop.top) >= 0
    assert crop.left + crop.side <= width + 1e-9
    assert crop.top + crop.side <= height + 1e-9


@pytest.mark.parametrize(("height", "width"), GEOMETRIES)
def test_centre_crop_is_the_largest_square_in_the_middle(height: int, width: int) -> None:
    crop = centre_crop(height=height, width=width)
    assert crop.side == min(height, width)
    assert crop.left == (width - crop.side) / 2
    assert crop.top == (height - crop.side) / 2
    assert not crop.flip


def test_whole_frame_of_the_right_size_is_untouched() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert (crop_frame(frame, Crop(left=0, top=0, side=SIZE), size=SIZE) == frame).all()


def test_flip_mirrors_picture_and_boxes_and_twice_is_none() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    crop = Crop(left=0, top=0, side=SIZE, flip=True)
    once = crop_frame(frame, crop, size=SIZE)
    assert (once == frame[:, ::-1]).all()
    assert (crop_frame(np.ascontiguousarray(once), crop, size=SIZE) == frame).all()
    boxes = torch.tensor([[3.0, 5.0, 20.0, 30.0]])
    flipped = crop_boxes_with(boxes, crop, size=SIZE)
    assert flipped.tolist() == [[28.0, 5.0, 45.0, 30.0]]
    assert torch.equal(crop_boxes_with(flipped, crop, size=SIZE), boxes)


@pytest.mark.parametrize("side", [30, 70])
def test_flat_picture_stays_flat_at_any_size(side: int) -> None:
    frame = np.full((80, 100, 3), 77, dtype=np.uint8)
    assert (crop_frame(frame, Crop(left=3.4, top=2.6, side=side), size=SIZE) == 77).all()


def test_half_of_the_clips_are_flipped_if_wanted_and_none_if_not() -> None:
    for wanted, expected in ((True, 0.5), (False, 0.0)):
        rng = np.random.default_rng(0)
        crops = [random_crop(Augment(horizontal_flip=wanted), height=90, width=160, rng=rng) for _ in range(800)]
        assert np.mean([c.flip for c in crops]) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("normalization", ["clip", "imagenet"])
def test_normalised_pixels_are_those_of_the_formula(normalization: str) -> None:
    pixels = torch.randint(0, 256, (2, 3, 3, 4, 4), dtype=torch.uint8)
    preprocess = Preprocess.model_validate({"image_size": 4, "normalization": normalization})
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in NORMALIZATION[normalization])
    found = preprocess.normalize(pixels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, (pixels.float() / 255 - mean) / std)


def test_grey_is_the_luma_of_a_colour_three_times() -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [10, 20, 30]], dtype=torch.uint8)[:, :, None, None]
    found = Preprocess(image_size=1, normalization="imagenet", grayscale=True).normalize(colours)[..., 0, 0]
    luma = torch.tensor([255 * 0.299, 255 * 0.587, 2.99 + 11.74 + 3.42])[:, None] / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(found, (luma - mean) / std)


@pytest.mark.parametrize("normalization", ["clip", "imagenet"])
def test_normalised_pixels_come_back_as_they_were_and_are_cut_off_outside(normalization: str) -> None:
    preprocess = Preprocess.model_validate({"normalization": normalization})
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(3, 16, 16)
    assert torch.equal(preprocess.denormalize(preprocess.normalize(pixels)), pixels)
    assert (
        preprocess.denormalize(torch.tensor([-100.0, 100.0]).reshape(1, 1, 2).repeat(3, 1, 1)).tolist()
        == [[[0, 255]]] * 3
    )
