"""YOLOv7's letterbox against a drawn one, and the way there and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.exchange.letterbox import letterbox

SIZES = st.integers(16, 4000)


def drawn(rgb: np.ndarray, *, side: int = 640, stride: int = 32) -> np.ndarray:
    """A letterboxed picture, made step by step: scaled to fit, bordered so that both sides are whole strides."""
    height, width = rgb.shape[:2]
    scale = min(side / height, side / width)
    size = (round(width * scale), round(height * scale))
    half_x, half_y = (side - size[0]) % stride / 2, (side - size[1]) % stride / 2
    scaled = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
    top, bottom, left, right = (round(x) for x in (half_y - 0.1, half_y + 0.1, half_x - 0.1, half_x + 0.1))
    return cv2.copyMakeBorder(scaled, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))


@pytest.mark.parametrize(
    ("width", "height"), [(640, 360), (480, 360), (1280, 720), (361, 640), (853, 480), (1920, 803)]
)
def test_boxes_come_back_to_what_was_drawn_there(width: int, height: int) -> None:
    picture = np.full((height, width, 3), 114, np.uint8)
    x0, y0, x1, y1 = width // 5, height // 4, width // 2, height - 7
    picture[y0:y1, x0:x1] = 255
    boxed = drawn(picture)
    ys, xs = np.nonzero(boxed[:, :, 0] > 184)
    found = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    box = letterbox(source_width=width, source_height=height)
    assert boxed.shape[:2] == (box.padded_height, box.padded_width)
    pixel = max(1.0, width / box.width)  # the drawing is whole pixels of the letterboxed picture
    np.testing.assert_allclose(box.to_source(found), [[x0, y0, x1, y1]], atol=pixel)


def test_widescreen_pictures_lie_twelve_rows_down() -> None:
    box = letterbox(source_width=640, source_height=360)
    assert (box.left, box.top, box.padded_width, box.padded_height) == (0, 12, 640, 384)
    assert box.to_source(np.array([[10, 12, 20, 372]], np.float32)).tolist() == [[10, 0, 20, 360]]


def test_the_extra_row_of_an_odd_padding_is_below() -> None:
    box = letterbox(source_width=640, source_height=359)
    assert (box.top, box.padded_height - box.height - box.top) == (12, 13)


@given(
    width=SIZES, height=SIZES, side=st.sampled_from([320, 640, 1280]), stride=st.sampled_from([32, 64]), data=st.data()
)
def test_there_and_back_is_where_it_was(width: int, height: int, side: int, stride: int, data: st.DataObject) -> None:
    box = letterbox(source_width=width, source_height=height, side=side, stride=stride)
    x0, y0 = data.draw(st.floats(0, width - 1)), data.draw(st.floats(0, height - 1))
    xyxy = np.array([[x0, y0, data.draw(st.floats(x0, width)), data.draw(st.floats(y0, height))]], np.float32)
    np.testing.assert_allclose(box.to_source(box.from_source(xyxy)), xyxy, atol=2e-3 * max(1, width / box.width))
    assert box.padded_width % stride == box.padded_height % stride == (side % stride)
    assert 0 <= box.left <= stride // 2
    assert 0 <= box.top <= stride // 2


@given(width=SIZES, height=SIZES)
def test_the_whole_picture_is_the_whole_picture(width: int, height: int) -> None:
    box = letterbox(source_width=width, source_height=height)
    whole = np.array([[0, 0, box.padded_width, box.padded_height]], np.float32)
    assert box.to_source(whole).tolist() == [[0, 0, width, height]]
