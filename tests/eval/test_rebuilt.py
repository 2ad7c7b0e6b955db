"""Rebuilt views as a report draws them."""

from __future__ import annotations

import numpy as np

from mien.eval.rebuilt import HIDDEN, RebuiltPicture, RebuiltView, rebuilt_section


def view() -> RebuiltView:
    original = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    return RebuiltView(original=original, rebuilt=original, is_masked=np.array([[True, False], [False, False]]))


def test_masked_patches_are_grey_and_the_others_as_they_are() -> None:
    seen = view().seen
    assert (seen[:2, :2] == HIDDEN).all()
    assert np.array_equal(seen[2:], view().original[2:])
    assert np.array_equal(seen[:2, 2:], view().original[:2, 2:])


def test_person_is_shown_where_there_is_one() -> None:
    both = RebuiltPicture(scene=view(), person=view(), caption="two & three")
    alone = RebuiltPicture(scene=view(), person=None, caption="nobody")
    page = rebuilt_section((both, alone), mask_ratio=0.75)
    assert page.count("<img") == 9
    assert page.count("person: rebuilt") == 1
    assert "75% are hidden" in page
    assert "two &amp; three" in page
