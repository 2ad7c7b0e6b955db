"""From everyone's embeddings to the timeline: answers, smoothed over time, and where and when each was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from mien.analyze.answers import Scores
from mien.analyze.embeddings import embeddings_file, read_embeddings
from mien.analyze.eyes import Eyes
from mien.analyze.looks import Looks
from mien.analyze.scene import Scene, shot_of, stored_per_sample
from mien.analyze.settings import AnalyzeSettings
from mien.analyze.smoothing import groups_of, smooth
from mien.analyze.timeline import Seen, Timeline, make_timeline
from mien.media.video import TIME_TOLERANCE_S, picture_times


def score(
    path: Path, out: Path, scene: Scene, settings: AnalyzeSettings, eyes: Sequence[Eyes], *, made_with: dict[str, Any]
) -> Timeline:
    """The timeline of the embeddings that lie in the folder `out`, of the video `path`."""
    seen, scores = _answered(path, out, scene, settings, eyes)
    sample = np.round(seen.time_s * settings.samples_per_s).astype(np.int64)
    is_face = np.array([name == "face" for name in seen.source], np.int64)
    smoothed = smooth(
        np.concatenate([scores.probabilities, scores.numbers], axis=1).astype(np.float64),
        sample=sample,
        groups=groups_of(seen.shot, seen.track, is_face, order=sample),
        deviation=settings.smoothing_s * settings.samples_per_s,
    )
    words, numbers = eyes[0].question.words, eyes[0].question.numbers
    return make_timeline(
        seen,
        video=path.name,
        words=words,
        probabilities=smoothed[:, : len(words)],
        numbers={name: smoothed[:, len(words) + i] for i, name in enumerate(numbers)},
        min_confidence=settings.min_confidence,
        model_of={own.source: f"{own.facts.name}@{own.facts.weights_hash}" for own in eyes},
        detector_of={str(source): detector for source, detector in scene.detectors.items()},
        made_with=made_with,
    )


def _answered(
    path: Path, out: Path, scene: Scene, settings: AnalyzeSettings, eyes: Sequence[Eyes]
) -> tuple[Seen, Scores]:
    """Everyone looked at, by time, track and source, and how they scored; embeddings pass by, scores stay."""
    places, scores, sources = list[Looks](), list[Scores](), list[int]()
    for number, own in enumerate(eyes):
        for some in read_embeddings(embeddings_file(out, own.source)):
            scores.append(own.question.answer(some.embedding))
            nothing = np.empty((len(some.frame), 0), np.float32)  # a view would keep the embeddings alive
            places.append(Looks(frame=some.frame, track=some.track, xyxy=some.xyxy, embedding=nothing))
            sources += [number] * len(some.frame)
    question, source = eyes[0].question, np.array(sources, np.int64)
    frame = np.concatenate([np.zeros(0, np.int32), *(some.frame for some in places)])
    track = np.concatenate([np.zeros(0, np.int32), *(some.track for some in places)])
    xyxy = np.concatenate([np.zeros((0, 4), np.float32), *(some.xyxy for some in places)])
    probabilities = np.concatenate([np.zeros((0, len(question.words)), np.float32), *(s.probabilities for s in scores)])
    numbers = np.concatenate([np.zeros((0, len(question.numbers)), np.float32), *(s.numbers for s in scores)])
    order = np.lexsort((source, track, frame))
    time_s = frame[order] / (settings.samples_per_s * stored_per_sample(settings))
    seen = Seen(
        time_s=time_s,
        frame=_picture_numbers(path, scene, time_s),
        shot=shot_of(scene, time_s),
        track=track[order],
        source=tuple(eyes[i].source for i in source[order]),
        xyxy=xyxy[order],
    )
    return seen, Scores(probabilities=probabilities[order], numbers=numbers[order])


def _picture_numbers(path: Path, scene: Scene, time_s: Float64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """The number of the picture of the file that is shown at each time."""
    if scene.video.is_picture:
        return np.zeros(len(time_s), np.int64)
    shown = np.searchsorted(picture_times(path), time_s + TIME_TOLERANCE_S, side="right") - 1
    return np.maximum(shown, 0).astype(np.int64)
