"""The shipped utterance model: its contract, everyday sentences, and the numbers on its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from mien.language.sentiment import UtteranceModel, decide, softmax
from mien.types import ASSETS, EMOTIONS, MienError

EVERYDAY = Path(__file__).with_name("everyday.tsv")


@pytest.fixture(scope="module")
def model() -> UtteranceModel:
    return UtteranceModel.load()


def test_logits_are_seven_finite_float32_a_text(model: UtteranceModel) -> None:
    logits = model.logits(["I miss her so much.", "", "東京 😀", "word " * 1000])
    assert logits.shape == (4, len(EMOTIONS))
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert model.logits([]).shape == (0, len(EMOTIONS))


def test_most_everyday_sentences_are_read_as_meant(model: UtteranceModel) -> None:
    meant, texts = zip(*(line.split("\t") for line in EVERYDAY.read_text().splitlines()), strict=True)
    read = [EMOTIONS[i] for i in model.logits(texts).argmax(axis=1)]
    right = [m == r for m, r in zip(meant, read, strict=True)]
    assert np.mean(right) >= 0.7, [row for row in zip(texts, meant, read, right, strict=True) if not row[-1]]


@settings(deadline=None)  # a busy machine is no failure
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_logits_do_not_depend_on_the_other_texts(model: UtteranceModel, texts: list[str]) -> None:
    together = model.logits(texts)
    alone = np.concatenate([model.logits([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_order_is_kept_over_several_batches(model: UtteranceModel) -> None:
    texts = ["so sad " * (i % 7) + str(i) for i in range(600)]
    np.testing.assert_allclose(model.logits(texts)[::-1], model.logits(texts[::-1]), atol=1e-4)


def test_id_names_the_content(model: UtteranceModel, tmp_path: Path) -> None:
    folder = shutil.copytree(ASSETS / "utterance", tmp_path / "model")
    assert UtteranceModel.load(folder).id == model.id
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"temperature": 2.0}))
    assert UtteranceModel.load(folder).id != model.id


def test_decide_gives_what_is_above_its_threshold_or_else_the_most_probable() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.45, 0.35]])
    labels = decide(probabilities, np.array([0.5, 0.2, 0.5])).tolist()
    assert labels == [[True, True, False], [False, True, False]]
    assert decide(probabilities, np.full(3, 0.9)).tolist() == [[True, False, False], [False, True, False]]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_or_broken_file_is_named(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(ASSETS / "utterance", tmp_path / "model")
    (folder / name).write_text("not this")
    with pytest.raises(MienError, match=name):
        UtteranceModel.load(folder)
    (folder / name).unlink()
    with pytest.raises(MienError, match=f"no {name} in"):
        UtteranceModel.load(folder)


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(ASSETS / "utterance", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"width": 32}))
    with pytest.raises(MienError, match=r"model\.safetensors does not fit .*config\.json"):
        UtteranceModel.load(folder)


def test_card_is_written_from_the_shipped_metrics(model: UtteranceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from train_utterance_model import write_card

    metrics = json.loads((ASSETS / "utterance" / "metrics.json").read_text())["test"]
    card = (ASSETS / "utterance" / "README.md").read_text(encoding="utf-8")
    assert card == write_card(metrics, temperature=model.config.temperature)


@pytest.mark.real_data
def test_card_reports_the_macro_f1_and_calibration_of_the_shipped_weights(
    model: UtteranceModel, real_data: Path
) -> None:
    lines = (real_data / "goemotions-ekman" / "test.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    texts, numbers, _ = zip(*(line.split("\t") for line in lines), strict=True)
    labels = np.array([[str(i) in row.split(",") for i in range(len(EMOTIONS))] for row in numbers])
    metrics = json.loads((ASSETS / "utterance" / "metrics.json").read_text())["test"]
    macro_f1 = f1_score(labels, model.labels(texts), average="macro")
    assert macro_f1 == pytest.approx(metrics["macro_f1"], abs=0.002)
    assert macro_f1 >= 0.58
    probabilities = softmax(model.logits(texts))
    top = probabilities.argmax(axis=1)
    ece = expected_calibration_error(probabilities.max(axis=1), labels[np.arange(len(labels)), top])
    assert ece == pytest.approx(metrics["ece"], abs=0.002)
    assert ece <= 0.05
    for i, emotion in enumerate(EMOTIONS):
        class_ece = expected_calibration_error(probabilities[:, i], labels[:, i])
        assert class_ece == pytest.approx(metrics["class_ece"][emotion], abs=0.002)
    card = (ASSETS / "utterance" / "README.md").read_text(encoding="utf-8")
    assert f"Macro F1 {metrics['macro_f1']}" in card
    assert f"**{metrics['ece']}**" in card


def expected_calibration_error(confidence: np.ndarray, is_right: np.ndarray) -> float:
    """A loop over fifteen bins, as it is defined."""
    error = 0.0
    for k in range(15):
        chosen = [
            r for c, r in zip(confidence, is_right, strict=True) if k / 15 <= c < (k + 1) / 15 or (k, c) == (14, 1)
        ]
        confidences = [c for c in confidence if k / 15 <= c < (k + 1) / 15 or (k, c) == (14, 1)]
        if chosen:
            error += len(chosen) / len(confidence) * abs(float(np.mean(chosen)) - float(np.mean(confidences)))
    return error
