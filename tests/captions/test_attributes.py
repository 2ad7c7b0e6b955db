"""Captions of scenes: the published sentences in their order, without the label unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mien.captions.attributes import attribute_sentences, write_attribute_caption
from mien.captions.record import read_captions
from mien.cli import app

EVERYTHING = {
    "human_action": "dancing",
    "facial_expression": "smile",
    "brightness": "0.5",
    "colorfulness": "0.3",
    "object": "Person; Clothing; Dog",
    "scene": "stage",
}


def test_sentences_come_in_the_published_order() -> None:
    assert attribute_sentences(EVERYTHING) == (
        "The scene type of this photo is stage.",
        "The main subjects are Person, Clothing and Dog.",
        "The image has a brightness of 0.5 and color saturation of 0.3.",
        "Human facial expression is smile.",
        "The action being performed is dancing.",
    )


@pytest.mark.parametrize(
    ("attributes", "sentences"),
    [
        ({"object": "Dog"}, ("The main subjects are Dog.",)),
        ({"object": "Dog; Cat"}, ("The main subjects are Dog and Cat.",)),
        ({"brightness": "0.1"}, ("The image has a brightness of 0.1.",)),
        ({"colorfulness": "0.1"}, ("The image has a color saturation of 0.1.",)),
        ({"scene": "", "gender": "unknown"}, ()),
    ],
)
def test_what_is_not_annotated_is_not_said(attributes: dict[str, str], sentences: tuple[str, ...]) -> None:
    assert attribute_sentences(attributes) == sentences


def test_label_is_told_only_where_it_is_asked_for() -> None:
    told = write_attribute_caption(EVERYTHING, image="a", source="labels:emoset", label="awe")
    silent = write_attribute_caption(EVERYTHING, image="a", source="labels:emoset")
    assert told is not None
    assert silent is not None
    assert told.overall == silent.overall + " The overall emotion conveyed is awe."
    assert write_attribute_caption({}, image="a", source="labels:emoset", label="awe") is None


@pytest.mark.slow
def test_captions_of_emoset_are_of_its_attributes(tmp_path: Path) -> None:
    def run(*words: object) -> str:
        result = CliRunner().invoke(app, [*map(str, words)])
        assert result.exit_code == 0, result.output
        return result.output

    run("data", "fake", "emoset", tmp_path / "emoset")
    for name, words in (("silent", ()), ("told", ("--label-in-text",))):
        run("captions", "write", "emoset", "--root", tmp_path / "emoset", "--out", tmp_path / name, *words)
    silent, told = (read_captions(tmp_path / name) for name in ("silent", "told"))
    assert len(silent) == 16
    emotions = {"amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness"}
    assert not any(emotion in record.overall for record in silent for emotion in emotions)
    assert all("The overall emotion conveyed is" in record.overall for record in told)
    assert {record.source for record in silent} == {"labels:emoset"}
