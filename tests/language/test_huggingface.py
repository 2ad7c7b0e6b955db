"""Models of the hub: small random ones, saved and loaded as real ones are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.language.hub_punctuation import CONTEXT_WORDS, HuggingFacePunctuator, mark_of_labels
from mien.language.hub_sentiment import HuggingFaceSentiment, emotion_order
from mien.language.huggingface import is_transformers_folder
from mien.language.punctuation import MARKS, Punctuator, build_punctuator
from mien.language.sentiment import SentimentModel, build_sentiment
from mien.types import ASSETS, EMOTIONS, MienError

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from tiny_transformers import WORDS, save_classifier  # noqa: E402

HARTMANN = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
SHUFFLED = ["Happiness", "sad", "NEUTRAL", "angry", "surprised", "fear", "Disgust"]
PUNCTUATION = ["O", "COMMA", "PERIOD", "QUESTION", "EXCLAMATION"]


@pytest.fixture(scope="module")
def sentiment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "seven"
    return save_classifier(folder, kind="SequenceClassification", labels=SHUFFLED)


@pytest.fixture(scope="module")
def punctuation_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "marks"
    return save_classifier(folder, kind="TokenClassification", labels=PUNCTUATION)


@pytest.fixture(scope="module")
def sentiment(sentiment_folder: Path) -> HuggingFaceSentiment:
    return HuggingFaceSentiment.load(str(sentiment_folder))


@pytest.fixture(scope="module")
def punctuator(punctuation_folder: Path) -> HuggingFacePunctuator:
    return HuggingFacePunctuator.load(str(punctuation_folder))


# ── sentiment ────────────────────────────────────────────────────────────────────────────────────


def test_labels_are_put_in_the_order_of_the_emotions() -> None:
    assert emotion_order(HARTMANN, source="") == list(range(7))
    assert emotion_order(SHUFFLED, source="") == [3, 6, 5, 0, 2, 1, 4]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (HARTMANN[:5], "missing: sadness, surprise"),
        ([*HARTMANN, "love"], "not one of the seven: love"),
        ([*HARTMANN, "happy"], "more than once: joy"),
        ([f"LABEL_{i}" for i in range(7)], "not one of the seven: LABEL_0, LABEL_1"),
    ],
)
def test_labels_that_are_not_the_seven_are_named(labels: list[str], problem: str) -> None:
    with pytest.raises(MienError, match=f"some/model has the labels {labels[0]}.*{problem}"):
        emotion_order(labels, source="some/model")


def test_logits_are_the_models_own_in_our_order(sentiment_folder: Path, sentiment: HuggingFaceSentiment) -> None:
    texts = ["I am so happy.", "", "stop " * 200, "what do you mean?"]
    model = transformers.AutoModelForSequenceClassification.from_pretrained(sentiment_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(sentiment_folder)
    for text, ours in zip(texts, sentiment.logits(texts), strict=True):
        with torch.inference_mode():
            theirs = model(**tokenizer(text, truncation=True, max_length=62, return_tensors="pt")).logits[0]
        by_name = dict(zip(SHUFFLED, theirs.tolist(), strict=True))
        names = ["angry", "Disgust", "fear", "Happiness", "NEUTRAL", "sad", "surprised"]
        np.testing.assert_allclose(ours, [by_name[name] for name in names], atol=1e-5)
    assert sentiment.logits([]).shape == (0, len(EMOTIONS))


def test_logits_do_not_depend_on_how_texts_are_batched(sentiment: HuggingFaceSentiment) -> None:
    texts = [" ".join(WORDS[: 1 + i % 15]) for i in range(70)]
    alone = np.concatenate([sentiment.logits([text]) for text in texts])
    np.testing.assert_allclose(sentiment.logits(texts), alone, atol=1e-4)


def test_scores_that_are_no_distribution_are_refused(tmp_path: Path) -> None:
    folder = save_classifier(
        tmp_path / "many",
        kind="SequenceClassification",
        labels=HARTMANN,
        problem_type="multi_label_classification",
    )
    with pytest.raises(MienError, match="many scores each label on its own"):
        HuggingFaceSentiment.load(str(folder))


# ── punctuation ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("labels", "meant"),
    [
        (PUNCTUATION, ["", "", ".", "?", "!"]),
        (["0", ".", ",", "?", "-", ":"], ["", ".", "", "?", "", ""]),
        (["OU", "OO", ".O", "!O", ",O", ".U", "!U", "?U"], ["", "", ".", "!", "", ".", "!", "?"]),
        (["B-PERIOD", "B-QUESTIONMARK", "O"], [".", "?", ""]),
        (["FULL_STOP", "none"], [".", ""]),
    ],
)
def test_labels_mean_the_mark_they_hold(labels: list[str], meant: list[str]) -> None:
    assert [MARKS[i] for i in mark_of_labels(labels, source="")] == meant


@pytest.mark.parametrize("labels", [["O", "B-PER", "I-PER"], ["LABEL_0", "LABEL_1"], [".", "?"]])
def test_labels_of_something_else_are_named(labels: list[str]) -> None:
    with pytest.raises(MienError, match=f"some/model has the labels {re.escape(', '.join(labels))}"):
        mark_of_labels(labels, source="some/model")


def test_marks_of_a_short_text_are_the_models_own(punctuation_folder: Path, punctuator: HuggingFacePunctuator) -> None:
    """All words are one token here, so that the rule for several does not matter."""
    words = list(reversed(WORDS))
    model = transformers.AutoModelForTokenClassification.from_pretrained(punctuation_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(punctuation_folder)
    with torch.inference_mode():
        probabilities = model(**tokenizer(" ".join(words), return_tensors="pt")).logits[0, 1:-1].softmax(dim=1)
    no_end = probabilities[:, :2].sum(dim=1, keepdim=True)  # a comma is none
    best = torch.cat([no_end, probabilities[:, 2:]], dim=1).argmax(dim=1)
    expected = [["", ".", "?", "!"][i] for i in best]
    assert punctuator.marks(words) == expected
    assert len(set(expected)) > 1


@settings(deadline=None)  # a busy machine is no failure
@given(
    words=st.lists(
        st.sampled_from([*WORDS, "Supercalifragilistic", "x" * 200, "--", "don’t!", "東京", "♪", ""]), max_size=150
    )
)
def test_every_word_gets_a_mark_whatever_the_length(punctuator: HuggingFacePunctuator, words: list[str]) -> None:
    marks = punctuator.marks(words)
    assert len(marks) == len(words)
    assert set(marks) <= set(MARKS)
    assert all(mark == "" for word, mark in zip(words, marks, strict=True) if word in ("--", "♪", ""))


def test_marks_in_the_middle_of_a_long_text_are_those_of_the_text_around_it(tmp_path: Path) -> None:
    """A window reads 510 one-token words, the last maybe in part: 509 of 600, of which it decides 477."""
    folder = save_classifier(tmp_path / "long", kind="TokenClassification", labels=PUNCTUATION, max_positions=514)
    punctuator = HuggingFacePunctuator.load(str(folder))
    words = [WORDS[i * i % 15] for i in range(600)]
    marks = punctuator.marks(words)
    assert marks[:477] == punctuator.marks(words[:510])[:477]
    assert marks[477:] == punctuator.marks(words[477 - CONTEXT_WORDS :])[CONTEXT_WORDS:]


# ── loading ──────────────────────────────────────────────────────────────────────────────────────


def test_models_are_built_by_name(sentiment_folder: Path, punctuation_folder: Path) -> None:
    for name in (str(sentiment_folder), f"hf:{sentiment_folder}"):
        sentiment = build_sentiment(name)
        assert isinstance(sentiment, SentimentModel)
        assert isinstance(sentiment, HuggingFaceSentiment)
    for name in (str(punctuation_folder), f"hf:{punctuation_folder}"):
        punctuator = build_punctuator(name)
        assert isinstance(punctuator, Punctuator)
        assert isinstance(punctuator, HuggingFacePunctuator)
    assert build_sentiment().id == build_sentiment(str(ASSETS / "utterance")).id
    with pytest.raises(MienError, match="no sentiment model nothing"):
        build_sentiment("nothing")
    with pytest.raises(MienError, match="no punctuation model nothing"):
        build_punctuator("nothing")


def test_only_folders_of_transformers_are_taken_for_such(sentiment_folder: Path, tmp_path: Path) -> None:
    assert is_transformers_folder(sentiment_folder)
    assert not is_transformers_folder(ASSETS / "utterance")
    assert not is_transformers_folder(tmp_path)


def test_id_names_the_folder_and_its_content(sentiment_folder: Path, tmp_path: Path) -> None:
    first = HuggingFaceSentiment.load(str(sentiment_folder)).id
    assert re.fullmatch(r"seven@[0-9a-f]{12}", first)
    folder = shutil.copytree(sentiment_folder, tmp_path / "seven")
    assert HuggingFaceSentiment.load(str(folder)).id == first
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-6}))
    assert HuggingFaceSentiment.load(str(folder)).id != first


def test_model_without_the_head_it_needs_is_refused(
    sentiment_folder: Path, punctuation_folder: Path, tmp_path: Path
) -> None:
    bare_bert = save_classifier(tmp_path / "bare", kind="SequenceClassification", labels=HARTMANN)
    transformers.AutoModel.from_pretrained(bare_bert).save_pretrained(bare_bert)
    with pytest.raises(MienError, match="bare has no trained classifier"):
        HuggingFaceSentiment.load(str(bare_bert))


def test_folder_that_cannot_be_loaded_is_named(sentiment_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sentiment_folder, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"not this")
    with pytest.raises(MienError, match="broken cannot be loaded as a SequenceClassification model"):
        HuggingFaceSentiment.load(str(folder))


def test_hub_id_that_cannot_be_fetched_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MienError, match="nobody/nothing@v1 is not a folder here, and could not be fetched"):
        build_sentiment("hf:nobody/nothing@v1")
    with pytest.raises(MienError, match=r"no model folder at ~/a/b/c; give one, or a hub id"):
        build_punctuator("hf:~/a/b/c")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MienError, match=r"nobody/nothing needs .* pip install 'mien\[hf\]'"):
        build_punctuator("hf:nobody/nothing")


@pytest.mark.slow
def test_id_of_a_hub_model_names_the_commit_that_was_resolved(sentiment_folder: Path, tmp_path: Path) -> None:
    """The hub's cache, laid out as its client does, stands for the hub."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--owner--seven"
    shutil.copytree(sentiment_folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    for ref in ("main", "v1"):
        (repository / "refs" / ref).write_text(commit)
    code = (
        "from mien.language.sentiment import build_sentiment as build\n"
        "print(build('hf:owner/seven').id, build('hf:owner/seven@v1').id)"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [f"owner/seven@{commit}"] * 2, done.stderr
