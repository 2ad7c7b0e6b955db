"""The numbers of a data card, added up video by video, and the page that shows them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mien.prepare.card import CardMaker, card_page
from mien.prepare.clips import RULES, PeopleCount
from mien.prepare.summary import VideoSummary
from mien.types import EMOTIONS


def summary(*, num_words: int = 10, language: str = "en", license: str = "unknown") -> VideoSummary:
    return VideoSummary(
        num_frames=14_400, seconds=1800.0, num_pixels=100, num_sentences=4, num_words=num_words, speech_s=900.0,
        num_clips=2, left_out={"too short": 2}, people=PeopleCount(persons_per_frame={"0": 5, "5+": 1}, num_tracks=3),
        language=language, words_from="srt", source="Youtube", license=license, models={"sentiment": "m"}, hashes=(),
    )  # fmt: skip


def clips(*stretches: tuple[float, float, str]) -> pa.Table:
    """Rows of (start_s, end_s, the emotion that is nearly certain)."""
    logits = [[20.0 * (name == emotion) for name in EMOTIONS] for _, _, emotion in stretches]
    return pa.table(
        {
            "start_s": pa.array([start for start, _, _ in stretches], pa.float64()),
            "end_s": pa.array([end for _, end, _ in stretches], pa.float64()),
            "sentiment_logits": pa.array(logits, pa.list_(pa.float32())),
        }
    )


def test_videos_are_added_up() -> None:
    maker = CardMaker(num_duplicates=1, num_failed=2, num_excluded=3)
    maker.add(summary(), clips((0.0, 2.5, "joy"), (3.0, 12.5, "fear")))
    maker.add(summary(num_words=0, language="de"), clips())
    maker.add(summary(language="de"), clips((1.0, 3.9, "joy")))
    card = maker.card()
    assert (card.num_videos, card.num_sentences, card.num_words, card.num_clips, card.num_tracks) == (3, 12, 20, 3, 9)
    assert (card.num_duplicates, card.num_failed, card.num_excluded, card.num_videos_without_words) == (1, 2, 3, 1)
    assert (card.hours, card.speech_hours) == (1.5, 0.75)
    assert card.clip_hours == pytest.approx(14.9 / 3600, abs=1e-6)
    assert card.left_out == dict.fromkeys(RULES, 0) | {"too short": 6}
    assert list(card.clip_durations.items()) == [("2", 2), ("9", 1)]
    assert {name: count for name, count in card.emotions.items() if count} == {"fear": 1, "joy": 2}
    np.testing.assert_allclose(card.mean_emotions["joy"], 2 / 3, atol=1e-5)
    assert card.persons_per_frame == {"0": 15, "5+": 3}
    assert list(card.languages.items()) == [("de", 2), ("en", 1)]


def test_all_models_are_named_that_of_most_videos_first() -> None:
    maker = CardMaker()
    for models in ({"sentiment": "a", "asr": "w"}, {"sentiment": "b"}, {"sentiment": "b", "boxes": "c"}):
        maker.add(summary().model_copy(update={"models": models}), clips())
    assert maker.card().models == {"sentiment": "b, a", "asr": "w", "boxes": "c"}
    assert "| sentiment | b, a |" in card_page(maker.card())


def test_a_store_without_clips_has_a_card_too() -> None:
    card = CardMaker().card()
    assert (card.num_videos, card.num_clips, sum(card.emotions.values())) == (0, 0, 0)
    assert set(card.mean_emotions.values()) == {0.0}
    assert "| clips | 0 (0.0 s) |" in card_page(card)


def test_names_of_others_stay_in_their_cell_of_the_page() -> None:
    maker = CardMaker()
    maker.add(summary(license="CC BY | ask\nfirst"), clips())
    page = card_page(maker.card())
    assert "| CC BY \\| ask first | 1 |" in page
    assert "| videos | 1 |" in page
