"""Words as somebody types them."""

from __future__ import annotations

import pytest

from mien.prompts import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("joy,anger", ["joy", "anger"]),
        (' joy , "anger, hidden",fear', ["joy", "anger, hidden", "fear"]),
        ("joy,,", ["joy"]),
        ("barely hidden\nanger,joy", ["barely hidden anger", "joy"]),
        ('he said "no", joy', ['he said "no"', "joy"]),
        ("", []),
        (" , ", []),
    ],
)
def test_commas_part_words_unless_they_are_quoted(text: str, words: list[str]) -> None:
    assert split_words(text) == words
