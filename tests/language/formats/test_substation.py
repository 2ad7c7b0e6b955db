"""SubStation Alpha: fields by name, hidden text, signs, songs and karaoke."""

from __future__ import annotations

from pathlib import Path

from mien.language.subtitles import read_captions

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not shown
Dialogue: 0,0:00:01.20,0:00:04.50,Default,Ann,0,0,0,,{\\i1}Hello{\\i0}, again,\\Nand {a note}thank\\hyou.
Dialogue: 0,0:00:05.00,0:00:06.00,Default,Bob,0,0,0,,You, here?
Dialogue: 0,0:00:05.00,0:00:06.00,Signs,,0,0,0,,POLICE
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\an7\\pos(10,20)}Station
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
Dialogue: 0,0:00:07.00,0:00:08.00,OP - Romaji,,0,0,0,,la la
Dialogue: 0,later,0:00:08.00,Default,,0,0,0,,Oh.
"""


def test_dialogue_is_read_and_what_is_no_speech_listed(tmp_path: Path) -> None:
    path = tmp_path / "v.ass"
    path.write_text(ASS, encoding="utf-8")
    captions, skipped = read_captions(path)
    assert [(c.start_s, c.end_s, c.text) for c in captions] == [
        (1.2, 4.5, "Hello, again,\nand thank you."), (5.0, 6.0, ">> You, here?"),
    ]  # fmt: skip
    assert [(s.what, s.reason.split(":")[0]) for s in skipped] == [
        ("v.ass, line 13, 0:00:05.00: POLICE", "it is a sign on the screen"),
        ("v.ass, line 14, 0:00:05.00: Station", "it is a sign on the screen"),
        ("v.ass, line 15, 0:00:05.00: m 0 0 l 10 10", "it is a drawing"),
        ("v.ass, line 16, 0:00:07.00: la la", "it is sung (style OP - Romaji)"),
        ("v.ass, line 17, later: Oh.", "its time cannot be read"),
    ]


def test_lines_that_all_have_a_position_are_speech(tmp_path: Path) -> None:
    path = tmp_path / "v.ass"
    lines = (f"Dialogue: 0,0:00:0{i}.00,0:00:0{i}.90,Default,,0,0,0,,{{\\pos(9,9)}}Line {i}.\n" for i in (1, 2))
    path.write_text("[Events]\n" + "".join(lines), encoding="utf-8")
    assert [c.text for c in read_captions(path)[0]] == ["Line 1.", "Line 2."]


def test_ssa_names_its_fields_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "v.ssa"
    path.write_text(
        "[Events]\nFormat: Marked, Text\nFormat: End, Start, Text\nDialogue: 0:00:02.00,0:00:01.00,Oh, no.\n",
        encoding="utf-8",
    )
    assert [(c.start_s, c.end_s, c.text) for c in read_captions(path)[0]] == [(1.0, 2.0, "Oh, no.")]


def test_karaoke_times_words_by_their_syllables(tmp_path: Path) -> None:
    path = tmp_path / "v.ass"
    text = "{\\k20}Hel{\\kf30}lo {\\k50}{\\k100}you"
    path.write_text(f"[Events]\nDialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,{text}\n", encoding="utf-8")
    (caption,) = read_captions(path)[0]
    assert [(w.start_s, w.end_s, w.text) for w in caption.words] == [(1.0, 1.5, "Hello"), (2.0, 3.0, "you")]
