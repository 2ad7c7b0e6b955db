"""Coverage against drawn pixels, and boxes through scaling and cropping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mien.media.boxes import coverage, crop_boxes, scale_boxes

GEOMETRIES = {"16:9": (72, 128), "4:3": (96, 128), "portrait": (128, 72), "square": (96, 96)}
FINENESS = 4  # the drawings have so many pixels along a pixel of the picture

quarter_pixels = st.integers(-40 * FINENESS, 170 * FINENESS).map(lambda i: i / FINENESS)
boxes_strategy = st.lists(st.tuples(*[quarter_pixels] * 4), min_size=1, max_size=4)


def drawn_coverage(boxes: Tensor, *, height: int, width: int, patch: int) -> Tensor:
    """Each patch's mean over a picture in which the boxes' pixels are 1."""
    picture = np.zeros((height * FINENESS, width * FINENESS))
    for x0, y0, x1, y1 in (boxes * FINENESS).round().int().tolist():
        picture[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 1
    side = patch * FINENESS
    picture = picture[: height // patch * side, : width // patch * side]
    return torch.from_numpy(picture.reshape(height // patch, side, width // patch, side).mean(axis=(1, 3)))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@given(rows=boxes_strategy, patch=st.sampled_from([8, 12, 32]))
@settings(max_examples=25, deadline=None)
def test_coverage_equals_drawn_pixels(geometry: str, rows: list[tuple[float, ...]], patch: int) -> None:
    height, width = GEOMETRIES[geometry]
    boxes = torch.tensor(rows, dtype=torch.float64)
    found = coverage(boxes, height=height, width=width, patch=patch)
    torch.testing.assert_close(found, drawn_coverage(boxes, height=height, width=width, patch=patch), atol=1e-9, rtol=0)


def test_coverage_of_a_batch_is_that_of_its_members() -> None:
    boxes = torch.rand(2, 3, 4, 4) * 64
    boxes[..., 2:] += boxes[..., :2]
    found = coverage(boxes, height=64, width=96, patch=16)
    assert found.shape == (2, 3, 4, 6)
    torch.testing.assert_close(found[1, 2], coverage(boxes[1, 2], height=64, width=96, patch=16))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([0, 0, 4, 4], [[1, 0], [0, 0]]),
        ([0, 0, 8, 8], [[1, 1], [1, 1]]),
        ([2, 0, 6, 4], [[0.5, 0.5], [0, 0]]),
        ([3, 3, 5, 5], [[1 / 16] * 2] * 2),
        ([-9, -9, 0, 0], [[0, 0], [0, 0]]),
        ([0, 0, 0, 0], [[0, 0], [0, 0]]),
        ([6, 6, 2, 2], [[0, 0], [0, 0]]),
    ],
)
def test_coverage_of_one_box(box: list[float], expected: list[list[float]]) -> None:
    found = coverage(torch.tensor([box]).float(), height=8, width=8, patch=4)
    torch.testing.assert_close(found, torch.tensor(expected).float())


def test_coverage_is_exact_under_autocast() -> None:
    boxes = torch.tensor([[3.3, 1.7, 200.9, 99.1], [120.3, 40.2, 130.6, 223.4]])
    size = {"height": 224, "width": 224, "patch": 32}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = coverage(boxes, **size)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, coverage(boxes.double(), **size).float())
    assert coverage(boxes.bfloat16(), **size).dtype == torch.float32


def test_overlapping_boxes_count_once() -> None:
    box = torch.tensor([[1.0, 1.0, 6.5, 7.0]])
    torch.testing.assert_close(
        coverage(box.repeat(3, 1), height=8, width=8, patch=4), coverage(box, height=8, width=8, patch=4)
    )


def test_coverage_has_gradients_to_the_edges() -> None:
    boxes = torch.tensor([[1.3, 2.1, 6.7, 7.2], [5.1, 0.4, 11.2, 6.6]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: coverage(b, height=12, width=12, patch=4), (boxes,))


@given(rows=boxes_strategy, x=st.floats(0.1, 8), y=st.floats(0.1, 8))
@settings(deadline=None)
def test_scaling_there_and_back_changes_nothing(rows: list[tuple[float, ...]], x: float, y: float) -> None:
    boxes = torch.tensor(rows, dtype=torch.float64)
    torch.testing.assert_close(scale_boxes(scale_boxes(boxes, x=x, y=y), x=1 / x, y=1 / y), boxes)


@given(rows=boxes_strategy, left=st.integers(0, 60), top=st.integers(0, 60))
@settings(deadline=None)
def test_cropped_boxes_moved_back_are_the_parts_inside(rows: list[tuple[float, ...]], left: int, top: int) -> None:
    boxes = torch.tensor(rows, dtype=torch.float64)
    cropped = crop_boxes(boxes, left=left, top=top, width=40, height=30)
    assert (cropped >= 0).all()
    assert (cropped[:, [0, 2]] <= 40).all()
    assert (cropped[:, [1, 3]] <= 30).all()
    inside = boxes.clamp(
        min=torch.tensor([left, top, left, top], dtype=torch.float64),
        max=torch.tensor([left + 40, top + 30, left + 40, top + 30], dtype=torch.float64),
    )
    torch.testing.assert_close(cropped + torch.tensor([left, top, left, top], dtype=torch.float64), inside)


def test_box_outside_the_crop_covers_nothing() -> None:
    cropped = crop_boxes(torch.tensor([[0.0, 0.0, 10.0, 10.0]]), left=20, top=0, width=16, height=16)
    assert (coverage(cropped, height=16, width=16, patch=4) == 0).all()
