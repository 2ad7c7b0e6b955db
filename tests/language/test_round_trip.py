"""Captions of any kind, written in every format, give the same words, each in exactly one sentence, in order."""

from __future__ import annotations

import html
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.language.sentences import split_sentences
from mien.language.spoken import spoken_words
from mien.language.subtitles import SUFFIXES, read_captions
from mien.types import Caption, MienError, Word

# ── any captions at all ──────────────────────────────────────────────────────────────────────────

word_texts = st.one_of(
    st.sampled_from(["so", "we", "go.", "Dr.", "what?", "[music]", "(oh", "no)", "…", '"Yes!"', "-", ">>", "♪", "ANN:",
                     "Bob:", "*hm*", "3.5", "はい。", "\n", "\n-", "know-\n"]),
    st.text(max_size=6),
)  # fmt: skip
times = st.integers(0, 20_000).map(lambda ms: ms / 1000)


Row = tuple[float, float, list[tuple[str, float]], bool]
any_rows = st.lists(
    st.tuples(times, times, st.lists(st.tuples(word_texts, times), max_size=7), st.booleans()), max_size=7
)


def any_captions(rows: list[Row]) -> list[Caption]:
    """Overlapping, out of order, without duration, empty; some with words of their own, at any times."""
    return [
        Caption(
            start_s=start_s,
            end_s=start_s + length_s,
            text=" ".join(text for text, _ in words),
            words=tuple(Word(start_s=at_s, end_s=at_s, text=text) for text, at_s in words) if is_timed else (),
        )
        for start_s, length_s, words, is_timed in rows
    ]


@given(rows=any_rows)
@settings(max_examples=100, deadline=None)
def test_every_spoken_word_is_in_one_sentence_in_order_at_a_time_of_the_captions(rows: list[Row]) -> None:
    captions = any_captions(rows)
    sentences, _ = split_sentences(captions)
    words, _ = spoken_words(captions)
    assert "".join("".join(s.text.split()) for s in sentences) == "".join("".join(w.text.split()) for w in words)
    assert all(a.start_s <= a.end_s <= b.start_s <= b.end_s for a, b in pairwise(words))
    assert all(s.start_s <= s.end_s for s in sentences)
    assert all(a.end_s <= b.start_s for a, b in pairwise(sentences))
    if sentences:
        assert min(c.start_s for c in captions) <= sentences[0].start_s
        assert sentences[-1].end_s <= max(c.end_s for c in captions)


@pytest.mark.slow
@given(rows=any_rows)
@settings(max_examples=100, deadline=None)
def test_every_letter_is_spoken_or_listed(rows: list[Row]) -> None:
    """So nothing disappears: counted over all letters and digits, whatever the rules decide."""
    captions = any_captions(rows)
    words, skipped = spoken_words(captions)
    shown = "".join(c.text for c in captions)
    kept = "".join(word.text for word in words) + "".join(s.what.split(" s: ", 1)[1] for s in skipped)
    assert sorted(filter(str.isalnum, kept)) == sorted(filter(str.isalnum, shown))


# ── the same captions in every format ────────────────────────────────────────────────────────────

plain_words = st.text(st.characters(categories=["L", "N"], codec="utf-8"), min_size=1, max_size=6).filter(str.isalnum)
marked = st.tuples(plain_words, st.sampled_from(["", "", "", ".", "?", ",", "!"])).map("".join)
lines = st.lists(
    st.tuples(st.integers(0, 300), st.integers(5, 500), st.lists(marked, min_size=1, max_size=6)),
    min_size=1,
    max_size=6,
)


def captions_of(rows: list[tuple[int, int, list[str]]], *, with_words: bool) -> list[Caption]:
    """Captions one after the other, in hundredths of a second, as SubStation writes them."""
    captions, now = [], 0
    for gap, length, texts in rows:
        start, now = now + gap, now + gap + length
        edges = [start + length * i // len(texts) for i in range(len(texts) + 1)]
        words = tuple(
            Word(start_s=a / 100, end_s=b / 100, text=text) for (a, b), text in zip(pairwise(edges), texts, strict=True)
        )
        text = " ".join(texts)
        captions.append(Caption(start_s=start / 100, end_s=now / 100, text=text, words=words if with_words else ()))
    return captions


def stamp(seconds: float, *, comma: str = ".", digits: int = 3) -> str:
    units = round(seconds * 10**digits)
    whole, fraction = divmod(units, 10**digits)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{comma}{fraction:0{digits}d}"


def srt(captions: list[Caption]) -> str:
    cues = (
        f"{i}\n{stamp(c.start_s, comma=',')} --> {stamp(c.end_s, comma=',')}\n{c.text}\n"
        for i, c in enumerate(captions, start=1)
    )
    return "\n".join(cues)


def vtt(captions: list[Caption]) -> str:
    cues = [f"{stamp(c.start_s)} --> {stamp(c.end_s)}\n{_stamped(c)}\n" for c in captions]
    return "WEBVTT\n\n" + "\n".join(cues)


def _stamped(caption: Caption) -> str:
    first, *rest = caption.words or [Word(start_s=0, end_s=0, text=caption.text)]
    return first.text + "".join(f"<{stamp(word.start_s)}><c> {word.text}</c>" for word in rest)


def ass(captions: list[Caption]) -> str:
    head = "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    rows = (
        f"Dialogue: 0,{stamp(c.start_s, digits=2)},{stamp(c.end_s, digits=2)},Default,,0,0,0,,{_karaoke(c)}\n"
        for c in captions
    )
    return head + "".join(rows)


def _karaoke(caption: Caption) -> str:
    if not caption.words:
        return caption.text
    return " ".join(f"{{\\k{round(100 * (w.end_s - w.start_s))}}}{w.text}" for w in caption.words)


def json3(captions: list[Caption]) -> str:
    events = [
        {
            "tStartMs": round(1000 * c.start_s),
            "dDurationMs": round(1000 * (c.end_s - c.start_s)),
            "segs": [
                {"utf8": f"{' ' * (i > 0)}{w.text}", "tOffsetMs": round(1000 * (w.start_s - c.start_s))}
                for i, w in enumerate(c.words or [Word(start_s=c.start_s, end_s=c.end_s, text=c.text)])
            ],
        }
        for c in captions
    ]
    return json.dumps({"wireMagic": "pb3", "events": events})


def srv3(captions: list[Caption]) -> str:
    def paragraph(c: Caption) -> str:
        spans = "".join(
            f'<s t="{round(1000 * (w.start_s - c.start_s))}">{" " * (i > 0)}{html.escape(w.text)}</s>'
            for i, w in enumerate(c.words)
        )
        times = f't="{round(1000 * c.start_s)}" d="{round(1000 * (c.end_s - c.start_s))}"'
        return f"<p {times}>{spans or html.escape(c.text)}</p>"

    return f'<timedtext format="3"><body>{"".join(map(paragraph, captions))}</body></timedtext>'


def whisper(captions: list[Caption]) -> str:
    segments = [
        {
            "start": c.start_s,
            "end": c.end_s,
            "text": f" {c.text}",
            "words": [{"word": f" {w.text}", "start": w.start_s, "end": w.end_s} for w in c.words],
        }
        for c in captions
    ]
    return json.dumps({"segments": segments}, ensure_ascii=False)


def transcript(captions: list[Caption]) -> str:
    return json.dumps([{"text": c.text, "start": c.start_s, "duration": c.end_s - c.start_s} for c in captions])


FORMATS = {
    "a.srt": srt, "a.vtt": vtt, "a.ass": ass, "a.json3": json3, "a.srv3": srv3, "whisper.json": whisper,
    "transcript.json": transcript,
}  # fmt: skip
UNTIMED = ("a.srt", "transcript.json")


@pytest.mark.parametrize("name", FORMATS)
@given(rows=lines, with_words=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_format_gives_the_words_back(
    tmp_path: Path, name: str, rows: list[tuple[int, int, list[str]]], with_words: bool
) -> None:
    captions = captions_of(rows, with_words=with_words and name not in UNTIMED)
    (tmp_path / name).write_text(FORMATS[name](captions), encoding="utf-8")
    read, skipped = read_captions(tmp_path / name)
    assert skipped == []
    assert [c.text.split() for c in read] == [c.text.split() for c in captions]
    assert [(c.start_s, c.end_s) for c in read] == [pytest.approx((c.start_s, c.end_s)) for c in captions]
    said, heard = (spoken_words(each)[0] for each in (captions, read))
    assert [w.text for w in heard] == [w.text for w in said]
    assert [w.start_s for w in heard] == pytest.approx([w.start_s for w in said], abs=0.011)


# ── files that are none ──────────────────────────────────────────────────────────────────────────

snippets = st.sampled_from([
    "WEBVTT\n", "1\n", "-->", "00:00:01,000 --> 00:00:02,000\n", "00:01.000 --> 99:99.9\n", "<v A>", "<00:00:01.000>",
    "<u>a</u>", "[Events]\n", "Format: Start, Text\n", "Dialogue: 0,0:00:01.00,0:00:02.00,", "{\\k9}", "{\\p1}", ",",
    '{"events": [', '{"segs": [{"utf8": "a", "tOffsetMs": "b"}], "tStartMs": 1}', "]}", '{"segments": [{"start": ',
    "1e999", '"text": "a", "words": [{"word": 1}]}', "[", "null", "<p t='1'>", "</p>", "<s t='x'>", "</s>", "\n\n",
    "\x00", "a",
])  # fmt: skip


@given(parts=st.lists(snippets | st.text(max_size=5), max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_malformed_files_are_read_or_refused_and_nothing_else(tmp_path: Path, parts: list[str]) -> None:
    for suffix in SUFFIXES:
        (tmp_path / f"a{suffix}").write_text("".join(parts), encoding="utf-8", errors="replace")
        _read_or_refuse(tmp_path / f"a{suffix}")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["events", "segs", "utf8", "tStartMs", "tOffsetMs", "dDurationMs", "segments", "start", "end",
                         "text", "words", "word", "duration", "speaker", "language", "wireMagic"]), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@given(value=values)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_malformed_json_is_read_or_refused_and_nothing_else(tmp_path: Path, value: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(value), encoding="utf-8")
    _read_or_refuse(tmp_path / "a.json")


def _read_or_refuse(path: Path) -> None:
    try:
        captions, _ = read_captions(path)
    except MienError:
        return
    assert all(0 <= c.start_s < c.end_s for c in captions)
    assert all(a.end_s <= b.start_s for a, b in pairwise(captions))
    split_sentences(captions)
