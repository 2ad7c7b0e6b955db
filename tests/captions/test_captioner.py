"""The captioner: its question, what it makes of answers, and what it does without one.

Answers are those of a stand-in for a pipeline of transformers. A real model, tiny and with random weights, shows that
one loads and is asked; it cannot answer with a caption.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mien.captions.captioner import PROMPT, TRIES, Captioner, parse_answer
from mien.types import MienError

ANSWER = {"global": "A sad face.", "local": ["The eyes are cast down."], "summary": "Sadness, by the eyes."}
PICTURE = cv2.imencode(".png", np.full((48, 48), 128, np.uint8))[1].tobytes()


class Told:
    """Gives the answers it is told to, one a call, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = list[tuple[list[dict[str, Any]], dict[str, Any]]]()

    def __call__(self, *, text: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        self.asked.append((text, options))
        return [{"generated_text": self.answers.pop(0)}]


def test_answer_becomes_a_record_by_the_model() -> None:
    told = Told(f"Sure, here it is:\n```json\n{json.dumps(ANSWER, indent=2)}\n```")
    record = Captioner(told, name="tiny").caption(PICTURE, image="a", votes={"sadness": 1.0}, graded=False)
    assert (record.image, record.source, record.overall) == ("a", "model:tiny", "A sad face.")
    assert (record.local, record.votes, record.graded) == (("The eyes are cast down.",), {"sadness": 1.0}, False)
    [(messages, options)] = told.asked
    picture, question = messages[0]["content"]
    assert (picture["image"].size, picture["image"].mode, question["text"]) == ((48, 48), "RGB", PROMPT)
    assert options["generate_kwargs"]["do_sample"] is False


def test_what_is_no_caption_is_asked_again_with_chance_and_chance_elsewhere_is_left_alone() -> None:
    told = Told("no idea", json.dumps({**ANSWER, "local": "sad eyes"}), json.dumps(ANSWER))
    before = torch.get_rng_state()
    assert Captioner(told, name="tiny").caption(PICTURE, image="a").summary == ANSWER["summary"]
    assert [options["generate_kwargs"]["do_sample"] for _, options in told.asked] == [False, True, True]
    assert torch.equal(torch.get_rng_state(), before)


def test_no_caption_after_all_tries_is_an_error_with_the_last_reason() -> None:
    told = Told(*["{}"] * (TRIES - 1), json.dumps({**ANSWER, "summary": ""}))
    with pytest.raises(MienError, match=rf"tiny gave no caption of a in {TRIES} tries; of the last, summary is ''"):
        Captioner(told, name="tiny").caption(PICTURE, image="a")


def test_what_is_no_picture_is_not_asked_about() -> None:
    told = Told()
    with pytest.raises(MienError, match="a cannot be read as a picture"):
        Captioner(told, name="tiny").caption(b"\0\0", image="a")
    assert told.asked == []


@pytest.mark.parametrize("answer", ["", "{", '{"a": 1}', '[{"global"]', "{" * 5000])
def test_answers_without_a_caption_are_refused(answer: str) -> None:
    with pytest.raises(MienError, match="holds no JSON object"):
        parse_answer(answer)


def test_caption_is_found_after_other_braces_and_other_keys_are_dropped() -> None:
    assert parse_answer(f'{{thinking}} {{"a": 1}} {json.dumps({**ANSWER, "source": "human"})} }}') == ANSWER


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="is no folder of a transformers model"):
        Captioner.load(tmp_path)


@pytest.mark.slow
def test_real_model_of_random_weights_loads_is_asked_and_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_transformers import save_image_text_to_text

    monkeypatch.setattr("mien.captions.captioner.MAX_NEW_TOKENS", 20)
    captioner = Captioner.load(save_image_text_to_text(tmp_path / "tiny"))
    with pytest.raises(MienError, match=r"tiny gave no caption of a in 3 tries; of the last, the answer '.+' holds no"):
        captioner.caption(PICTURE, image="a")


@pytest.mark.slow
def test_model_that_takes_no_instructions_or_no_pictures_is_refused(tmp_path: Path) -> None:
    from tiny_transformers import save_classifier, save_image_text_to_text

    with pytest.raises(MienError, match="has no chat template"):
        Captioner.load(save_image_text_to_text(tmp_path / "tiny", chat_template=False))
    words = save_classifier(tmp_path / "words", kind="SequenceClassification", labels=["a", "b"])
    with pytest.raises(MienError, match="is no image-text-to-text model"):
        Captioner.load(words)
