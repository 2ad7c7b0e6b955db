"""Nearest neighbours by embedding."""

from __future__ import annotations

import numpy as np
import pytest

from mien.eval.neighbours import Neighbours, ShownClip, nearest_to, neighbours_section
from mien.eval.pictures import Still


def test_nearest_are_told_by_cosine_and_none_of_the_same_video() -> None:
    angles = np.radians([0, 10, 40, 180, 5])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    order, cosine = nearest_to(x, query=0, sources=["a", "b", "c", "d", "a"], count=2)
    assert order.tolist() == [1, 2]
    assert cosine.tolist() == pytest.approx([np.cos(np.radians(10)), np.cos(np.radians(40))])
    assert nearest_to(x, query=0, sources=["a"] * 5, count=2)[0].tolist() == []


def test_section_names_what_was_searched_and_escapes_names() -> None:
    shown = ShownClip(still=Still(frame=np.zeros((4, 4, 3), np.uint8), boxes=np.zeros((0, 4))), caption="<b>")
    page = neighbours_section([Neighbours(query=shown, nearest=((shown, 0.5),))], num_searched=1200, where="pictures")
    assert "of 1,200 pictures" in page
    assert page.count("&lt;b&gt;") == 4
    assert "0.500" in page
