"""Speech recognisers' JSON: openai-whisper's and faster-whisper's words, WhisperX's numbers and speakers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mien.language.subtitles import describe_subtitles, read_captions

OPENAI = {
    "text": " Don't go. It's 5.",
    "language": "en",
    "segments": [
        {"id": 0, "seek": 0, "start": 0.0, "end": 1.4, "text": " Don't go.", "words": [
            {"word": " Don't", "start": 0.0, "end": 0.62, "probability": 0.91},
            {"word": " go.", "start": 0.7, "end": 1.4, "probability": 0.98}]},
        {"id": 1, "seek": 0, "start": 1.4, "end": 2.0, "text": " It's 5.", "words": [
            {"word": " It's", "start": 1.4, "end": 1.4}, {"word": " 5.", "start": 1.4, "end": 2.0}]},
    ],
}  # fmt: skip

WHISPERX = {
    "segments": [
        {"start": 1.0, "end": 3.0, "text": " I paid 50 dollars.", "speaker": "SPEAKER_00", "words": [
            {"word": "I", "start": 1.0, "end": 1.2, "score": 0.9}, {"word": "paid", "start": 1.2, "end": 1.6},
            {"word": "50"}, {"word": "dollars.", "start": 2.4, "end": 3.0}]},
        {"start": 3.5, "end": 4.0, "text": " Why?", "speaker": "SPEAKER_01", "words": [
            {"word": "Why?", "start": 3.5, "end": 4.0}]},
    ],
    "word_segments": [],
}  # fmt: skip


def write(folder: Path, content: Any) -> Path:
    path = folder / "v.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def words(path: Path) -> list[tuple[float, float, str]]:
    captions, skipped = read_captions(path)
    assert skipped == []
    return [(round(w.start_s, 6), round(w.end_s, 6), w.text) for caption in captions for w in caption.words]


def test_openai_whisper_words_keep_their_times_and_a_word_without_duration_shares(tmp_path: Path) -> None:
    assert words(write(tmp_path, OPENAI)) == [
        (0.0, 0.62, "Don't"), (0.7, 1.4, "go."), (1.4, 1.7, "It's"), (1.7, 2.0, "5."),
    ]  # fmt: skip


def test_whisperx_number_without_time_lies_between_its_neighbours(tmp_path: Path) -> None:
    assert words(write(tmp_path, WHISPERX)) == [
        (1.0, 1.2, "I"), (1.2, 1.6, "paid"), (1.6, 2.4, "50"), (2.4, 3.0, "dollars."),
        (3.5, 4.0, ">> Why?"),
    ]  # fmt: skip


def test_text_holds_where_words_do_not_make_it_up(tmp_path: Path) -> None:
    content = {
        "segments": [{"start": 0, "end": 2, "text": "We are not.", "words": [{"word": "We", "start": 0, "end": 1}]}]
    }
    (caption,) = read_captions(write(tmp_path, content))[0]
    assert (caption.text, caption.words) == ("We are not.", ())


def test_language_is_the_one_it_states(tmp_path: Path) -> None:
    described = describe_subtitles(write(tmp_path, OPENAI), video=tmp_path / "v.mp4")
    assert (described.kind, described.language) == ("whisper", "en")
    described = describe_subtitles(write(tmp_path, WHISPERX), video=tmp_path / "v.mp4")
    assert (described.kind, described.language) == ("whisper", "unknown")
