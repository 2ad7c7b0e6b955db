"""Which sentences of a video make clips, and how many persons are in its pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from mien.config import Config
from mien.data.tables import ScoredSentences
from mien.media.frames import FrameReader
from mien.media.sampling import frame_range
from mien.types import BoxTable, Clip, Sentence, Skipped

LATE_S = 0.5  # captions often stay a little longer than the pictures; later ones belong to a part that is missing
MOST_PERSONS = 5  # counted apart; a picture with more is among the "5+"

RULES = ("beyond the pictures", "too short", "too long", "too few frames", "too few characters", "too few persons")
"""Why a sentence makes no clip, in the order in which it is tried."""


class IndexSettings(Config):
    """What a sentence must have to be a clip (EmotionCLIP §4). Neutral sentences are left to training's own filter."""

    min_frames: int = Field(8, ge=1)
    min_duration_s: float = Field(2.0, ge=0)
    max_duration_s: float = Field(10.0, gt=0)
    min_characters: int = Field(3, ge=0)
    min_box_score: float = Field(0.35, ge=0, le=1)
    """Boxes below do not count as a person."""
    min_person_share: float = Field(0.0, ge=0, le=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfit:
    """A sentence that makes no clip: its id, which of RULES left it out, and by what numbers."""

    id: str
    rule: str
    reason: str

    def as_skipped(self) -> Skipped:
        return Skipped(what=self.id, reason=f"{self.rule}: {self.reason}")


class PeopleCount(Config):
    """Who is seen in a video. `persons_per_frame`: stored pictures by the number of persons in them, "5+" the last."""

    persons_per_frame: dict[str, int]
    num_tracks: int


def clips_of(
    name: str, reader: FrameReader, boxes: BoxTable, scored: ScoredSentences, *, settings: IndexSettings
) -> tuple[list[Clip], list[Unfit]]:
    """The clips of video `name`, and the sentences that make none.

    A clip's id is `name#n`, n the sentence's number in the video: it stays whatever the settings leave out.
    """
    shows_person = _persons_per_frame(boxes, count=len(reader), min_score=settings.min_box_score) > 0
    clips, unfit = [], []
    for number, (sentence, logits) in enumerate(zip(scored.sentences, scored.logits.tolist(), strict=True)):
        clip = _clip(name, number, sentence, logits, reader=reader, shows_person=shows_person)
        broken = _broken_rule(clip, decoded_s=len(reader) / reader.info.fps, settings=settings)
        if broken:
            unfit.append(broken)
        else:
            clips.append(clip)
    return clips, unfit


def count_people(boxes: BoxTable, *, num_frames: int, min_score: float) -> PeopleCount:
    """How many persons are in each picture of a video, and how many there are in all."""
    counts = np.minimum(_persons_per_frame(boxes, count=num_frames, min_score=min_score), MOST_PERSONS)
    by_count = Counter(counts.tolist())
    named = {f"{n}+" if n == MOST_PERSONS else str(n): by_count[n] for n in sorted(by_count)}
    tracks = np.unique(boxes.track[(boxes.score >= min_score) & (boxes.track >= 0)])
    return PeopleCount(persons_per_frame=named, num_tracks=len(tracks))


def _clip(
    video: str,
    number: int,
    sentence: Sentence,
    logits: list[float],
    *,
    reader: FrameReader,
    shows_person: Bool[np.ndarray, "f"],
) -> Clip:
    start, end = frame_range(sentence.start_s, sentence.end_s, fps=reader.info.fps)
    end = min(end, len(reader))
    return Clip(
        id=f"{video}#{number}",
        video=video,
        start_frame=start,
        end_frame=end,
        start_s=sentence.start_s,
        end_s=sentence.end_s,
        text=sentence.text,
        sentiment_logits=tuple(logits),
        person_share=float(shows_person[start:end].mean()) if end > start else 0.0,
    )


def _persons_per_frame(boxes: BoxTable, *, count: int, min_score: float) -> np.ndarray:
    return np.bincount(boxes.frame[boxes.score >= min_score], minlength=count)[:count]


def _broken_rule(clip: Clip, *, decoded_s: float, settings: IndexSettings) -> Unfit | None:
    """The first of RULES that a clip breaks, if any."""
    duration_s = clip.end_s - clip.start_s
    checks = (
        (clip.end_s > decoded_s + LATE_S, f"it ends at {clip.end_s:.2f} s, and pictures at {decoded_s:.2f} s"),
        (
            duration_s <= settings.min_duration_s,
            f"{duration_s:.2f} s; more than {settings.min_duration_s:g} s is wanted",
        ),
        (
            duration_s >= settings.max_duration_s,
            f"{duration_s:.2f} s; less than {settings.max_duration_s:g} s is wanted",
        ),
        (clip.num_frames < settings.min_frames, f"{clip.num_frames}; at least {settings.min_frames} are wanted"),
        (
            len(clip.text) < settings.min_characters,
            f"{clip.text!r} has {len(clip.text)}; at least {settings.min_characters} are wanted",
        ),
        (
            clip.person_share < settings.min_person_share,
            f"in {clip.person_share:.0%} of its frames; at least {settings.min_person_share:.0%} is wanted",
        ),
    )
    for rule, (is_broken, reason) in zip(RULES, checks, strict=True):
        if is_broken:
            return Unfit(id=clip.id, rule=rule, reason=reason)
    return None
