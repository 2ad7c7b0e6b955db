"""Spoken words: when each is said, who takes over, and what is listed as left out."""

from __future__ import annotations

import pytest

from mien.language.spoken import spoken_words
from mien.types import Caption, Word


def captions(*rows: tuple[float, float, str]) -> list[Caption]:
    return [Caption(start_s=start_s, end_s=end_s, text=text) for start_s, end_s, text in rows]


def timed(*rows: tuple[float, float, str]) -> Caption:
    words = tuple(Word(start_s=start_s, end_s=end_s, text=text) for start_s, end_s, text in rows)
    text = " ".join(word.text for word in words)
    return Caption(start_s=words[0].start_s, end_s=words[-1].end_s, text=text, words=words)


def times(*given: Caption) -> list[tuple[float, float, str]]:
    return [(pytest.approx(w.start_s), pytest.approx(w.end_s), w.text) for w in spoken_words(given)[0]]


def test_time_is_spread_evenly_over_words_and_notes_but_not_over_names_and_dashes() -> None:
    assert times(*captions((0, 4, "- ANN: Oh (sighs)\n- I did."))) == [(0, 1, "Oh"), (2, 3, "I"), (3, 4, "did.")]


def test_letters_of_japanese_take_a_word_s_time_each() -> None:
    assert times(*captions((0, 7, "はい。そうです。"))) == [(0, 7 * 2 / 6, "はい。"), (7 * 2 / 6, 7, "そうです。")]


def test_own_times_hold_and_wrong_ones_are_replaced_by_shares() -> None:
    assert times(timed((1, 1.2, "a"), (3, 3.1, "b"), (2, 2.5, "c"), (5, 6, "d"))) == [
        (1, 1.2, "a"), (3, 3.1, "b"), (3.1, 5, "c"), (5, 6, "d"),
    ]  # fmt: skip


def test_note_between_words_with_times_leaves_a_silence() -> None:
    assert times(timed((0, 1, "so"), (1, 3, "[music]"), (3, 4, "we"))) == [(0, 1, "so"), (3, 4, "we")]


def test_where_another_speaker_takes_over() -> None:
    words, _ = spoken_words(captions((0, 1, "Hi. >> Ann: So"), (1, 2, "- you (sighs)\n- MAN: (laughs) are")))
    assert [(word.text, word.starts_turn) for word in words] == [
        ("Hi.", False), ("So", True), ("you", True), ("are", True),
    ]  # fmt: skip


def test_all_that_is_left_out_is_listed_with_its_time() -> None:
    words, skipped = spoken_words(
        captions((0, 2, "ANN: Oh [ __ ]"), (2, 3, "♪ la la ♪"), (3, 4, "*sighs*"), (4, 5, "…"), (5, 6, "…"))
    )
    assert [word.text for word in words] == ["Oh … …"]
    assert [(s.what, s.reason) for s in skipped] == [
        ("0.000–2.000 s: ANN:", "it is a speaker's name, not speech"),
        ("0.000–2.000 s: [ __ ]", "it is a note in brackets, not speech"),
        ("2.000–3.000 s: ♪ la la ♪", "it is sung, not spoken"),
        ("3.000–4.000 s: *sighs*", "it is a note between asterisks, not speech"),
    ]
    assert [s.reason for s in spoken_words(captions((0, 1, "…")))[1]] == ["it has no words"]


def test_what_two_rules_leave_out_is_listed_once() -> None:
    words, skipped = spoken_words(captions((0, 1, "(oh"), (1, 2, "no) so ♪")))
    assert words == []
    assert [(s.what, s.reason) for s in skipped] == [
        ("0.000–1.000 s: (oh", "it is a note in brackets, not speech"),
        ("1.000–2.000 s: no) so ♪", "it is sung, not spoken"),
    ]


def test_note_does_not_span_a_silence() -> None:
    assert [w.text for w in spoken_words(captions((0, 1, "We [go"), (3.1, 4, "on] now")))[0]] == [
        "We", "[go", "on]", "now",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["[" * 1000, "(" * 1000 + ")" * 1000, "*a" * 1000, "- " * 1000, "A " * 1000, "♪a" * 1000]
)
def test_strange_text_is_spoken_or_listed_all_the_same(text: str) -> None:
    words, skipped = spoken_words(captions((0, 1, text)))
    assert len(words) <= 1000
    kept = "".join(word.text for word in words) + "".join(s.what.split(" s: ", 1)[1] for s in skipped)
    assert sorted(filter(str.isalnum, kept)) == sorted(filter(str.isalnum, text))
