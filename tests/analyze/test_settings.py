"""Which questions an analysis takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mien.analyze import AnalyzeSettings


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "at least one word"),
        (("joy", " "), "none of them empty"),
        (("joy", "anger", "joy"), "twice there is joy"),
        (("joy", "time_s"), "time_s: the table has a column"),
        (("uncertain",), "uncertain: the table has"),
    ],
)
def test_words_that_cannot_be_columns_are_refused(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        AnalyzeSettings(words=words)


def test_a_template_needs_a_place_for_the_word() -> None:
    with pytest.raises(ValidationError, match=r"needs \{\}"):
        AnalyzeSettings(templates=("a face.",))


def test_something_must_look() -> None:
    with pytest.raises(ValidationError, match="nothing to look with"):
        AnalyzeSettings(face_model=None)


def test_a_head_is_for_one_model() -> None:
    with pytest.raises(ValidationError, match="not both"):
        AnalyzeSettings(head=Path("a.safetensors"), model="mine")
    assert AnalyzeSettings(head=Path("a.safetensors"), model="mine", face_model=None).face_model is None
