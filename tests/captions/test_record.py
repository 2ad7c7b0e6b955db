"""Caption records and their file: what is written is read back, what is wrong is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.captions.record import CaptionRecord, fields_of, read_captions, record_of, scan_captions, write_captions
from mien.types import MienError, Skipped

GOOD: dict[str, Any] = {
    "image": "train/a",
    "global": "A sad face.",
    "local": ["The corners of the lips are turned down."],
    "summary": "Sadness, by its lips.",
    "source": "human",
}


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    return tmp_path / "captions.jsonl"


TEXTS = st.text(min_size=1).filter(lambda text: text.strip() != "")


@given(image=TEXTS, overall=TEXTS, local=st.lists(TEXTS, max_size=3), summary=TEXTS, graded=st.booleans())
def test_record_survives_a_line(image: str, overall: str, local: list[str], summary: str, graded: bool) -> None:
    record = CaptionRecord(
        image=image,
        overall=overall,
        local=tuple(local),
        summary=summary,
        source="labels:ferplus",
        votes={"fear": 0.75, "surprise": 0.25},
        graded=graded,
    )
    assert record_of(json.loads(json.dumps(fields_of(record)))) == record


def test_file_survives_and_other_keys_are_passed_over(captions: Path) -> None:
    captions.write_text(json.dumps({**GOOD, "pose": "frontal"}) + "\n\n" + json.dumps({**GOOD, "local": []}) + "\n")
    records = read_captions(captions)
    assert [record.local for record in records] == [("The corners of the lips are turned down.",), ()]
    assert write_captions(captions.with_name("again.jsonl"), records) == 2
    assert read_captions(captions.with_name("again.jsonl")) == records


def test_only_labels_make_a_record_derived() -> None:
    sources = ("labels:ferplus", "model:llava", "human")
    assert [record_of({**GOOD, "source": source}).is_derived for source in sources] == [True, False, False]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"summary": None}, "summary is None; it must be a text"),
        ({"image": " "}, "image is ' '"),
        ({"local": "one"}, "local is 'one'; it must be a list of sentences"),
        ({"local": ["fine", ""]}, "local is"),
        ({"source": "labels:"}, "source is 'labels:'; it must be human, labels:BENCHMARK or model:NAME"),
        ({"votes": {}}, "votes is {}"),
        ({"votes": {"fear": -0.5, "anger": 1.5}}, "votes is"),
        ({"votes": {"fear": True}}, "votes is"),
        ({"votes": {"fear": 0.5}}, "votes sum to 0.5; they must be shares"),
        ({"votes": {"fear": float("nan")}}, "votes is"),
        ({"graded": 1}, "graded is 1; it must be true or false"),
    ],
)
def test_wrong_value_is_named(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(MienError) as error:
        record_of({**GOOD, **change})
    assert reason in str(error.value)


def test_missing_key_is_named() -> None:
    with pytest.raises(MienError, match="global is missing"):
        record_of({key: value for key, value in GOOD.items() if key != "global"})


def test_bad_lines_are_named_by_number_and_the_others_still_read(captions: Path) -> None:
    lines = [json.dumps(GOOD).encode(), b"{not json", b"\xff\xfe", b'["a list"]', json.dumps(GOOD).encode()]
    captions.write_bytes(b"\n".join(lines))
    found = list(scan_captions(captions))
    bad = [each for each in found if isinstance(each, Skipped)]
    assert [each.what for each in bad] == [f"{captions}, line {n}" for n in (2, 3, 4)]
    assert "a list, not an object" in bad[2].reason
    assert [type(found[0]), type(found[4])] == [CaptionRecord, CaptionRecord]
    with pytest.raises(MienError, match=r"line 2.*mien captions verify"):
        read_captions(captions)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "it is no JSON in UTF-8: Expecting value, character 1"),
        (b'{"image": "a" "b"}', "it is no JSON in UTF-8: Expecting ',' delimiter, character 15"),
        (b'{"image": "\xe9"}', "it is no JSON in UTF-8: 'utf-8' codec can't decode byte 0xe9"),
    ],
)
def test_line_that_is_no_json_is_told_by_the_file_s_line_alone(tmp_path: Path, line: bytes, reason: str) -> None:
    (tmp_path / "captions.jsonl").write_bytes(b"\n" + line + b"\n")
    (bad,) = scan_captions(tmp_path / "captions.jsonl")
    assert isinstance(bad, Skipped)
    assert bad.what.endswith("captions.jsonl, line 2")
    assert bad.reason.startswith(reason)


def test_no_file_says_how_to_write_one(captions: Path) -> None:
    with pytest.raises(MienError, match="mien captions write"):
        read_captions(captions)
