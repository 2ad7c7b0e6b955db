import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mien.perception.letterbox import Letterbox, fit_inside, fit_long_side, stretch

SIDES = st.integers(1, 2000)
WAYS = ("inside", "long_side", "stretch")


def letterbox(way: str, *, height: int, width: int) -> Letterbox:
    match way:
        case "inside":
            return fit_inside(frame_height=height, frame_width=width, input_height=384, input_width=512, fill=114)
        case "long_side":
            return fit_long_side(frame_height=height, frame_width=width, long_side=512, multiple=32)
    return stretch(frame_height=height, frame_width=width, input_height=320, input_width=640)


@pytest.mark.parametrize("way", WAYS)
@given(height=SIDES, width=SIDES, corners=st.tuples(*[st.floats(0, 1)] * 4))
def test_box_comes_back_from_the_letterbox_where_it_was(
    way: str, height: int, width: int, corners: tuple[float, float, float, float]
) -> None:
    x0, x1 = sorted((corners[0] * width, corners[1] * width))
    y0, y1 = sorted((corners[2] * height, corners[3] * height))
    box = letterbox(way, height=height, width=width)
    to_input = np.array([box.width / width, box.height / height] * 2)
    there = (np.array([[x0, y0, x1, y1]]) * to_input).astype(np.float32)
    assert_allclose(box.to_frame(there), [[x0, y0, x1, y1]], atol=1e-3 * max(width, height) / 320)
    assert_allclose(box.points_to_frame(there.reshape(1, 2, 2)), [[[x0, y0], [x1, y1]]], atol=1e-5 * 2000)
    assert 1 <= box.width <= box.input_width
    assert 1 <= box.height <= box.input_height


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("height", "width"), [(256, 455), (1080, 1920), (455, 256), (300, 300)])
def test_an_edge_in_the_frame_lies_where_the_letterbox_says(way: str, height: int, width: int) -> None:
    frame = np.zeros((height, width, 3), np.uint8)
    column, row = width // 3, height // 4
    frame[row:, column:] = 255
    box = letterbox(way, height=height, width=width)
    picture = box.apply(frame)
    assert picture.shape == (box.input_height, box.input_width, 3)
    grey = picture[: box.height, : box.width, 0] / 255
    # Where the edge is, to a fraction of a pixel: what is dark of the last row, and of the last column.
    edge = [box.width - grey[-1].sum(), box.height - grey[:, -1].sum()]
    back = box.to_frame(np.array([[*edge, box.width, box.height]], np.float32))
    assert_allclose(back[0], [column, row, width, height], atol=0.4)
    assert (picture[box.height :] == box.fill).all()
    assert (picture[:, box.width :] == box.fill).all()


@given(height=SIDES, width=SIDES)
def test_long_side_is_as_wanted_and_the_input_a_multiple(height: int, width: int) -> None:
    box = fit_long_side(frame_height=height, frame_width=width, long_side=512, multiple=32)
    assert max(box.width, box.height) == 512
    assert box.input_width % 32 == box.input_height % 32 == 0
    assert box.input_width - box.width < 32
    assert box.input_height - box.height < 32
