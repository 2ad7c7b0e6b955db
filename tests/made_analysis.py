"""An analysis as `mien analyze` leaves it, of persons whose moods are drawn: for what reads one, without any model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.analyze.persons import summarise_persons
from mien.analyze.record import Analysis, Left, ModelFacts, Shot, Source, Utterance, VideoFacts
from mien.analyze.settings import AnalyzeSettings
from mien.analyze.timeline import CSV_FILE, FILE, JSONL_FILE, Seen, Timeline, make_timeline
from mien.captions.lexicon import FACE_EMOTIONS

FACE = ModelFacts(
    name="face", weights_hash="0123456789abcdef", weights_license="research use", trained_on="FER+",
    templates=("a face that shows {}.",),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """When a person is in sight, as what, and in which shot."""

    track: int
    spans_s: Sequence[tuple[float, float]]
    source: Source = "face"
    shot: int = 0


def write_analysis(
    folder: Path,
    video: Path,
    sights: Sequence[Sight],
    *,
    duration_s: float,
    words: Sequence[str] = FACE_EMOTIONS,
    numbers: Sequence[str] = (),
    step_s: float = 0.25,
    width: int = 64,
    height: int = 48,
    fps: float = 8.0,
    shots_s: Sequence[float] = (0.0,),
    said: Sequence[tuple[float, float, str]] = (),
    skipped: Sequence[Left] = (),
    seed: int = 0,
) -> Analysis:
    """The files of an analysis in `folder`. A `duration_s` of 0 makes it one of a picture."""
    rng = np.random.default_rng(seed)
    settings = AnalyzeSettings(words=tuple(words), samples_per_s=1 / step_s)
    timeline = _timeline(sights, video.name, words, numbers, step_s, (width, height, fps), settings.min_confidence, rng)
    folder.mkdir(parents=True, exist_ok=True)
    timeline.save(folder)
    edges = [*shots_s, duration_s]
    known_step_s = step_s if duration_s else 0.0
    analysis = Analysis(
        version="0.0.test",
        fingerprint="",
        video=VideoFacts(
            path=str(video), name=video.name, num_bytes=video.stat().st_size, duration_s=duration_s, width=width,
            height=height, fps=fps if duration_s else 0.0, is_picture=not duration_s,
        ),
        settings=settings,
        words=tuple(words),
        numbers=tuple(numbers),
        step_s=known_step_s,
        num_samples=max(1, round(duration_s / step_s)),
        models=dict.fromkeys(sorted({sight.source for sight in sights}), FACE),
        heads=(),
        detectors={"face": "centerface"},
        shots=tuple(Shot(start_s=a, end_s=b) for a, b in itertools.pairwise(edges)),
        persons=summarise_persons(timeline, step_s=known_step_s, end_s=duration_s, num_persons=len(sights)),
        utterances=tuple(Utterance(start_s=a, end_s=b, text=t, emotion="joy", probability=0.5) for a, b, t in said),
        skipped=tuple(skipped),
        files=(FILE, CSV_FILE, JSONL_FILE),
    )  # fmt: skip
    analysis.save(folder)
    return analysis


def _timeline(
    sights: Sequence[Sight],
    video: str,
    words: Sequence[str],
    numbers: Sequence[str],
    step_s: float,
    frame: tuple[int, int, float],
    min_confidence: float,
    rng: np.random.Generator,
) -> Timeline:
    width, height, fps = frame
    times = [np.concatenate([np.arange(a, max(b, a + step_s / 2), step_s) for a, b in s.spans_s]) for s in sights]
    counts = [len(own) for own in times]
    moods = [_moods(count, len(words), rng) for count in counts]
    time_s = np.concatenate([*times, np.empty(0)])
    return make_timeline(
        Seen(
            time_s=time_s,
            frame=np.floor(time_s * fps + 1e-6).astype(np.int64),
            shot=np.repeat([s.shot for s in sights], counts).astype(np.int32),
            track=np.repeat([s.track for s in sights], counts).astype(np.int32),
            source=tuple(s.source for s, count in zip(sights, counts, strict=True) for _ in range(count)),
            xyxy=np.concatenate([*(_boxes(c, width, height, rng) for c in counts), np.empty((0, 4), np.float32)]),
        ),
        video=video,
        words=words,
        probabilities=np.concatenate([*moods, np.empty((0, len(words)))]),
        numbers={name: np.sin(time_s) for name in numbers},
        min_confidence=min_confidence,
        model_of={"face": "face@0123", "person": "mine@4567"},
        detector_of={"face": "centerface", "person": "centernet"},
        made_with={},
    )


def _moods(count: int, num_words: int, rng: np.random.Generator) -> np.ndarray:
    """Probabilities that change slowly: a walk, made sharp."""
    steps = rng.normal(size=(count, num_words)) * 0.6
    walk = np.cumsum(steps, axis=0) + rng.normal(size=num_words)
    e = np.exp(3 * (walk - walk.max(axis=1, keepdims=True)))
    return e / e.sum(axis=1, keepdims=True)


def _boxes(count: int, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A box that drifts through the picture."""
    middle = np.array([width, height]) * (0.3 + 0.4 * rng.random(2)) + np.cumsum(rng.normal(size=(count, 2)), axis=0)
    half = np.array([width, height]) * (0.12, 0.22)
    corners = np.concatenate([middle - half, middle + half], axis=1)
    return corners.clip(0, [width, height, width, height]).astype(np.float32)
