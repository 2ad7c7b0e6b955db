"""Boxes and labels drawn into a picture."""

from __future__ import annotations

import numpy as np
import pytest

from mien.analyze.drawing import COLOURS, Drawn, Label, draw_persons


def person(xyxy: tuple[float, ...], *, colour: int = 0, word: str = "joy 97 %") -> Drawn:
    label = Label(heading="person 0", bars=((word, 0.97),), widest="barely hidden anger 100 %", is_certain=True)
    return Drawn(xyxy=np.array(xyxy, np.float64), label=label, colour=COLOURS[colour])


def drawn(persons: list[Drawn], *, height: int = 200, width: int = 300) -> np.ndarray:
    picture = np.full((height, width, 3), 255, np.uint8)
    draw_persons(picture, persons, size=12)
    return picture


def test_the_box_has_the_persons_colour_and_the_label_stands_above_it() -> None:
    picture = drawn([person((100, 100, 150, 180))])
    assert picture[140, 100].tolist() == list(COLOURS[0])
    changed = np.argwhere((picture != 255).any(axis=2))
    assert changed[:, 0].min() < 90
    assert (picture[101:178, 105:145] == 255).all()  # the face stays free


def test_labels_hide_neither_faces_nor_each_other() -> None:
    near = [person((100, 60, 140, 100)), person((100, 110, 140, 150), colour=1)]
    alone, both = drawn(near[:1]), drawn(near)
    assert (both[114:146, 104:136] == 255).all()
    assert (both[64:96, 104:136] == 255).all()
    assert (alone != both).any()


@pytest.mark.parametrize("xyxy", [(0, 0, 300, 200), (-20, -20, 30, 30), (290, 190, 330, 230), (0, 0, 1, 1)])
def test_at_the_edges_everything_stays_in_the_picture(xyxy: tuple[float, ...]) -> None:
    picture = drawn([person(xyxy)])
    assert (picture != 255).any()


def test_a_label_larger_than_the_picture_is_cut() -> None:
    assert (drawn([person((2, 2, 9, 9))], height=12, width=20) != 255).any()


def test_any_words_can_be_drawn() -> None:
    assert (drawn([person((100, 100, 150, 180), word="schadenfroh – Ärger, гнев")]) != 255).any()


def test_white_text_is_readable_on_every_colour() -> None:
    for colour in COLOURS:
        r, g, b = (((v / 255 + 0.055) / 1.055) ** 2.4 if v / 255 > 0.03928 else v / 255 / 12.92 for v in colour)
        assert 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) >= 4.5
