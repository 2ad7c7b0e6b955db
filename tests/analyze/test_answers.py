"""Embeddings asked by prompts and by fitted heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from small_mien import small_mien

from mien.analyze.answers import Question, columns_of, load_heads, require_fit
from mien.eval.head import Head, HeadInput
from mien.eval.probe import LinearProbe
from mien.inference import Mien
from mien.types import MienError

TEMPLATES = ("{}.", "someone shows {}.")
WIDTH = 16


@pytest.fixture(scope="module")
def model() -> Mien:
    return small_mien()


def save_head(folder: Path, name: str, kind: str, classes: tuple[str, ...]) -> LinearProbe:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(len(classes), WIDTH)), rng.normal(size=len(classes))
    probe = LinearProbe(weight=weight, bias=bias, kind=kind, classes=classes)
    reads = HeadInput(model="runs/mine/model", weights_hash="0123456789abcdef", features="video")
    folder.mkdir(exist_ok=True)
    Head(probe=probe, reads=reads, fitted_on="toy").save(folder / f"{name}.safetensors")
    return probe


def embeddings(count: int = 5) -> np.ndarray:
    x = torch.randn(count, WIDTH)
    return torch.nn.functional.normalize(x, dim=-1).numpy()


def test_words_are_scored_as_label_scores_does(model: Mien) -> None:
    x, words = embeddings(), ("joy", "barely hidden anger")
    question = Question(model, words=words, templates=TEMPLATES, heads=())
    scores = question.answer(x)
    assert_allclose(
        scores.probabilities, model.label_scores(torch.from_numpy(x), words, templates=TEMPLATES), rtol=1e-5
    )
    assert scores.numbers.shape == (5, 0)


def test_a_heads_classes_take_the_words_place(model: Mien, tmp_path: Path) -> None:
    probe = save_head(tmp_path, "emotion", "multinomial", ("calm", "tense"))
    question = Question(model, words=("joy",), templates=TEMPLATES, heads=load_heads(tmp_path / "emotion.safetensors"))
    x = embeddings()
    assert (question.words, question.numbers, question.templates) == (("calm", "tense"), (), ())
    assert_allclose(question.answer(x).probabilities, probe.probabilities(x), rtol=1e-5)


def test_numbers_of_a_folder_of_heads_stand_beside_its_classes(model: Mien, tmp_path: Path) -> None:
    save_head(tmp_path, "emotion", "one_vs_rest", ("calm", "tense"))
    vad = save_head(tmp_path, "vad", "ridge", ("valence", "arousal"))
    question = Question(model, words=("joy",), templates=TEMPLATES, heads=load_heads(tmp_path))
    assert (question.words, question.numbers) == (("calm", "tense"), ("valence", "arousal"))
    x = embeddings()
    assert_allclose(question.answer(x).numbers, vad.decision(x), rtol=1e-5)


def test_numbers_alone_leave_the_words(model: Mien, tmp_path: Path) -> None:
    save_head(tmp_path, "vad", "ridge", ("valence", "arousal"))
    question = Question(model, words=("joy", "anger"), templates=TEMPLATES, heads=load_heads(tmp_path))
    assert (question.words, question.numbers) == (("joy", "anger"), ("valence", "arousal"))
    assert question.answer(embeddings()).probabilities.sum(axis=1) == pytest.approx(np.ones(5))


def test_heads_that_make_no_table_are_refused(tmp_path: Path) -> None:
    save_head(tmp_path, "a", "multinomial", ("calm", "tense"))
    save_head(tmp_path, "b", "multinomial", ("happy", "sad"))
    with pytest.raises(MienError, match="name its file"):
        columns_of(("joy",), load_heads(tmp_path))
    save_head(tmp_path / "own", "c", "ridge", ("joy",))
    with pytest.raises(MienError, match="joy: columns"):
        columns_of(("joy",), load_heads(tmp_path / "own"))


def test_a_head_of_another_model_is_refused(tmp_path: Path) -> None:
    save_head(tmp_path, "a", "multinomial", ("calm", "tense"))
    require_fit(load_heads(tmp_path), "0123456789abcdef", name="mine")
    with pytest.raises(MienError, match=r"the embeddings of runs/mine/model .*not those of mine"):
        require_fit(load_heads(tmp_path), "fedcba9876543210", name="mine")


def test_no_head_is_told(tmp_path: Path) -> None:
    assert load_heads(None) == ()
    with pytest.raises(MienError, match="no head in"):
        load_heads(tmp_path)
    with pytest.raises(MienError, match="no saved head"):
        load_heads(tmp_path / "none.safetensors")
