"""Regrouping captions into sentences: where they end, when they are spoken, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.language.sentences import split_sentences
from mien.types import Caption, MienError


def captions(*rows: tuple[float, float, str]) -> list[Caption]:
    return [Caption(start_s=start_s, end_s=end_s, text=text) for start_s, end_s, text in rows]


def texts(*lines: str) -> list[str]:
    """The sentences of lines of one second each, one right after the other."""
    rows = captions(*((float(i), i + 1.0, line) for i, line in enumerate(lines)))
    return [sentence.text for sentence in split_sentences(rows)[0]]


def test_sentence_runs_over_captions_with_its_words_times() -> None:
    sentences, skipped = split_sentences(captions((0, 4, "I am here. So"), (5, 7, "are you.")))
    assert [(s.start_s, s.end_s, s.text) for s in sentences] == [(0, 3, "I am here."), (3, 7, "So are you.")]
    assert skipped == []


def test_nothing_is_lost_before_the_first_and_after_the_last_full_stop() -> None:
    assert texts("and then", "he left. She", "stayed") == ["and then he left.", "She stayed"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Stop! Who is it? Me… Fine.", ["Stop!", "Who is it?", "Me…", "Fine."]),
        ('"Go." "Why?" (So.) Yes', ['"Go."', '"Why?"', "Yes"]),
        ("He said “no.” Then left.", ["He said “no.”", "Then left."]),
        ("Wait... what?! Oh", ["Wait...", "what?!", "Oh"]),
        ("Dr. Who met Mrs. J. F. Kay at St. Ives.", ["Dr. Who met Mrs. J. F. Kay at St. Ives."]),
        ("The U.S. team won. So did I. Good.", ["The U.S. team won.", "So did I.", "Good."]),
        ("It costs 3.50 now. No. 5 is alive. No. Never.", ["It costs 3.50 now.", "No. 5 is alive.", "No.", "Never."]),
        ("Really ? Yes !", ["Really ?", "Yes !"]),
        ("no punctuation at all", ["no punctuation at all"]),
    ],
)
def test_where_sentences_end(line: str, expected: list[str]) -> None:
    assert texts(line) == expected


def test_long_silence_ends_a_sentence_and_a_short_one_does_not() -> None:
    apart = captions((0, 1, "so what"), (3.5, 4, "never mind"))
    close = captions((0, 1, "so what"), (3, 4, "never mind"))
    assert [s.text for s in split_sentences(apart)[0]] == ["so what", "never mind"]
    assert [s.text for s in split_sentences(close)[0]] == ["so what never mind"]


def test_note_in_brackets_is_taken_out_of_the_sentence_around_it() -> None:
    sentences, skipped = split_sentences(captions((0, 1, "I was"), (1, 2, "♪ [door slams]"), (2, 3, "out.")))
    assert [(s.start_s, s.end_s, s.text) for s in sentences] == [(0, 3, "I was out.")]
    assert [s.what for s in skipped] == ["1.000–2.000 s: [door slams]"]


def test_note_is_taken_out_of_a_sentence_and_its_words_stay() -> None:
    sentences, skipped = split_sentences(captions((0, 6, "Hi. (sighs) Go on. Bye.")))
    expected = [(0, 1.2, "Hi."), (2.4, 4.8, "Go on."), (4.8, 6, "Bye.")]
    assert [(s.start_s, s.end_s, s.text) for s in sentences] == [pytest.approx(row) for row in expected]
    assert [(s.what, s.reason) for s in skipped] == [("1.200–2.400 s: (sighs)", "it is a note in brackets, not speech")]


def test_no_captions_give_no_sentences() -> None:
    assert split_sentences([]) == ([], [])
    assert split_sentences(captions((0, 1, " "))) == ([], [])


words = st.sampled_from(["so", "we", "go.", "Dr.", "what?", "[music]", "(oh", "no)", "…", '"Yes!"', "I.", "3.5"])
lines = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(1, 5000), st.lists(words, min_size=1, max_size=8)), max_size=8
)


@given(lines=lines)
def test_every_word_is_in_one_sentence_or_listed_in_order_and_time(
    lines: list[tuple[int, int, list[str]]],
) -> None:
    rows, now_ms = [], 0
    for gap_ms, duration_ms, line in lines:
        start_ms, now_ms = now_ms + gap_ms, now_ms + gap_ms + duration_ms
        rows.append(Caption(start_s=start_ms / 1000, end_s=now_ms / 1000, text=" ".join(line)))
    sentences, skipped = split_sentences(rows)
    said = [(s.start_s, s.text) for s in sentences]
    listed = [s.what.split(" s: ", 1)[1] for s in skipped]
    spoken = " ".join(r.text for r in rows).split()
    assert sorted(" ".join([t for _, t in said] + listed).split()) == sorted(spoken)
    assert is_subsequence(" ".join(t for _, t in said).split(), spoken)
    assert all(s.start_s < s.end_s for s in sentences)
    assert all(a.end_s <= b.start_s for a, b in pairwise(sentences))
    if rows and sentences:
        assert rows[0].start_s <= sentences[0].start_s
        assert sentences[-1].end_s <= rows[-1].end_s


def is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


# ── marks restored ───────────────────────────────────────────────────────────────────────────────


class EveryFifth:
    """A punctuation model that ends a sentence after every fifth word it is given."""

    id = "every fifth"

    def __init__(self, mark: str = ".") -> None:
        self.mark = mark
        self.given: list[list[str]] = []

    def marks(self, words: Sequence[str]) -> list[str]:
        self.given.append([*words])
        return [self.mark if i % 5 == 4 else "" for i in range(len(words))]


def spoken(count: int, *, first: int = 0) -> str:
    return " ".join(f"w{i}" for i in range(first, first + count))


def test_marks_are_restored_in_a_file_without_any_between_speakers_and_silences() -> None:
    model = EveryFifth("?")
    rows = captions((0, 4, spoken(7)), (4, 8, f"- {spoken(26, first=7)}"), (11, 12, spoken(3, first=33)))
    sentences, _ = split_sentences(rows, punctuator=model)
    assert [len(words) for words in model.given] == [7, 26, 3]
    assert [s.text for s in sentences[:4]] == ["w0 w1 w2 w3 w4?", "w5 w6", "w7 w8 w9 w10 w11?", "w12 w13 w14 w15 w16?"]
    assert sentences[-1].text == "w33 w34 w35"


def test_punctuation_that_is_there_stays_and_gets_none_beside_it() -> None:
    lines = spoken(70).replace("w4 ", "w4, ").replace("w9 ", "w9… ").replace("w14 ", "w14- ")
    sentences, _ = split_sentences(captions((0, 9, lines)), punctuator=EveryFifth())
    assert [s.text for s in sentences[:2]] == [
        "w0 w1 w2 w3 w4, w5 w6 w7 w8 w9…",
        "w10 w11 w12 w13 w14- w15 w16 w17 w18 w19.",
    ]


def test_punctuated_file_is_left_alone_but_for_long_runs_without_an_end() -> None:
    model = EveryFifth()
    lines = f"Yes. {spoken(60)}. No. {spoken(61)}. Well. I am. Oh. Go. We. So."
    sentences, _ = split_sentences(captions((0, 60, lines)), punctuator=model)
    assert [len(words) for words in model.given] == [61]
    assert [len(s.text.split()) for s in sentences] == [1, 60, 1, *[5] * 12, 1, 1, 2, 1, 1, 1, 1]


def test_no_model_no_marks() -> None:
    assert texts(spoken(100)) == [spoken(100)]


def test_model_that_gives_other_than_a_mark_a_word_is_named() -> None:
    with pytest.raises(MienError, match="the punctuation model every fifth gave other than one mark a word"):
        split_sentences(captions((0, 9, spoken(60))), punctuator=EveryFifth(","))
