"""YouTube's formats: json3 and srv3 with words' times, srv1, simple TTML, transcripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.language.subtitles import read_captions
from mien.types import MienError

JSON3 = {
    "wireMagic": "pb3",
    "pens": [{}],
    "wsWinStyles": [{}, {"mhModeHint": 2, "juJustifCode": 0, "sdScrollDir": 3}],
    "events": [
        {"tStartMs": 0, "dDurationMs": 9000, "id": 1, "wpWinPosId": 1, "wsWinStyleId": 1},
        {"tStartMs": 240, "dDurationMs": 4390, "wWinId": 1, "segs": [
            {"utf8": "don", "acAsrConf": 0}, {"utf8": "'t", "tOffsetMs": 100}, {"utf8": " go", "tOffsetMs": 600}]},
        {"tStartMs": 2350, "dDurationMs": 2280, "wWinId": 1, "aAppend": 1, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 2360, "dDurationMs": 3000, "wWinId": 1, "segs": [
            {"utf8": ">>"}, {"utf8": " why", "tOffsetMs": 80}, {"utf8": " me", "tOffsetMs": 400}]},
    ],
}  # fmt: skip
JSON3_WORDS = [(0.24, 0.84, "don't"), (0.84, 1.84, "go"), (2.36, 2.44, ">>"), (2.44, 2.76, "why"), (2.76, 3.76, "me")]

SRV3 = """<?xml version="1.0" encoding="utf-8" ?><timedtext format="3">
<head><ws id="0"/><wp id="0"/></head>
<body>
<w t="0" id="1" wp="1" ws="1"/>
<p t="240" d="4390" w="1"><s ac="0">don</s><s t="100">'t</s><s t="600" ac="0"> go</s></p>
<p t="2350" d="2280" w="1" a="1">
</p>
<p t="2360" d="3000" w="1"><s ac="0">&gt;&gt;</s><s t="80"> why</s><s t="400"> me</s></p>
</body>
</timedtext>
"""


def words(path: Path) -> list[tuple[float, float, str]]:
    captions, skipped = read_captions(path)
    assert skipped == []
    return [(round(w.start_s, 6), round(w.end_s, 6), w.text) for caption in captions for w in caption.words]


@pytest.mark.parametrize("name", ["v.en.json3", "v.json"])
def test_json3_words_have_their_times_and_line_breaks_are_no_captions(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(JSON3), encoding="utf-8")
    assert words(tmp_path / name) == JSON3_WORDS


def test_srv3_reads_like_json3(tmp_path: Path) -> None:
    (tmp_path / "v.srv3").write_text(SRV3, encoding="utf-8")
    assert words(tmp_path / "v.srv3") == JSON3_WORDS


def test_manual_json3_has_lines_and_no_words(tmp_path: Path) -> None:
    event = {"tStartMs": 1200, "dDurationMs": 3300, "segs": [{"utf8": "Hello again,\nand <thank> you."}]}
    (tmp_path / "v.json3").write_text(json.dumps({"events": [event]}), encoding="utf-8")
    (caption,) = read_captions(tmp_path / "v.json3")[0]
    assert (caption.start_s, caption.end_s, caption.text) == (1.2, 4.5, "Hello again,\nand <thank> you.")
    assert caption.words == ()


def test_words_of_a_script_without_spaces_stay_apart(tmp_path: Path) -> None:
    segments = [{"utf8": "今日"}, {"utf8": "は", "tOffsetMs": 500}, {"utf8": "晴れ", "tOffsetMs": 700}]
    content = {"events": [{"tStartMs": 0, "dDurationMs": 2000, "segs": segments}]}
    (tmp_path / "v.json3").write_text(json.dumps(content), encoding="utf-8")
    assert [text for _, _, text in words(tmp_path / "v.json3")] == ["今日", "は", "晴れ"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("v.srv1", '<?xml version="1.0"?><transcript><text start="1.2" dur="1.3">I&amp;#39;m\nin</text></transcript>'),
        ("v.ttml", '<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"><body><div>'
         '<p begin="00:00:01.200" end="2500ms">I\'m<br/>in</p></div></body></tt>'),
        ("v.json", '[{"text": "I\'m\\nin", "start": 1.2, "duration": 1.3}]'),
    ],
)  # fmt: skip
def test_simple_formats(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    captions, skipped = read_captions(tmp_path / name)
    assert [(c.start_s, c.end_s, c.text) for c in captions] == [(1.2, 2.5, "I'm\nin")]
    assert skipped == []


def test_what_cannot_be_timed_is_listed(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text('[{"text": "a", "start": NaN, "duration": 1}]', encoding="utf-8")
    captions, skipped = read_captions(tmp_path / "v.json")
    assert captions == []
    assert [(s.what, s.reason) for s in skipped] == [("v.json, entry 1: a", "its time cannot be read")]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("v.srv3", "<timedtext><p", r"v\.srv3 is broken XML"),
        ("v.srv3", '<!DOCTYPE a [<!ENTITY b "c">]><a/>', r"v\.srv3 declares XML entities"),
        ("v.json3", '{"events": [', r"v\.json3 is broken JSON"),
        ("v.json", '{"title": "a film", "formats": []}', r"v\.json holds no captions"),
        ("v.json", "[" * 100_000, r"v\.json is broken JSON"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path: Path, name: str, text: str, match: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(MienError, match=match):
        read_captions(tmp_path / name)
