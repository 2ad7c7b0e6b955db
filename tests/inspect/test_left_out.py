import json
from pathlib import Path

import pytest

from mien.inspect.left_out import EXAMPLES, MOST_REASONS, OTHERS, pattern_of, read_left_out, why_no_clip
from mien.types import MienError, Skipped


@pytest.mark.parametrize(
    ("reason", "pattern"),
    [
        ("1.93 s long; between 2 and 10 s is wanted", "… s long; between … and … s is wanted"),
        ("12 frames; at least 8 are wanted", "… frames; at least … are wanted"),
        ("the text 'oh 5' has fewer than 3 characters", "the text … has fewer than … characters"),
        ("/data/a b/c.mp4 cannot be read", "… … cannot be read"),
        ("torn\nat byte 7", "torn"),
        ("duplicate: it shows the same as 'take 2#b7'", "duplicate: it shows the same as …"),
        ("line 2: y1 is '4x4', not a number", "line …: y1 is …, not a number"),
        ("decoded only 9.5 of 19.7 s", "decoded only … of … s"),
        ("", ""),
    ],
)
def test_pattern_is_what_does_not_vary(reason: str, pattern: str) -> None:
    assert pattern_of(Skipped(what="c", reason=reason)) == pattern


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_failures_come_first_and_the_most_frequent_reason_next(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"what": f"a#{i}", "reason": f"{i}.5 s long"} for i in range(9)]
    rows += [{"what": "b", "reason": "no subtitles"}, {"what": "c", "reason": "cannot be read", "failed": True}]
    reasons = read_left_out(write(tmp_path / "skipped.jsonl", rows))
    assert [(r.pattern, r.is_failure, r.count) for r in reasons] == [
        ("cannot be read", True, 1),
        ("… s long", False, 9),
        ("no subtitles", False, 1),
    ]
    assert reasons[1].examples == tuple(Skipped(what=f"a#{i}", reason=f"{i}.5 s long") for i in range(EXAMPLES))


def test_reasons_without_end_are_summed_up(tmp_path: Path) -> None:
    names = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(MOST_REASONS + 50)]
    rows: list[dict[str, object]] = [{"what": "v", "reason": name} for name in names]
    reasons = read_left_out(write(tmp_path / "skipped.jsonl", rows))
    assert len(reasons) == MOST_REASONS + 1
    assert (reasons[-1].pattern, reasons[-1].count) == (OTHERS, 50)
    assert sum(r.count for r in reasons) == len(rows)


def test_damaged_line_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "skipped.jsonl", [{"what": "a", "reason": "b"}])
    path.write_text(path.read_text() + '{"what": "torn', encoding="utf-8")
    with pytest.raises(MienError, match=r"skipped\.jsonl, line 2, is damaged"):
        read_left_out(path)


def test_store_without_the_file_left_nothing_out(tmp_path: Path) -> None:
    assert read_left_out(tmp_path / "skipped.jsonl") == []


def test_why_a_video_makes_no_clip_is_what_its_own_lines_say(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"what": "copy", "reason": "duplicate: it shows the same as 'a'"},
        {"what": "mute", "reason": "decoded only 1.0 of 9.0 s"},
        {"what": "mute", "reason": "no subtitles beside it: it makes no clips"},
        {"what": "short#0", "reason": "too short: 1.0 s long"},
        {"what": "short#1", "reason": "too short: 1.1 s long"},
        {"what": "a#1", "reason": "too short: 1.1 s long"},
    ]
    path = write(tmp_path / "skipped.jsonl", rows)
    assert why_no_clip(path, ["copy", "mute", "short", "still"]) == {
        "copy": "duplicate: it shows the same as 'a'",
        "mute": "decoded only 1.0 of 9.0 s; no subtitles beside it: it makes no clips",
        "short": "sentences left out by the rules: 2",
        "still": "nothing is said in it",
    }
