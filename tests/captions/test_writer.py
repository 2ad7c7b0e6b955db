"""Captions from votes: deterministic, varied, graded, honest about what they are, within CLIP's length."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.captions.lexicon import FACE_EMOTIONS, REGIONS, Level, lexicon
from mien.captions.phrase import Options, draw, parse_phrase, slots_of
from mien.captions.record import CaptionRecord, fields_of, record_of
from mien.captions.writer import rewrite_caption, write_caption, write_label_caption
from mien.text import Tokenizer
from mien.types import MienError

EMFACS = {
    "happiness": {"6", "12"},
    "surprise": {"1", "2", "5", "26"},
    "sadness": {"1", "4", "15"},
    "anger": {"4", "5", "7", "23"},
    "disgust": {"9", "15", "16"},
    "fear": {"1", "2", "4", "5", "7", "20", "26"},
    "contempt": {"R12", "R14"},
}
VOTES = st.dictionaries(st.sampled_from(FACE_EMOTIONS), st.integers(1, 10), min_size=1)


def words_of(options: Options) -> set[str]:
    return {part for phrase in options for part in phrase.parts if isinstance(part, str)}


def many(votes: dict[str, float], count: int = 300) -> list[CaptionRecord]:
    return [write_caption(votes, image="a", seed=0, variant=variant) for variant in range(count)]


def says(record: CaptionRecord, emotion: str, level: Level = "clear") -> bool:
    """Whether the sentence on the whole face has a word of the emotion."""
    words = lexicon().emotions[emotion]
    known = words_of(words.nouns[level]) | words_of(words.adjectives[level]) | {emotion}
    return any(word in record.overall.lower() for word in known)


# ── the words ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("emotion", FACE_EMOTIONS)
def test_every_emotion_has_ten_words_of_each_kind_and_a_sign_in_each_region(emotion: str) -> None:
    words = lexicon().emotions[emotion]
    assert len(words_of(words.nouns["clear"]) | words_of(words.adjectives["clear"])) >= 15
    assert {sign.region for sign in words.signs} == set(REGIONS)


@pytest.mark.parametrize("emotion", EMFACS)
def test_signs_hold_the_action_units_of_emfacs(emotion: str) -> None:
    held = {unit for sign in lexicon().emotions[emotion].signs for unit in sign.units}
    assert EMFACS[emotion] <= held
    assert held - EMFACS[emotion] <= {"17", "25", "26"}  # chin raiser, lips part and jaw drop go along with some


def test_phrase_is_drawn_with_its_choices_slots_and_articles() -> None:
    phrase = parse_phrase("a [<adj>|<adj>] face,  [|] of <noun>.")
    slots = {"adj": (parse_phrase("angry"),), "noun": (parse_phrase("rage"),)}
    assert slots_of(phrase) == {"adj", "noun"}
    assert draw((phrase,), slots, lambda: 0.5) == "An angry face, of rage."


# ── the captions ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_equal_arguments_give_equal_captions_in_another_process_too() -> None:
    code = (
        "from mien.captions.writer import write_caption\n"
        "print(write_caption({'fear': 6, 'surprise': 4}, image='a/b', seed=3, variant=2).summary)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == write_caption({"fear": 6, "surprise": 4}, image="a/b", seed=3, variant=2).summary


def test_seed_image_and_variant_each_give_another_caption() -> None:
    votes = {"sadness": 8.0, "fear": 2.0}
    drawn = {
        write_caption(votes, image=image, seed=seed, variant=variant).sentences
        for image in "ab"
        for seed in (0, 1)
        for variant in (0, 1)
    }
    assert len(drawn) == 8


@given(votes=VOTES, variant=st.integers(0, 10**6), graded=st.booleans())
def test_any_votes_give_whole_sentences_and_one_a_region(votes: dict[str, int], variant: int, graded: bool) -> None:
    record = write_caption(votes, image="a", seed=0, variant=variant, graded=graded)
    assert record_of(fields_of(record)).image == "a"
    assert 3 <= len(record.local) <= 5
    for text in record.sentences:
        assert text == " ".join(text.split())
        assert not set("<>[]|") & set(text)
        assert " a a" not in text
    assert all(text.endswith(".") and text[0].isupper() for text in (*record.local, record.summary))


def test_every_sentence_fits_clip() -> None:
    texts = [
        text for e in FACE_EMOTIONS for record in many({e: 6, "fear": 3, "anger": 2}, 40) for text in record.sentences
    ]
    assert Tokenizer.clip().truncated(texts) == []


def test_whole_captions_hardly_ever_recur_and_prompts_are_among_them() -> None:
    records = many({"anger": 10}, 1000)
    assert len({record.sentences for record in records}) == 1000
    overall = Counter(record.overall.rstrip(".").lower() for record in records)
    assert len(overall) > 500
    prompts = ("anger", "an expression of anger", "a photo of a face with an expression of anger", "an angry face")
    assert all(0 < overall[prompt] < 60 for prompt in prompts)


def test_mixtures_name_both_emotions_and_an_emotion_alone_no_other() -> None:
    both = [says(r, "fear") and says(r, "surprise") for r in many({"fear": 7, "surprise": 3})]
    assert sum(both) > 0.8 * len(both)  # short forms may name the first alone
    assert not any(says(record, "surprise") for record in many({"fear": 10}))


def test_a_single_vote_of_ten_is_not_told() -> None:
    assert not any(says(record, "contempt") for record in many({"sadness": 9, "contempt": 1}))
    assert many({"sadness": 9, "contempt": 1}, 1)[0].votes == {"sadness": 0.9, "contempt": 0.1}


def test_degree_follows_agreement() -> None:
    hedges = ("may ", "might ", "could ", "perhaps", "possibly", "maybe")

    def hedged(votes: dict[str, float]) -> list[bool]:
        return [any(hedge in text.lower() for hedge in hedges) for record in many(votes, 50) for text in record.local]

    assert not any(hedged({"anger": 10}))
    assert not any(hedged({"anger": 7, "fear": 1, "disgust": 1, "sadness": 1}))
    assert all(hedged({"anger": 5, "disgust": 5}))


def test_intense_words_are_kept_for_what_nearly_all_agree_on() -> None:
    furious = [any("furious" in r.overall.lower() for r in many({"anger": 3, "fear": n}, 300)) for n in (0, 2)]
    assert furious == [True, False]


def test_a_bare_label_is_told_without_degree() -> None:
    told = [write_label_caption("fear", image="a", seed=0, variant=v, source="labels:rafdb") for v in range(300)]
    words = {word.strip(".,").lower() for record in told for text in record.sentences for word in text.split()}
    assert not words & {"very", "clearly", "slightly", "somewhat", "may", "strong", "terrified", "perhaps", "marked"}
    assert told[0].votes == {"fear": 1.0}
    assert told[0].source == "labels:rafdb"


def test_rewritten_caption_keeps_source_votes_and_grade() -> None:
    first = write_label_caption("anger", image="a", seed=0, source="labels:rafdb")
    again = rewrite_caption(record_of(fields_of(first)), seed=0, variant=7)
    assert again == write_label_caption("anger", image="a", seed=0, variant=7, source="labels:rafdb")
    with pytest.raises(MienError, match="the caption by human was not written from votes"):
        rewrite_caption(CaptionRecord(image="a", overall="x", summary="y", source="human"), seed=0, variant=1)


@pytest.mark.parametrize("votes", [{}, {"fear": 0}, {"joy": 3}, {"fear": 2, "anger": -1}, {"fear": float("nan")}])
def test_votes_of_which_nothing_can_be_told_are_refused(votes: dict[str, float]) -> None:
    with pytest.raises(MienError, match="no caption can be written of the votes"):
        write_caption(votes, image="a", seed=0)


# ── the documentation ────────────────────────────────────────────────────────────────────────────

PAGE = (Path(__file__).parents[2] / "docs/captions.md").read_text(encoding="utf-8")


def test_documented_record_is_what_comes_out() -> None:
    [told] = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    record = write_caption({"fear": 6, "surprise": 4}, image="a", seed=0, variant=3, source="labels:ferplus")
    assert fields_of(record) == json.loads(told)


def test_documented_examples_are_what_comes_out() -> None:
    rows = re.findall(r"^\| ((?:[a-z]+ \d+(?:, )?)+) \| (\d) \| (.*) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 8
    for votes, variant, overall, summary in rows:
        counts = {name: int(count) for name, count in (vote.split() for vote in votes.split(", "))}
        record = write_caption(counts, image="a", seed=0, variant=int(variant))
        assert (record.overall, record.summary) == (overall, summary)
