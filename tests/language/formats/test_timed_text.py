"""WebVTT and SubRip as tools really write them: inline times, voices, underlined words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.language.subtitles import read_captions
from mien.types import Word


def words(path: Path) -> list[tuple[float, float, str]]:
    return [
        (round(w.start_s, 6), round(w.end_s, 6), w.text) for caption in read_captions(path)[0] for w in caption.words
    ]


YOUTUBE_VTT = """WEBVTT
Kind: captions
Language: en

00:00:00.240 --> 00:00:02.350 align:start position:0%
~
hello<00:00:00.480><c> and</c><00:00:00.719><c> welcome</c>

00:00:02.350 --> 00:00:02.360 align:start position:0%
hello and welcome
~

00:00:02.360 --> 00:00:04.630 align:start position:0%
hello and welcome
to<00:00:02.520><c> the</c><00:00:04.000><c> R&amp;B</c>

00:00:04.630 --> 00:00:04.640 align:start position:0%
to the R&amp;B
~

00:00:04.640 --> 00:00:06.000 align:start position:0%
to the R&amp;B
show
""".replace("~", " ")  # a line of one space


def test_youtube_vtt_says_each_word_once_at_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "v.en.vtt"
    path.write_text(YOUTUBE_VTT, encoding="utf-8")
    captions, skipped = read_captions(path)
    assert [c.text for c in captions] == ["hello and welcome", "to the R&B", "show"]
    assert words(path) == [
        (0.24, 0.48, "hello"), (0.48, 0.719, "and"), (0.719, 1.719, "welcome"),
        (2.36, 2.52, "to"), (2.52, 3.52, "the"), (4.0, 4.63, "R&B"),
    ]  # fmt: skip
    assert (captions[-1].start_s, captions[-1].end_s) == (4.64, 6.0)
    assert [s.what for s in skipped] == ["v.en.vtt: 4 lines that stand in the caption before already"]


TEAMS_VTT = """WEBVTT

0f1/5-0
00:00:01.000 --> 00:00:02.000
<v Ann Lee>Did you</v>

0f1/6-0
00:00:02.000 --> 00:00:03.000
<v Ann Lee>see it?</v>

0f1/7-0
00:00:03.000 --> 00:00:04.000
<v.loud Bob>I did.</v>
"""


def test_voice_that_changes_is_marked_as_captioners_do(tmp_path: Path) -> None:
    path = tmp_path / "v.vtt"
    path.write_text(TEAMS_VTT, encoding="utf-8")
    assert [c.text for c in read_captions(path)[0]] == ["Did you", "see it?", ">> I did."]


WHISPERX_SRT = """1
00:00:00,000 --> 00:00:00,300
<u>No,</u> no way.

2
00:00:00,300 --> 00:00:00,500
No, no way.

3
00:00:00,500 --> 00:00:00,700
No, <u>no</u> way.

4
00:00:00,700 --> 00:00:01,200
No, no <u>way.</u>
"""


def test_words_underlined_one_after_the_other_are_one_caption_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "v.srt"
    path.write_text(WHISPERX_SRT, encoding="utf-8")
    assert [(c.start_s, c.end_s, c.text) for c in read_captions(path)[0]] == [(0.0, 1.2, "No, no way.")]
    assert words(path) == [(0.0, 0.3, "No,"), (0.5, 0.7, "no"), (0.7, 1.2, "way.")]


def test_words_that_the_file_does_not_time_all_have_no_times(tmp_path: Path) -> None:
    path = tmp_path / "v.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:04.000\nIt is\nso<00:02.000> big\n", encoding="utf-8")
    (caption,) = read_captions(path)[0]
    assert (caption.text, caption.words) == ("It is\nso big", ())


@pytest.mark.parametrize("number", ["0" * 5000 + "1", "9" * 5000])
def test_absurd_numbers_are_no_times(tmp_path: Path, number: str) -> None:
    path = tmp_path / "v.srt"
    path.write_text(f"1\n{number}:00:01,000 --> 00:00:02,000\nOh.\n", encoding="utf-8")
    captions, skipped = read_captions(path)
    assert captions == []
    assert [s.reason for s in skipped] == ["its time cannot be read"]


def test_last_word_with_a_start_alone_lasts_until_the_caption_ends(tmp_path: Path) -> None:
    path = tmp_path / "v.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nOh<00:01.500> no\n", encoding="utf-8")
    expected = (Word(start_s=1.0, end_s=1.5, text="Oh"), Word(start_s=1.5, end_s=2.0, text="no"))
    assert read_captions(path)[0][0].words == expected
