"""Reading subtitle files: markup, encodings, broken times, and where the file is found."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.language.subtitles import SubtitleFile, describe_subtitles, find_subtitles, read_captions
from mien.types import MienError


def write(folder: Path, text: str, *, name: str = "a.srt", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def rows(path: Path) -> list[tuple[float, float, str]]:
    return [(c.start_s, c.end_s, c.text) for c in read_captions(path)[0]]


SRT = """1
00:00:01,200 --> 00:00:04,500
Hello again,
and thank you.

2
01:00:05,050 --> 01:00:08,950
You would not believe it!
"""


def test_srt_lines_are_joined_and_times_are_seconds(tmp_path: Path) -> None:
    expected = [(1.2, 4.5, "Hello again,\nand thank you."), (3605.05, 3608.95, "You would not believe it!")]
    assert rows(write(tmp_path, SRT)) == expected
    assert rows(write(tmp_path, SRT.replace("\n", "\r\n"))) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encoding_is_detected(tmp_path: Path, encoding: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nÇa va — “très bien”…\n"
    assert rows(write(tmp_path, text, encoding=encoding)) == [(1.0, 2.0, "Ça va — “très bien”…")]


def test_markup_goes_and_what_only_looks_like_it_stays(tmp_path: Path) -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\n"
        '{\\an8}<i>R&amp;B</i>, <font color="#fff">I</font>&nbsp;<3\\Nyou {really}<br>a < b\u200e\n'
    )
    assert rows(write(tmp_path, text)) == [(1.0, 2.0, "R&B, I <3\nyou {really}\na < b")]


VTT = """WEBVTT
Kind: captions

STYLE
::cue { color: lime }

NOTE this is not spoken

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Ann>Oh <00:00:01.500><c>no</c><00:00:02.000><c> way</c>

NOTE nor is this

00:00:03.000 --> 00:00:04.000
How many?
7
"""


def test_webvtt_notes_styles_and_inline_times_are_no_text(tmp_path: Path) -> None:
    assert rows(write(tmp_path, VTT, name="a.vtt")) == [(1.0, 2.5, "Oh no way"), (3.0, 4.0, "How many?\n7")]


def test_last_line_that_is_a_number_is_kept(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "1\n00:00:01,000 --> 00:00:02,000\nHow many?\n7\n")) == [(1.0, 2.0, "How many?\n7")]


def test_blank_line_inside_an_srt_caption_loses_nothing(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nfirst\n\nsecond\n\n2\n00:00:03,000 --> 00:00:04,000\nthird\n"
    assert rows(write(tmp_path, text)) == [(1.0, 2.0, "first\nsecond"), (3.0, 4.0, "third")]


def test_caption_ends_where_the_next_begins(tmp_path: Path) -> None:
    text = "00:00:03,000 --> 00:00:05,000\nb\n\n00:00:01,000 --> 00:00:04,000\na\n"
    assert rows(write(tmp_path, text)) == [(1.0, 3.0, "a"), (3.0, 5.0, "b")]


def test_captions_with_the_same_start_are_joined_and_repetitions_listed(tmp_path: Path) -> None:
    text = "".join(f"00:00:01,000 --> 00:00:0{end},000\n{t}\n\n" for end, t in [(2, "a"), (3, "b"), (2, "a")])
    captions, skipped = read_captions(write(tmp_path, text))
    assert [(c.start_s, c.end_s, c.text) for c in captions] == [(1.0, 3.0, "a\nb")]
    assert [s.what for s in skipped] == ["a.srt, line 7, 1.000 s: a"]


@pytest.mark.parametrize(
    ("timing", "what", "reason"),
    [
        ("-00:00:02,000 --> -00:00:01,000", ", -2.000 s: Oh.", "ends before or when the video begins"),
        ("90000:00:01,000 --> 90000:00:02,000", ", 324000001.000 s: Oh.", "its time is that of no video"),
        ("soon --> later", ": soon --> later Oh.", "time cannot be read"),
    ],
)
def test_impossible_times_are_listed_with_line_and_text(tmp_path: Path, timing: str, what: str, reason: str) -> None:
    captions, skipped = read_captions(write(tmp_path, f"1\n{timing}\nOh.\n"))
    assert captions == []
    assert [s.what for s in skipped] == [f"a.srt, line 2{what}"]
    assert reason in skipped[0].reason


@pytest.mark.parametrize("end", ["00:00:01,000", "00:00:02,000"])
def test_caption_that_ends_before_it_begins_lasts_as_long_as_its_words(tmp_path: Path, end: str) -> None:
    text = f"1\n00:00:02,000 --> {end}\nOh my God.\n"
    assert rows(write(tmp_path, text)) == [(2.0, 3.2, "Oh my God.")]
    text += "2\n00:00:02,500 --> 00:00:03,000\nNo.\n"
    assert rows(write(tmp_path, text)) == [(2.0, 2.5, "Oh my God."), (2.5, 3.0, "No.")]


def test_negative_start_becomes_zero(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "1\n-00:00:01,000 --> 00:00:02,000\nOh.\n")) == [(0.0, 2.0, "Oh.")]


def test_caption_without_text_is_listed(tmp_path: Path) -> None:
    captions, skipped = read_captions(write(tmp_path, "1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n"))
    assert captions == []
    assert skipped[0].reason == "it has no text"


@pytest.mark.parametrize(("text", "reason"), [("", "is empty"), (" \n", "is empty"), ("WEBVTT\n", "no captions")])
def test_file_without_captions_is_listed(tmp_path: Path, text: str, reason: str) -> None:
    captions, skipped = read_captions(write(tmp_path, text, name="a.vtt"))
    assert captions == []
    assert [(s.what, reason in s.reason) for s in skipped] == [("a.vtt", True)]


def test_what_is_no_subtitle_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"a\.srt holds no line like"):
        read_captions(write(tmp_path, "Dear diary,\n"))
    with pytest.raises(MienError, match=r"a\.txt is no subtitle file"):
        read_captions(write(tmp_path, SRT, name="a.txt"))
    with pytest.raises(MienError, match=r"a\.ass holds no \[Events\]"):
        read_captions(write(tmp_path, SRT, name="a.ass"))
    with pytest.raises(MienError, match=r"none\.srt cannot be read \(No such file"):
        read_captions(tmp_path / "none.srt")


cues = st.lists(
    st.tuples(st.integers(-5000, 20000), st.integers(-5000, 20000), st.sampled_from(["a", "b c", "7", "<i>d</i>"])),
    min_size=1,
    max_size=8,
)


@given(cues=cues)
def test_captions_never_overlap_and_every_cue_is_read_or_listed(
    tmp_path_factory: pytest.TempPathFactory, cues: list[tuple[int, int, str]]
) -> None:
    def stamp(ms: int) -> str:
        return f"{'-' if ms < 0 else ''}00:00:{abs(ms) // 1000:02d},{abs(ms) % 1000:03d}"

    text = "".join(f"{i}\n{stamp(a)} --> {stamp(b)}\n{t}\n\n" for i, (a, b, t) in enumerate(cues))
    captions, skipped = read_captions(write(tmp_path_factory.mktemp("srt"), text))
    assert all(0 <= c.start_s < c.end_s for c in captions)
    assert all(a.end_s <= b.start_s for a, b in pairwise(captions))
    kept_words = " ".join(c.text for c in captions).split()
    lost_words = [word for s in skipped for word in s.what.split() if word in ("a", "b", "c", "7", "d")]
    all_words = " ".join(t.replace("<i>d</i>", "d") for _, _, t in cues).split()
    assert sorted(kept_words + lost_words) == sorted(all_words)


def test_exact_name_comes_before_english_before_others(tmp_path: Path) -> None:
    order = ["v.srt", "v.vtt", "v.en.srt", "v.EN.vtt", "v.en-GB.srt", "v.de.vtt", "v.fr.srt"]
    for name in [*order, "v.extended.srt", "v2.srt", "v.txt", "v.mp4"]:
        (tmp_path / name).touch()
    for name in order:
        assert find_subtitles(tmp_path / "v.mp4") == tmp_path / name
        (tmp_path / name).unlink()
    assert find_subtitles(tmp_path / "v.mp4") is None


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


@pytest.mark.parametrize(
    ("language", "order"),
    [
        ("de", ["v.de.vtt", "v.ger.srt", "v.de-AT.json3", "v.json3", "v.en.srt", "v.fr.srt", "v.de.forced.srt"]),
        ("de-AT", ["v.de-AT.json3", "v.json3", "v.en.srt"]),
        (None, ["v.json3", "v.en.srt", "v.fr.srt", "v.de.forced.srt"]),
    ],
)
def test_wanted_language_comes_first_and_forced_lines_last(
    tmp_path: Path, language: str | None, order: list[str]
) -> None:
    touch(tmp_path, *order)
    for name in order:
        assert find_subtitles(tmp_path / "v.mp4", language=language) == tmp_path / name
        (tmp_path / name).unlink()


def test_formats_that_time_words_come_first(tmp_path: Path) -> None:
    order = ["v.en.json3", "v.en.srv3", "v.en.json", "v.en.srt", "v.en.vtt", "v.en.ass", "v.en.ssa", "v.en.ttml"]
    touch(tmp_path, *order)
    (tmp_path / "v.en.json").write_text('[{"text": "a", "start": 0, "duration": 1}]', encoding="utf-8")
    for name in order:
        assert find_subtitles(tmp_path / "v.mp4") == tmp_path / name
        (tmp_path / name).unlink()


def test_json_that_holds_no_captions_is_not_taken_for_subtitles(tmp_path: Path) -> None:
    touch(tmp_path, "v.info.json", "v.live_chat.json3", "v.chapters.json")
    (tmp_path / "v.json").write_text('{"id": "x", "title": "v", "duration": 3, "subtitles": {}}', encoding="utf-8")
    (tmp_path / "v.en.json").write_text("{", encoding="utf-8")
    assert find_subtitles(tmp_path / "v.mp4") is None
    (tmp_path / "v.en.json").write_text('{"segments": [{"start": 0.0, "end"', encoding="utf-8")
    assert find_subtitles(tmp_path / "v.mp4") == tmp_path / "v.en.json"  # to be told that it is cut off
    (tmp_path / "v.en.json").unlink()
    touch(tmp_path, "v.fr.srt")
    assert find_subtitles(tmp_path / "v.mp4") == tmp_path / "v.fr.srt"


def test_json_that_cannot_be_read_is_found_so_that_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, "[]", name="v.json")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert find_subtitles(tmp_path / "v.mp4") == path
    with pytest.raises(MienError, match=r"v\.json cannot be read \(Permission denied\)"):
        read_captions(path)


@pytest.mark.parametrize(
    ("name", "text", "kind", "language"),
    [
        ("v.srt", SRT, "srt", "unknown"),
        ("v.en-GB.vtt", VTT, "vtt", "en"),
        ("v.vtt", "WEBVTT\nKind: captions\nLanguage: pt-BR\n\n", "vtt", "pt"),
        ("v.eng.sdh.ass", "", "ass", "en"),
        ("v.sdh.ssa", "", "ass", "unknown"),
        ("v.ttml", '<tt xmlns="x" xml:lang="de-DE"/>', "xml", "de"),
        ("v.fr.json", '{"segments": [], "language": "en"}', "whisper", "fr"),
        ("v.json", '{"segments": [], "language": "english"}', "whisper", "en"),
        ("v.json", '[{"text": "a", "start": 0, "duration": 1}]', "transcript", "unknown"),
        ("v.no.json3", '{"events": []}', "json3", "no"),
    ],
)
def test_kind_and_language_are_told(tmp_path: Path, name: str, text: str, kind: str, language: str) -> None:
    path = write(tmp_path, text, name=name)
    expected = SubtitleFile(path=path, kind=kind, language=language)
    assert describe_subtitles(path, video=tmp_path / "v.mp4") == expected


def test_language_is_not_read_out_of_the_video_s_own_name(tmp_path: Path) -> None:
    path = write(tmp_path, SRT, name="Mr.No.srt")
    assert describe_subtitles(path, video=tmp_path / "Mr.No.mp4").language == "unknown"
