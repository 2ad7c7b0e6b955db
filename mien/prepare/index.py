"""The stage that decides which sentences make clips, and writes the index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from mien.config import Config
from mien.data.store import BOXES_FILE, FRAMES_FILE, SENTENCES_FILE, frame_range
from mien.data.tables import read_boxes, read_sentences
from mien.media.frames import FrameReader
from mien.types import BoxTable, Clip, Sentence, Skipped

LATE_S = 0.5  # captions often stay a little longer than the pictures; later ones belong to a part that is missing


class IndexSettings(Config):
    """What a sentence must have to be a clip (EmotionCLIP §4). Neutral sentences are left to training's own filter."""

    min_frames: int = Field(8, ge=1)
    min_duration_s: float = Field(2.0, ge=0)
    max_duration_s: float = Field(10.0, gt=0)
    min_characters: int = Field(3, ge=0)
    min_box_score: float = Field(0.35, ge=0, le=1)
    """Boxes below do not count as a person."""
    min_person_share: float = Field(0.0, ge=0, le=1)


def clips_of(name: str, folder: Path, *, settings: IndexSettings) -> tuple[list[Clip], list[Skipped]]:
    """The clips of video `name`, whose files are in `folder`, and the sentences that make none.

    A clip's id is `name#n`, n the sentence's number in the video: it stays whatever the settings leave out.
    """
    reader = FrameReader(folder / FRAMES_FILE)
    scored = read_sentences(folder / SENTENCES_FILE)
    shows_person = _frames_with_person(
        read_boxes(folder / BOXES_FILE), count=len(reader), min_score=settings.min_box_score
    )
    clips, skipped = [], []
    for number, (sentence, logits) in enumerate(zip(scored.sentences, scored.logits.tolist(), strict=True)):
        start, end = frame_range(sentence.start_s, sentence.end_s, fps=reader.info.fps)
        end = min(end, len(reader))
        clip = Clip(
            id=f"{name}#{number}",
            video=name,
            start_frame=start,
            end_frame=end,
            start_s=sentence.start_s,
            end_s=sentence.end_s,
            text=sentence.text,
            sentiment_logits=tuple(logits),
            person_share=float(shows_person[start:end].mean()) if end > start else 0.0,
        )
        reason = _unfit(clip, sentence, decoded_s=len(reader) / reader.info.fps, settings=settings)
        if reason:
            skipped.append(Skipped(what=clip.id, reason=reason))
        else:
            clips.append(clip)
    return clips, skipped


def _frames_with_person(boxes: BoxTable, *, count: int, min_score: float) -> Bool[np.ndarray, "f"]:
    shows = np.zeros(count, np.bool_)
    shows[boxes.frame[boxes.score >= min_score]] = True
    return shows


def _unfit(clip: Clip, sentence: Sentence, *, decoded_s: float, settings: IndexSettings) -> str | None:
    """Why a clip is left out, if it is."""
    duration_s = sentence.end_s - sentence.start_s
    if sentence.end_s > decoded_s + LATE_S:
        return f"it ends at {sentence.end_s:.2f} s, and pictures at {decoded_s:.2f} s"
    if not settings.min_duration_s < duration_s < settings.max_duration_s:
        return (
            f"{duration_s:.2f} s long; between {settings.min_duration_s:g} and {settings.max_duration_s:g} s is wanted"
        )
    if clip.num_frames < settings.min_frames:
        return f"{clip.num_frames} frames; at least {settings.min_frames} are wanted"
    if len(sentence.text) < settings.min_characters:
        return f"the text {sentence.text!r} has fewer than {settings.min_characters} characters"
    if clip.person_share < settings.min_person_share:
        return f"a person in {clip.person_share:.0%} of its frames; at least {settings.min_person_share:.0%} is wanted"
    return None
