"""Punctuation: how a long stream is read, how weights are stored, and what the shipped model's card says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from mien.language.punctuation import (
    CONTEXT,
    MARKS,
    PunctuationConfig,
    PunctuationModel,
    PunctuationNetwork,
    Punctuator,
    bare,
    build_punctuator,
    is_capitalised,
    pack,
    subword_stream,
    unpack,
)
from mien.language.subtitles import read_captions
from mien.types import ASSETS, MienError

SCRIPTS = Path(__file__).parents[2] / "scripts"

TEXT = (
    "I cannot believe you did that. What were you thinking? I am so sorry. It will never happen again. "
    "Thank you so much for coming, we had a great time. How are you feeling today?"
)
PUNCTUATED = TEXT.split()
SPOKEN = [bare(word).lower() for word in PUNCTUATED]


@pytest.fixture(scope="module")
def model() -> PunctuationModel:
    return PunctuationModel.load()


@pytest.fixture(scope="module")
def random_model() -> PunctuationModel:
    """Random weights over letters, so that what it says is arbitrary, and quick."""
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789'"
    vocab = {token: i for i, token in enumerate(["[UNK]", *letters, *(f"##{c}" for c in letters)])}
    bpe = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab, unk_token="[UNK]"))
    bpe.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    config = PunctuationConfig(vocab_size=len(vocab), width=8, num_heads=2, num_layers=1, threshold=0.6)
    network = PunctuationNetwork(config)
    torch.nn.init.normal_(network.classifier.weight)
    return PunctuationModel(config, bpe, network, id="random")


def test_shipped_model_is_the_default_punctuator(model: PunctuationModel) -> None:
    assert isinstance(model, Punctuator)
    assert build_punctuator().id == model.id == build_punctuator(str(ASSETS / "punctuation")).id
    assert (ASSETS / "punctuation" / "model.safetensors").stat().st_size <= 10_000_000


def test_plain_sentences_are_ended_and_questions_known(model: PunctuationModel) -> None:
    marks = model.marks(SPOKEN)
    read = " ".join(word + mark for word, mark in zip(SPOKEN, marks, strict=True))
    ended = [word for word, mark in zip(SPOKEN, marks, strict=True) if mark]
    assert {"that", "thinking", "again", "time"} <= set(ended), read
    assert len(ended) <= 7, read
    assert "thinking?" in read


def test_marks_that_are_there_are_not_looked_at(model: PunctuationModel) -> None:
    assert model.marks([f"“{word}!”," for word in SPOKEN]) == model.marks(SPOKEN)
    assert model.marks(["--", *SPOKEN[:6], "♪"]) == ["", *model.marks(SPOKEN[:6]), ""]
    assert model.marks([]) == []
    assert model.marks(["…", ""]) == ["", ""]


@settings(deadline=None)  # a busy machine is no failure
@given(words=st.lists(st.one_of(st.text(max_size=12), st.sampled_from(["Yes", "no", "--", "don’t"])), max_size=400))
def test_every_word_gets_a_mark(random_model: PunctuationModel, words: list[str]) -> None:
    marks = random_model.marks(words)
    assert len(marks) == len(words)
    assert set(marks) <= set(MARKS)
    assert all(mark == "" for word, mark in zip(words, marks, strict=True) if not bare(word))


@pytest.mark.parametrize("num_words", [1, 95, 96, 97, 191, 192, 193, 500, 1000])
def test_windows_decide_as_the_network_does_on_what_is_around_a_word(
    random_model: PunctuationModel, num_words: int
) -> None:
    """Each word is one subword here; its window begins CONTEXT before a multiple of 96 and is 192 long."""
    words = ["abcdefghijklmnopqrstuvwxyz"[i * i % 26] for i in range(num_words)]
    found = random_model.probabilities(words)
    stream = subword_stream(random_model._bpe, words)
    for i in range(0, num_words, 7):
        first = min(max(0, i // 96 * 96 - CONTEXT), max(0, num_words - 192))
        ids, capital = (x[first : first + 192].unsqueeze(0) for x in (stream.ids, stream.capital))
        with torch.inference_mode():
            expected = random_model._network(ids, capital)[0, i - first].softmax(dim=0)
        np.testing.assert_allclose(found[i], expected.numpy(), atol=1e-5)
        assert i - first >= CONTEXT or first == 0
        assert first + 192 - i >= CONTEXT or first + 192 >= num_words


def test_words_are_stripped_and_capitals_seen() -> None:
    assert [bare(w) for w in ("“Don’t!”", "--", "e.g.", "_so_", "(Well,", "it's")] == [
        "Don't",
        "",
        "e.g",
        "so",
        "Well",
        "it's",
    ]
    capitalised = ["Well", "McGee", "Émile"]
    assert [w for w in [*capitalised, "I", "I'm", "NASA", "A", "well", "", "3D"] if is_capitalised(w)] == capitalised


def test_capital_of_a_word_marks_all_its_subwords(random_model: PunctuationModel) -> None:
    stream = subword_stream(random_model._bpe, ["Yes", "", "no"])
    assert stream.capital.tolist() == [True, True, True, False, False]
    assert stream.last.tolist() == [2, 4]
    assert stream.word.tolist() == [0, 2]


@settings(deadline=None)
@given(scale=st.floats(0.01, 100), rows=st.integers(1, 5))
def test_weights_in_bytes_are_within_half_a_step(scale: float, rows: int) -> None:
    matrix = torch.randn(rows, 7) * scale
    stored = pack({"m": matrix, "v": matrix[0]})
    assert stored["m"].dtype == torch.int8
    step = matrix.abs().amax(dim=1, keepdim=True) / 127
    found = unpack(stored)
    assert set(found) == {"m", "v"}
    assert ((found["m"] - matrix).abs() <= 0.6 * step + 1e-6).all()  # a half, and the factor's own rounding
    torch.testing.assert_close(found["v"], matrix[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_or_broken_file_is_named(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(ASSETS / "punctuation", tmp_path / "model")
    (folder / name).write_text("not this")
    with pytest.raises(MienError, match=name):
        PunctuationModel.load(folder)
    (folder / name).unlink()
    with pytest.raises(MienError, match=f"no {name} in .*train_punctuation_model"):
        PunctuationModel.load(folder)


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(ASSETS / "punctuation", tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in tensors.items() if not k.startswith("classifier")}, folder / "model.safetensors")
    with pytest.raises(MienError, match=r"model\.safetensors does not fit .*config\.json"):
        PunctuationModel.load(folder)


# ── the text it learns from ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So. It is, I think", [("So", "."), ("It", " "), ("is", ","), ("I", " "), ("think", ".?!")]),
        ("What?! No... Yes!", [("What", "?"), ("No", "."), ("Yes", "!")]),
        ("well... maybe :)", [("well", " .,"), ("maybe", ".?!")]),
        ("Dr. Who said :) e.g. that; stop", [
            ("Dr", " "), ("Who", " "), ("said", " .?!,"), ("e.g", " "), ("that", " .,"), ("stop", ".?!"),
        ]),
        ("Is it -- or [NAME].end?", [("Is", " "), ("it", " "), ("or", " "), ("NAME].end", "?")]),
        ("done.Then \"go\" /s", [("done", "."), ("Then", " "), ("go", ".?!")]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("_scripts")
def test_marks_are_believed_by_rule(text: str, expected: list[tuple[str, str]]) -> None:
    from punctuated_text import marked_words

    bits = {" ": 1, ".": 2, "?": 4, "!": 8, ",": 16}
    assert [(w.text, w.marks) for w in marked_words(text)] == [(t, sum(bits[c] for c in m)) for t, m in expected]


@pytest.mark.usefixtures("_scripts")
def test_long_comment_without_an_end_is_not_trusted_to_have_none() -> None:
    from punctuated_text import marked_words

    assert all(word.is_trusted for word in marked_words("one two three"))
    long = marked_words("one two, three four five six seven eight nine ten eleven")
    assert [word.is_trusted for word in long] == [False, True, *[False] * 8, True]
    assert all(word.is_trusted for word in marked_words("one. two three four five six seven eight nine ten eleven"))


# ── the card ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("_scripts")
def test_card_is_written_from_the_shipped_metrics(model: PunctuationModel) -> None:
    from train_punctuation_model import write_card

    metrics = json.loads((ASSETS / "punctuation" / "metrics.json").read_text())["test"]
    card = (ASSETS / "punctuation" / "README.md").read_text(encoding="utf-8")
    assert card == write_card(metrics, threshold=model.config.threshold)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.usefixtures("_scripts")
def test_card_reports_what_the_shipped_weights_reach(model: PunctuationModel, real_data: Path) -> None:
    from punctuated_text import read_marked_words
    from train_punctuation_model import measure

    metrics = json.loads((ASSETS / "punctuation" / "metrics.json").read_text())["test"]
    comments = read_marked_words(real_data / "goemotions-ekman" / "test.tsv")
    found = measure(model, comments, every=metrics["every"], cases=("lower",))  # each takes most of a minute
    for kind in ("ends", "ends_inside"):
        assert found["lower"][kind]["f1"] == pytest.approx(metrics["lower"][kind]["f1"], abs=0.005)
    assert found["lower"]["ends"]["f1"] > 2 * found["lower"]["periodic"]["f1"]
    assert metrics["kept"]["ends"]["f1"] > metrics["kept"]["before_capital"]["f1"]
    assert f"F1 **{metrics['lower']['ends']['f1']}**" in (ASSETS / "punctuation" / "README.md").read_text()


@pytest.mark.real_data
@pytest.mark.parametrize(("is_lowered", "least_f1"), [(True, 0.6), (False, 0.85)])
def test_most_ends_of_subtitles_are_found_without_their_marks(
    model: PunctuationModel, real_data: Path, is_lowered: bool, least_f1: float
) -> None:
    captions, _ = read_captions(real_data / "people" / "franck.en.srt")
    words = " ".join(caption.text for caption in captions).split()
    is_end = np.array([word.endswith((".", "?", "!")) for word in words])
    found = np.array([m != "" for m in model.marks([w.lower() if is_lowered else w for w in map(bare, words)])])
    hits = (found & is_end).sum()
    assert 2 * hits / (found.sum() + is_end.sum()) >= least_f1
