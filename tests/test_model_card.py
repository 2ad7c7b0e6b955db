"""Model cards: what every kind says of itself, and that a card written by hand is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from small_mien import small_mien

from mien import Mien
from mien.hub import ModelFolder
from mien.media.transforms import Preprocess
from mien.model_card import Measured, for_hub, model_card, with_results
from mien.models.video_clip import VideoClipConfig
from mien.types import ASSETS, MienError

SCORE = Measured(
    benchmark="ferplus", split="test", protocol="zeroshot", task="emotion", metric="accuracy", value=0.855, low=0.843,
    high=0.869, is_generated=False,
)  # fmt: skip


def folder_of(method: str | None, **changes: Any) -> ModelFolder:
    architecture = {"preset": "nano", **changes}
    return ModelFolder.model_validate(
        {
            "architecture": VideoClipConfig.model_validate(architecture),
            "preprocess": Preprocess(image_size=96),
            "method": method,
            "weights_license": "research use only: ask",
            "trained_on": "pictures | and films",
        }
    )


FACES = folder_of("emocapclip", subject="vanilla").model_copy(update={"shown": "faces"})
KINDS = {
    "emotionclip": (folder_of("emotionclip"), "EmotionCLIP (Zhang", 'model.classify("video.mp4"'),
    "emocapclip": (FACES, "EmoCapCLIP (Sun", "classify_faces(model"),
    "uniemox": (folder_of("uniemox", text=None, subject="vanilla"), "UniEmoX (Chen", "encode_frames(pictures)"),
    "unknown": (folder_of(None), "EmotionCLIP-style", 'model.classify("video.mp4"'),
}


@pytest.mark.parametrize("kind", KINDS)
def test_card_of_every_kind_has_head_numbers_use_licence_and_limits(kind: str) -> None:
    config, what, use = KINDS[kind]
    card = model_card(config, num_parameters=1234567)
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["license"], head["license_name"]) == ("other", "research-use-only-ask")
    assert head["library_name"] == "mien"
    assert (config.method in head["tags"]) == (config.method is not None)
    for told in (what, use, "| parameters | 1,234,567 |", "pictures \\| and films", "Out of scope", "Intended use",
                 "Of the weights: research use only: ask", "Nothing yet"):  # fmt: skip
        assert told in card
    assert ("reads no texts" in card) == (config.architecture.text is None)


def test_code_of_a_card_runs() -> None:
    card = model_card(small_mien().config, num_parameters=1)
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert "from mien import Mien" in code


def test_card_on_the_hub_calls_the_model_by_its_id() -> None:
    card = for_hub(model_card(folder_of(None), num_parameters=1), "me/mine")
    assert 'Mien.from_pretrained("hf:me/mine")' in card
    assert "path/to" not in card


def test_results_stand_where_the_card_has_a_place_for_them_or_at_its_end() -> None:
    ours = with_results(model_card(folder_of(None), num_parameters=1), [SCORE], name="mine")
    assert ours.index("## Measured") < ours.index("## Intended use")
    assert "Nothing yet" not in ours
    by_hand = (ASSETS / "face" / "README.md").read_text(encoding="utf-8")
    theirs = with_results(by_hand, [SCORE], name="face")
    assert by_hand.split("---\n", 2)[2].rstrip() in theirs
    for card in (ours, theirs):
        assert "| ferplus | test | zeroshot | emotion | accuracy | 0.8550 | [0.8430, 0.8690] |" in card
        (indexed,) = yaml.safe_load(card.split("---\n")[1])["model-index"]
        assert indexed["results"][0]["metrics"][0]["value"] == 0.855
        assert "Generated scenes" not in card
    assert with_results(by_hand, [], name="face") == by_hand
    with pytest.raises(MienError, match="no YAML head"):
        with_results("# My model\n", [SCORE], name="mine")


def test_card_written_by_hand_stays_with_the_model(tmp_path: Path) -> None:
    by_hand = (ASSETS / "face" / "README.md").read_text(encoding="utf-8")
    Mien.from_pretrained("face", device="cpu").save_pretrained(tmp_path / "face")
    assert (tmp_path / "face" / "README.md").read_text(encoding="utf-8") == by_hand
    again = Mien.from_pretrained(tmp_path / "face", device="cpu")
    assert again.card == by_hand
    assert torch.equal(again.network.logit_scale, Mien.from_pretrained("face", device="cpu").network.logit_scale)


def test_model_that_came_without_a_card_gets_one(tmp_path: Path) -> None:
    small_mien().save_pretrained(tmp_path / "model")
    assert "# A mien model" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_new_results_take_the_place_of_those_before() -> None:
    first = with_results(model_card(folder_of(None), num_parameters=1), [SCORE], name="mine")
    again = with_results(first, [replace(SCORE, value=0.25)], name="mine")
    assert again.count("## Measured") == 1
    assert "0.25" in again
