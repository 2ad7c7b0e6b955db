"""The tokenizer against the reference implementation of transformers, and its own promises."""

from __future__ import annotations

import html
import json
from pathlib import Path

import ftfy
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from mien.text import Tokenizer, clean
from mien.types import ASSETS, MienError

TEXTS = [
    "a person who is happy",
    "I can't believe you're HERE!!! don't...",
    "  tabs\tand\nlines   ",
    "Élan, naïve façade; 東京 and 😀😂",
    "in 1999 they paid $3.50 & left <b>it</b>",
    "",
    "supercalifragilisticexpialidocious " * 20,
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.clip()


@pytest.fixture(scope="module")
def reference() -> CLIPTokenizer:
    """transformers' implementation, given the vocabulary and merges of our file."""
    model = json.loads((ASSETS / "clip_bpe" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    return CLIPTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


def reference_rows(reference: CLIPTokenizer, texts: list[str]) -> list[list[int]]:
    repaired = [html.unescape(html.unescape(ftfy.fix_text(text))) for text in texts]
    return [reference(text, truncation=True, max_length=77)["input_ids"] for text in repaired]


def test_known_sentence_has_the_published_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["a person who is happy"]).tolist() == [[49406, 320, 2533, 822, 533, 900, 49407]]


def test_special_ids_and_vocabulary_are_clips(tokenizer: Tokenizer) -> None:
    assert (tokenizer.sot_id, tokenizer.eot_id, tokenizer.vocab_size) == (49406, 49407, 49408)


def test_ids_equal_the_reference(tokenizer: Tokenizer, reference: CLIPTokenizer) -> None:
    for text, expected in zip(TEXTS, reference_rows(reference, TEXTS), strict=True):
        assert tokenizer.encode([text])[0].tolist() == expected, text


@given(text=st.text(max_size=60))
@example(text="÷À")
def test_ids_equal_the_reference_on_any_text(tokenizer: Tokenizer, reference: CLIPTokenizer, text: str) -> None:
    """Both are given the cleaned text: cleaning twice is not cleaning once ("÷À", lower-cased, looks like mojibake)."""
    assert tokenizer.encode([text])[0].tolist() == reference(clean(text), truncation=True, max_length=77)["input_ids"]


@given(
    texts=st.lists(st.text(max_size=80), min_size=1, max_size=5),
    context_length=st.integers(min_value=2, max_value=40),
)
def test_rows_start_end_and_fit(tokenizer: Tokenizer, texts: list[str], context_length: int) -> None:
    ids = tokenizer.encode(texts, context_length=context_length)
    assert ids.shape[0] == len(texts)
    assert ids.shape[1] <= context_length
    assert (ids[:, 0] == tokenizer.sot_id).all()
    assert (ids[:, -1] == tokenizer.eot_id).all()
    alone = [tokenizer.encode([text], context_length=context_length)[0] for text in texts]
    assert max(map(len, alone)) == ids.shape[1]
    for row, single in zip(ids, alone, strict=True):
        assert torch.equal(row[: len(single)], single)
        assert (row[len(single) :] == tokenizer.eot_id).all()


def test_batch_is_padded_to_its_longest_text_only(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["joy", "a person who is happy"]).shape == (2, 7)
    assert tokenizer.encode([]).shape == (0, 0)


def test_truncation_keeps_the_end_token_and_is_reported(tokenizer: Tokenizer) -> None:
    texts = ["word " * 75, "word " * 76, "short"]
    assert tokenizer.encode(texts)[1, -1] == tokenizer.eot_id
    assert tokenizer.truncated(texts) == [1]
    assert tokenizer.truncated(texts, context_length=4) == [0, 1]


def test_cleaning_repairs_unescapes_and_lowers() -> None:
    assert clean(" It&amp;#39;s   GREAT\n&lt;3 â€œreallyâ€\x9d") == 'it\'s great <3 "really"'


def test_saved_tokenizer_loads_to_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    assert torch.equal(Tokenizer.load(tmp_path / "tokenizer.json").encode(TEXTS), tokenizer.encode(TEXTS))


def test_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no tokenizer at .*nothing\.json"):
        Tokenizer.load(tmp_path / "nothing.json")
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(MienError, match=r"broken\.json is not a Hugging Face tokenizer"):
        Tokenizer.load(tmp_path / "broken.json")


def test_tokenizer_without_clips_special_tokens_is_refused(tmp_path: Path) -> None:
    data = json.loads((ASSETS / "clip_bpe" / "tokenizer.json").read_text(encoding="utf-8"))
    data["added_tokens"], data["post_processor"] = [], None
    data["model"]["vocab"].pop("<|startoftext|>")
    (tmp_path / "other.json").write_text(json.dumps(data))
    with pytest.raises(MienError, match=r"other\.json has no token <\|startoftext\|>"):
        Tokenizer.load(tmp_path / "other.json")


def test_a_single_string_and_a_tiny_context_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(MienError, match=r"pass \[text\]"):
        tokenizer.encode("joy")
    with pytest.raises(MienError, match="context_length = 1"):
        tokenizer.encode(["joy"], context_length=1)


# ── a smaller vocabulary ─────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def small() -> Tokenizer:
    return Tokenizer.clip(vocab_size=2000)


def decoded(tokenizer: Tokenizer, token_ids: list[int]) -> str:
    """The words that the ids between start and end stand for."""
    words = [tokenizer._bpe.id_to_token(i) for i in token_ids]
    assert words[0] == "<|startoftext|>"
    end = words.index("<|endoftext|>")
    return "".join(words[1:end]).replace("</w>", " ").strip()


def test_smaller_vocabulary_has_its_special_tokens_at_the_end(small: Tokenizer) -> None:
    assert (small.sot_id, small.eot_id, small.vocab_size) == (1998, 1999, 2000)
    ids = small.encode(TEXTS)
    assert ids.max() == small.eot_id
    assert (ids[:, 0] == small.sot_id).all()


def test_smaller_vocabulary_says_the_same_in_more_tokens(small: Tokenizer, tokenizer: Tokenizer) -> None:
    text = "The furious person raises both eyebrows."
    rows = [t.encode([text])[0].tolist() for t in (small, tokenizer)]
    assert len(rows[0]) > len(rows[1])
    assert decoded(small, rows[0]) == decoded(tokenizer, rows[1]) == "the furious person raises both eyebrows ."
    assert small.encode(["the"]).tolist() == [[1998, tokenizer.encode(["the"])[0, 1], 1999]]  # merges keep their ids


def test_size_that_the_captions_tokenizer_is_said_to_have_keeps_angry_whole_and_cuts_furious() -> None:
    twelve_thousand = Tokenizer.clip(vocab_size=12_288)
    lengths = [len(twelve_thousand.encode([word])[0]) - 2 for word in ("angry", "furious")]
    assert lengths[0] == 1
    assert lengths[1] > 1


def test_whole_vocabulary_is_clips(tokenizer: Tokenizer) -> None:
    assert torch.equal(Tokenizer.clip(vocab_size=49_408).encode(TEXTS), tokenizer.encode(TEXTS))


def test_smaller_tokenizer_is_saved_and_loaded(small: Tokenizer, tmp_path: Path) -> None:
    small.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert torch.equal(loaded.encode(TEXTS), small.encode(TEXTS))
    assert loaded.vocab_size == 2000


@pytest.mark.parametrize("vocab_size", [0, 514, 49_409])
def test_vocabulary_that_cannot_be_cut_from_clips_is_refused(vocab_size: int) -> None:
    with pytest.raises(MienError, match=f"{vocab_size} tokens cannot be cut from CLIP's: choose 515 to 49408"):
        Tokenizer.clip(vocab_size=vocab_size)
    assert Tokenizer.clip(vocab_size=515).vocab_size == 515
