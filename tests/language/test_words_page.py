"""The examples of docs/words.md are what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mien.language.sentences import split_sentences
from mien.types import Caption

PAGE = Path(__file__).parents[2] / "docs" / "words.md"
ROW = re.compile(r"\|(?:[^|]*\|)? (`[^`]+`) \| ((?:`[^`]+` ?)+)\|")
EXAMPLES = [row.groups() for row in map(ROW.fullmatch, PAGE.read_text(encoding="utf-8").splitlines()) if row]


def test_page_has_examples() -> None:
    assert len(EXAMPLES) == 20


@pytest.mark.parametrize(("shown", "said"), EXAMPLES)
def test_example_comes_out(shown: str, said: str) -> None:
    texts = [text.strip().replace("⏎", "\n") for text in shown.strip("`").split("¶")]
    captions = [Caption(start_s=float(i), end_s=i + 1.0, text=text) for i, text in enumerate(texts)]
    assert [sentence.text for sentence in split_sentences(captions)[0]] == re.findall("`([^`]+)`", said)
