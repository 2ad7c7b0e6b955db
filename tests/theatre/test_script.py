"""The grammar and the reader of real sentences."""

from pathlib import Path

import numpy as np
import pytest

from mien.theatre.script import MAX_WORDS, MIN_WORDS, one_sentence, open_script
from mien.types import EMOTIONS, MienError


def write_table(folder: Path, rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "labels.txt").write_text("\n".join(EMOTIONS))
    (folder / "train.tsv").write_text("\n".join(rows) + "\n")
    return folder


def rows_for_all() -> list[str]:
    return [f"This is what {emotion} sounds like!\t{k}\tid{k}" for k, emotion in enumerate(EMOTIONS)]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_grammar_has_hundreds_of_sentences_for_each_emotion(emotion: str) -> None:
    script, rng = open_script(None, "train"), np.random.default_rng(0)
    assert len({script.line(emotion, rng) for _ in range(900)}) >= 250


def test_every_drawn_line_is_one_sentence_of_plain_words() -> None:
    script, rng = open_script(None, "train"), np.random.default_rng(1)
    lines = [script.line(emotion, rng) for emotion in EMOTIONS for _ in range(700)]
    lines += [script.small_talk(rng) for _ in range(500)]
    for line in lines:
        assert MIN_WORDS <= len(line.split()) <= MAX_WORDS, line
        assert line[-1] in ".!?", line
        assert not any(mark in line[:-1] for mark in ".!?[]<>|"), line
        assert line[0].isupper(), line


def test_emotions_share_no_sentence() -> None:
    script, rng = open_script(None, "train"), np.random.default_rng(2)
    said = {emotion: {script.line(emotion, rng) for _ in range(500)} for emotion in EMOTIONS}
    for a in EMOTIONS:
        for b in EMOTIONS:
            assert a == b or not said[a] & said[b]


def test_one_sentence_is_cleaned() -> None:
    assert one_sentence("I really don’t know!!") == "I really don't know!"
    assert one_sentence("well that was nice") == "well that was nice."


@pytest.mark.parametrize(
    "text",
    ["see https://example.org now", "too short", "Two parts. Of speech here.", "smile \U0001f600 and go on", "a " * 16],
)
def test_what_cannot_be_subtitled_as_one_sentence_is_left_out(text: str) -> None:
    assert one_sentence(text) is None


def test_real_sentences_are_taken_with_their_single_label(tmp_path: Path) -> None:
    rows = [*rows_for_all(), "This row has two labels\t0,3\tx"]
    script = open_script(write_table(tmp_path, rows), "train")
    said = {script.line("joy", np.random.default_rng(k)) for k in range(20)}
    assert said == {"This is what joy sounds like!"}


def test_missing_table_is_named_with_what_is_wanted(tmp_path: Path) -> None:
    write_table(tmp_path, rows_for_all())
    with pytest.raises(MienError, match=r"no test\.tsv in .*labels\.txt"):
        open_script(tmp_path, "test")


def test_emotion_without_a_sentence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no usable sentence .* for surprise"):
        open_script(write_table(tmp_path, rows_for_all()[:-1]), "train")


def test_label_outside_the_names_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"train\.tsv:8: '9' is no label"):
        open_script(write_table(tmp_path, [*rows_for_all(), "A row that is wrong\t9\tx"]), "train")


def test_limited_wordings_are_few_and_the_same_in_both_splits() -> None:
    rng = np.random.default_rng(0)
    train, test = (open_script(None, split, wordings=5) for split in ("train", "test"))
    said = {train.line("fear", rng) for _ in range(200)}
    assert len(said) == 5
    assert {test.line("fear", rng) for _ in range(200)} == said
