"""Rolling captions: each line once; what is really said twice stays."""

from __future__ import annotations

from mien.language.formats.cue import Cue
from mien.language.rolling import unroll


def cues(*rows: tuple[float, float, str]) -> list[Cue]:
    return [Cue(where="v", start_s=start, end_s=end, lines=tuple(text.split("/"))) for start, end, text in rows]


def said(*rows: tuple[float, float, str]) -> list[tuple[float, str]]:
    return [(cue.start_s, cue.text) for cue in unroll(cues(*rows), source="v")[0]]


def test_youtube_flashes_and_repeated_first_lines_go() -> None:
    rows = ((0.0, 2.0, "/hello"), (2.0, 2.01, "hello/"), (2.01, 4.0, "hello/there"), (4.0, 4.01, "there/"))
    assert said(*rows) == [(0.0, "hello"), (2.01, "there")]
    assert [s.what for s in unroll(cues(*rows), source="v")[1]] == [
        "v: 3 lines that stand in the caption before already"
    ]


def test_lines_really_said_twice_stay_in_rolling_captions() -> None:
    rows = (
        (0.0, 2.0, "no"), (2.0, 2.01, "no"), (2.01, 4.0, "no/no"), (4.0, 4.01, "no"), (4.01, 6.0, "no/no no"),
        (6.0, 6.01, "no no"),
    )  # fmt: skip
    assert said(*rows) == [(0.0, "no"), (2.01, "no"), (4.01, "no no")]


def test_roll_up_of_television_adds_a_line_below() -> None:
    rows = ((0.0, 1.0, "a"), (1.0, 2.0, "a/b"), (2.0, 3.0, "a/b/c"), (3.0, 4.0, "b/c/d"))
    assert said(*rows) == [(0.0, "a"), (1.0, "b"), (2.0, "c"), (3.0, "d")]


def test_live_captions_grow_word_by_word() -> None:
    rows = ((0.0, 1.0, "so"), (1.0, 2.0, "so we"), (2.0, 3.0, "so we go"), (3.0, 4.0, "so we go/now"))
    assert said(*rows) == [(0.0, "so"), (1.0, "we"), (2.0, "go"), (3.0, "now")]


def test_ordinary_captions_that_repeat_stay() -> None:
    rows = ((0.0, 1.0, "Bye."), (1.0, 2.0, "Bye."), (2.0, 3.0, "I"), (3.0, 4.0, "I do."), (4.0, 5.0, "Yes."),
            (5.0, 6.0, "Now/go."), (6.0, 7.0, "Oh."))  # fmt: skip
    assert said(*rows) == [(start, text.replace("/", " ")) for start, _, text in rows]
    assert unroll(cues(*rows), source="v")[1] == []


def test_line_after_a_pause_is_said_again() -> None:
    rows = ((0.0, 1.0, "a"), (1.0, 2.0, "a/b"), (2.0, 3.0, "b/c"), (9.0, 10.0, "c/d"))
    assert said(*rows) == [(0.0, "a"), (1.0, "b"), (2.0, "c"), (9.0, "c d")]
