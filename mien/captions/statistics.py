"""Statistics of captions: how many, of what length, in how many different words, from whom, and how alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mien.captions.record import CaptionRecord

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
AGREEMENT_STEPS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class PartLength:
    """Words of one part of a caption: the fewest, the mean, the most. `local`: all its regions'."""

    least: int
    mean: float
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionStatistics:
    """What a file of captions holds.

    sources: captions by who wrote them; derived_share: the share that was written from labels. words: by part.
    vocabulary: different words, in lower case. first_emotions: captions by the emotion of most votes; agreement: by the
    share of the judges that named it, in tenths, the last being nine to all of ten. repeated_globals: the share of
    captions whose global sentence another has too. near_duplicates: the share that have the same words as another, in
    whatever order and number.
    """

    num_captions: int
    num_images: int
    sources: dict[str, int]
    derived_share: float
    local_sentences: float
    words: dict[str, PartLength]
    vocabulary: int
    first_emotions: dict[str, int]
    agreement: tuple[int, ...]
    repeated_globals: float
    near_duplicates: float


def caption_statistics(records: Sequence[CaptionRecord]) -> CaptionStatistics:
    """The statistics; shares and means of no captions are 0."""
    texts = [" ".join(record.sentences) for record in records]
    voted = [max(record.votes.items(), key=lambda vote: vote[1]) for record in records if record.votes]
    return CaptionStatistics(
        num_captions=len(records),
        num_images=len({record.image for record in records}),
        sources=_counted(record.source for record in records),
        derived_share=_mean([record.is_derived for record in records]),
        local_sentences=_mean([len(record.local) for record in records]),
        words=_lengths(records),
        vocabulary=len({word for text in texts for word in _words(text)}),
        first_emotions=_counted(emotion for emotion, _ in voted),
        agreement=_tenths([share for _, share in voted]),
        repeated_globals=_shared([" ".join(_words(record.overall)) for record in records]),
        near_duplicates=_shared([" ".join(sorted(set(_words(text)))) for text in texts]),
    )


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _lengths(records: Sequence[CaptionRecord]) -> dict[str, PartLength]:
    parts = {
        "global": [len(_words(record.overall)) for record in records],
        "local": [len(_words(" ".join(record.local))) for record in records],
        "summary": [len(_words(record.summary)) for record in records],
        "whole": [len(_words(" ".join(record.sentences))) for record in records],
    }
    return {
        part: PartLength(least=min(lengths, default=0), mean=_mean(lengths), most=max(lengths, default=0))
        for part, lengths in parts.items()
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _tenths(shares: Sequence[float]) -> tuple[int, ...]:
    # 0.7 is stored as 0.69999…, and seven of ten judges
    places = Counter(min(int(share * AGREEMENT_STEPS + 1e-6), AGREEMENT_STEPS - 1) for share in shares)
    return tuple(places[place] for place in range(AGREEMENT_STEPS))


def _shared(texts: Sequence[str]) -> float:
    """The share of the texts that there are more than once."""
    counts = Counter(texts)
    return _mean([counts[text] > 1 for text in texts])
