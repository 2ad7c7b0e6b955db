"""Saved heads: what comes back scores as before, and says which model's embeddings it reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.eval.head import Head, HeadInput, load_head
from mien.eval.probe import HeadKind, LinearProbe, fit_multinomial
from mien.types import MienError

READS = HeadInput(model="models/mine", weights_hash="0123456789abcdef", features="video")
CLASSES = {"one_vs_rest": ("joy", "fear"), "multinomial": ("joy", "fear"), "ridge": ("valence", "arousal")}


def head_of(kind: HeadKind) -> Head:
    probe = LinearProbe(
        weight=np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), bias=np.array([0.5, -0.5]), kind=kind,
        classes=CLASSES[kind],
    )  # fmt: skip
    return Head(probe=probe, reads=READS, fitted_on="a toy")


@pytest.mark.parametrize("kind", CLASSES)
def test_head_comes_back_as_it_was_saved(kind: HeadKind, tmp_path: Path) -> None:
    head = head_of(kind)
    head.save(tmp_path / "heads" / "emotion.safetensors")
    again = load_head(tmp_path / "heads" / "emotion.safetensors")
    assert (again.reads, again.fitted_on) == (READS, "a toy")
    assert (again.probe.kind, again.probe.classes) == (kind, CLASSES[kind])
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    for name, column in head.score(x).items():
        assert (again.score(x)[name] == column).all()


def test_embeddings_of_any_length_score_alike_by_name() -> None:
    logits = np.array([0.6 + 0.5, 2 * 0.8 - 0.5])  # of the direction (0.6, 0.8, 0)
    expected = {
        "one_vs_rest": 1 / (1 + np.exp(-logits)),
        "multinomial": np.exp(logits) / np.exp(logits).sum(),
        "ridge": logits,
    }
    for kind, numbers in expected.items():
        for x in (torch.tensor([[3.0, 4.0, 0.0]]), np.array([[0.06, 0.08, 0.0]], np.float32)):
            scored = head_of(kind).score(x)
            assert tuple(scored) == CLASSES[kind]
            assert np.concatenate(list(scored.values())) == pytest.approx(numbers, abs=1e-6)


def test_class_that_never_occurred_stays_impossible_on_disk(tmp_path: Path) -> None:
    x = np.eye(4, 3, dtype=np.float32)
    probe = fit_multinomial(x, np.array([0, 0, 2, 2]), classes=("a", "absent", "c"), C=1.0)
    Head(probe=probe, reads=READS, fitted_on="a toy").save(tmp_path / "h.safetensors")
    assert (load_head(tmp_path / "h.safetensors").score(x)["absent"] == 0).all()


def test_card_says_in_words_what_the_numbers_are(tmp_path: Path) -> None:
    head_of("ridge").save(tmp_path / "h.safetensors")
    assert json.loads((tmp_path / "h.json").read_text()) == {
        "format": 1,
        "kind": "ridge",
        "classes": ["valence", "arousal"],
        "fitted_on": "a toy",
        "reads": {
            "model": "models/mine", "weights_hash": "0123456789abcdef", "features": "video", "mean_of_frames": None,
            "normalization": "l2",
        },
    }  # fmt: skip


def test_embeddings_of_another_model_are_refused() -> None:
    head = head_of("multinomial")
    head.require_weights("0123456789abcdef", model="models/renamed")
    with pytest.raises(MienError, match=r"models/mine \(weights 0123.*not those of models/other \(weights ffff\)"):
        head.require_weights("ffff", model="models/other")
    with pytest.raises(MienError, match="embeddings have 2 numbers, the head reads 3"):
        head.score(np.ones((1, 2), np.float32))


def test_what_is_no_head_is_named(tmp_path: Path) -> None:
    path = tmp_path / "h.safetensors"
    with pytest.raises(MienError, match=r"h\.safetensors holds no saved head .* --save-heads"):
        load_head(path)
    with pytest.raises(MienError, match=r"name it h\.safetensors"):
        head_of("ridge").save(Path("h.pt"))
    head_of("ridge").save(path)
    card = path.with_suffix(".json").read_text()
    for broken, message in (
        ("{", "holds no saved head"),
        ("[]", "no mapping"),
        (card.replace("ridge", "forest"), "kind"),
        (card.replace('"format":1', '"format":2').replace('"format": 1', '"format": 2'), "format"),
        (card.replace('"arousal"', '"arousal", "dominance"'), "3 classes in"),
    ):
        path.with_suffix(".json").write_text(broken)
        with pytest.raises(MienError, match=message):
            load_head(path)
