"""The theatre: generated scenes, whose ground truth was written beside the videos for this purpose alone.

```
ROOT/train/0000.mp4  0000.srt  0000.boxes.csv  0000.truth.json
ROOT/test/…
```
A sample is one utterance: the frames in which it is spoken, the speaker's emotion (7), the 26 categories' scores, and
valence, arousal, dominance.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.types import CATEGORIES, EMOTIONS, Labels, MienError, Skipped

TRUTH_SUFFIX = ".truth.json"


class Utterance(BaseModel):
    """What this benchmark reads of an utterance's truth; there is more in it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    start_s: float
    end_s: float
    text: str
    emotion: str
    categories: tuple[float, ...] = Field(min_length=len(CATEGORIES), max_length=len(CATEGORIES))
    vad: tuple[float, float, float]


class Truth(BaseModel):
    """What this benchmark reads of a truth file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    utterances: tuple[Utterance, ...]


def read_theatre(root: Path, split: str) -> Release:
    """The utterances of `root/split`, in the order of their videos and times."""
    files = sorted((root / split).glob(f"*{TRUTH_SUFFIX}"))
    if not files:
        raise MienError(f"no *{TRUTH_SUFFIX} in {root / split}; is {root} what `mien theatre` wrote?")
    samples, skipped = list[Sample](), list[Skipped]()
    for file in files:
        video = f"{split}/{file.name.removesuffix(TRUTH_SUFFIX)}"
        for position, utterance in enumerate(read_truth(file).utterances):
            try:
                samples.append(_sample(utterance, video=video, id=f"{video}#{position}"))
            except MienError as error:
                skipped.append(Skipped(what=f"{video}#{position}", reason=str(error)))
    return Release(samples=tuple(samples), skipped=tuple(skipped))


def read_truth(path: Path) -> Truth:
    """The ground truth of one video."""
    try:
        return Truth.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, ValidationError) as error:
        raise MienError(f"{path} is not a theatre's truth: {error}; make the theatre again") from error


def _sample(utterance: Utterance, *, video: str, id: str) -> Sample:
    if utterance.emotion not in EMOTIONS:
        raise MienError(f"emotion {utterance.emotion!r} is none of {', '.join(EMOTIONS)}")
    return Sample(
        id=id,
        file=f"{video}.mp4",
        labels=Labels(category=EMOTIONS.index(utterance.emotion), scores=utterance.categories, vad=utterance.vad),
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        text=utterance.text,
        group=video,
    )


THEATRE = Benchmark(
    name="theatre",
    title="Theatre (generated scenes)",
    classes=ClassNames(category=EMOTIONS, scores=CATEGORIES, vad=("valence", "arousal", "dominance")),
    splits=("train", "test"),
    read=read_theatre,
    is_generated=True,
    group_name="video",
    licence="Apache-2.0, as the program that draws it",
    how_to_get="mien theatre ROOT, then mien prepare ROOT --out STORE",
)
