"""Statistics of captions, against captions counted by hand."""

from __future__ import annotations

from mien.captions.record import CaptionRecord
from mien.captions.statistics import PartLength, caption_statistics

RECORDS = [
    CaptionRecord(
        image="a",
        overall="A sad face.",
        local=("The eyes are dull.",),
        summary="Sadness.",
        source="labels:x",
        votes={"sadness": 0.7, "fear": 0.3},
    ),
    CaptionRecord(
        image="a",
        overall="a SAD face",
        summary="The eyes are dull, sadness (AU15).",
        source="labels:x",
        votes={"sadness": 0.95, "fear": 0.05},
    ),
    CaptionRecord(image="b", overall="A taken-aback look.", summary="It's surprise.", source="human"),
    CaptionRecord(image="c", overall="Joy.", summary="A smile.", source="model:m", votes={"happiness": 1.0}),
]


def test_captions_are_counted() -> None:
    found = caption_statistics(RECORDS)
    assert (found.num_captions, found.num_images, found.derived_share) == (4, 3, 0.5)
    assert found.sources == {"labels:x": 2, "human": 1, "model:m": 1}
    assert found.first_emotions == {"sadness": 2, "happiness": 1}
    assert found.agreement == (0, 0, 0, 0, 0, 0, 0, 1, 0, 2)
    assert found.local_sentences == 0.25
    assert found.words["global"] == PartLength(least=1, mean=2.5, most=3)
    assert found.words["local"] == PartLength(least=0, mean=1.0, most=4)
    assert found.words["whole"] == PartLength(least=3, mean=6.25, most=9)


def test_captions_that_differ_in_case_marks_or_order_only_are_near_duplicates() -> None:
    found = caption_statistics(RECORDS)
    assert found.repeated_globals == 0.5
    assert found.near_duplicates == 0.0  # the second has AU15 more
    twin = CaptionRecord(image="d", overall="A taken-aback SURPRISE!", summary="It's look", source="human")
    assert caption_statistics([*RECORDS, twin]).near_duplicates == 0.4


def test_no_captions_give_zeros() -> None:
    found = caption_statistics([])
    assert (found.num_captions, found.vocabulary, found.near_duplicates) == (0, 0, 0.0)
    assert found.words["whole"] == PartLength(least=0, mean=0.0, most=0)
