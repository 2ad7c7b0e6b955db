"""One video from file to timeline: each step is skipped where what it makes is there and up to date."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mien import __version__
from mien.analyze import annotate
from mien.analyze.answers import Head, Question, Scores, load_heads, require_fit
from mien.analyze.embeddings import embedded_with, embeddings_file, read_embeddings, write_embeddings
from mien.analyze.looks import OnFrame, look_at_faces, look_at_persons
from mien.analyze.persons import summarise_persons
from mien.analyze.record import FILE as RECORD_FILE
from mien.analyze.record import Analysis, HeadFacts, Left, ModelFacts, Source
from mien.analyze.scene import FILE as SCENE_FILE
from mien.analyze.scene import (
    Scene,
    detectors,
    prepare_store,
    preparing,
    see_scene,
    shot_of,
    stored_per_sample,
)
from mien.analyze.settings import AnalyzeSettings
from mien.analyze.smoothing import groups_of, smooth
from mien.analyze.timeline import FILE as TIMELINE_FILE
from mien.analyze.timeline import CSV_FILE, JSONL_FILE, Seen, Timeline, make_timeline, made_with
from mien.captions.naming import FACE_TEMPLATES
from mien.data.store import Store
from mien.hub import resolve, weights_hash
from mien.inference import TEMPLATES, Mien, require_media
from mien.media.video import picture_times
from mien.prepare.places import Place
from mien.types import MienError
from mien.whole_file import remove_left_parts, require_writable, write_whole

STORE = "store"
STORE_MARK = "made-by-mien-analyze"
"""A file in the store that says that it may be deleted."""
RULE = 1
"""To be raised when the same settings give another timeline, so that those of before are made anew."""

OnProgress = Callable[[str, int, int], None]
"""Told a stage's name, and how much of how much of it is done."""


class StoppedError(MienError):
    """Somebody asked for it; the same call goes on."""


def analyze(
    path: Path,
    out_folder: Path,
    *,
    settings: AnalyzeSettings = AnalyzeSettings(),
    on_progress: OnProgress = lambda stage, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Analysis:
    """Who shows which of the words when, in one video or picture; everything about it is in `out_folder` then.

    See docs/analyze.md for the files. The same call again goes on where it was stopped, skips what is done, and makes
    anew what depends on settings that changed. `should_stop` is asked at every report of progress.

    Raises MienError where the file cannot be read or a model does not fit, StoppedError where it was stopped.
    """
    require_media(path)
    _require_folder(out_folder, path)

    def tell(stage: str, done: int, total: int) -> None:
        on_progress(stage, done, total)
        if should_stop():
            raise _Stop

    try:
        return _analyze(path, out_folder, settings, tell)
    except _Stop:
        raise StoppedError(f"stopped; the same again goes on with {path}") from None


class _Stop(BaseException):
    """Passes through those who catch what goes wrong with one video, as KeyboardInterrupt does."""


def _analyze(path: Path, out: Path, settings: AnalyzeSettings, tell: OnProgress) -> Analysis:
    out.mkdir(parents=True, exist_ok=True)
    remove_left_parts(out)
    heads = load_heads(settings.head)
    eyes = [_Eyes.open(source, name, settings, heads) for source, name in _models(settings).items()]
    marks = _marks(path, settings, eyes, heads)
    if (known := _known(out, marks["all"])) is not None:
        return known
    scene = _look(path, out, settings, eyes, marks, tell)
    if made_with(out) != {"mark": marks["timeline"]}:
        tell("score", 0, 1)
        make_and_save(path, out, scene, settings, eyes, made_with={"mark": marks["timeline"]})
        tell("score", 1, 1)
    annotated = annotate.file_of(path, out)
    for other in {out / name for name in annotate.FILES} - ({annotated} if settings.annotate else set()):
        other.unlink(missing_ok=True)  # of other settings: it would show another timeline's answers
    if settings.annotate and annotate.annotated_with(annotated) != marks["timeline"]:
        timeline = Timeline.load(out)
        annotate.annotate(path, annotated, timeline, scene, mark=marks["timeline"], on_done=partial(tell, "annotate"))
    record = _record(out, scene, settings, eyes, heads, fingerprint=marks["all"])
    record.save(out)
    if not settings.keep_store:
        _delete_store(out)
    return record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Eyes:
    """A model, what it looks at, and what it is asked."""

    source: Source
    model: Mien
    question: Question
    facts: ModelFacts

    @classmethod
    def open(cls, source: Source, name: str, settings: AnalyzeSettings, heads: Sequence[Head]) -> _Eyes:
        folder = resolve(name)
        model = Mien.from_pretrained(folder)
        require_fit(heads, model, name=name)
        templates = settings.templates or (FACE_TEMPLATES if source == "face" else TEMPLATES)
        question = Question(model, words=settings.words, templates=templates, heads=heads)
        facts = ModelFacts(
            name=name,
            weights_hash=weights_hash(folder),
            weights_license=model.config.weights_license,
            trained_on=model.config.trained_on,
            templates=question.templates,
        )
        return cls(source=source, model=model, question=question, facts=facts)


def _models(settings: AnalyzeSettings) -> dict[Source, str]:
    asked: dict[Source, str | None] = {"face": settings.face_model, "person": settings.model}
    return {source: name for source, name in asked.items() if name is not None}


# ── what is there already ────────────────────────────────────────────────────────────────────────


def _marks(path: Path, settings: AnalyzeSettings, eyes: Sequence[_Eyes], heads: Sequence[Head]) -> dict[str, str]:
    """A fingerprint of each output: of all that it is made with."""
    beside = {file.name: file.num_bytes for file in Place.of(path.parent).files_beside(path.name)}
    scene = _mark(RULE, path.name, beside, preparing(settings).model_dump(mode="json"), detectors(settings))
    marks = {"scene": scene}
    for own in eyes:
        clip_s = settings.clip_s if own.source == "person" else None
        marks[own.source] = _mark(scene, own.facts.weights_hash, settings.samples_per_s, clip_s)
    asked = [[own.facts.templates, own.question.words, own.question.numbers] for own in eyes]
    how = [settings.smoothing_s, settings.min_confidence, [head.facts.sha256 for head in heads]]
    marks["timeline"] = _mark({own.source: marks[own.source] for own in eyes}, asked, how)
    marks["all"] = _mark(marks["timeline"], settings.annotate, __version__)
    return marks


def _mark(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _known(out: Path, mark: str) -> Analysis | None:
    """The finished analysis, if it is what is asked for, and whole."""
    try:
        record = Analysis.load(out)
    except MienError:
        return None
    is_whole = all((out / name).is_file() for name in record.files)
    return record if record.fingerprint == mark and is_whole else None


def _require_folder(out: Path, path: Path) -> None:
    require_writable(out)
    if out.is_file():
        raise MienError(f"{out} is a file; name a folder")
    if (scene := _scene(out)) is not None and scene.video.name != path.name:
        raise MienError(f"{out} holds the analysis of {scene.video.name}; name another folder for {path.name}")
    store = out / STORE
    if store.exists() and any(store.iterdir()) and not (store / STORE_MARK).is_file():
        raise MienError(f"{store} is not of `mien analyze`, which keeps one there while it works; name another folder")


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


def _look(
    path: Path, out: Path, settings: AnalyzeSettings, eyes: Sequence[_Eyes], marks: dict[str, str], tell: OnProgress
) -> Scene:
    """Brings the scene and everyone's embeddings up to date."""
    scene = _scene(out)
    missing = [own for own in eyes if embedded_with(embeddings_file(out, own.source)) != marks[own.source]]
    if scene is not None and scene.made_with == marks["scene"] and not missing:
        return scene
    store = _store(path, out, settings, tell)
    if scene is None or scene.made_with != marks["scene"]:
        tell("shots", 0, 1)
        scene = see_scene(path, store, settings=settings, made_with=marks["scene"])
        write_whole(out / SCENE_FILE, scene.model_dump_json(indent=1) + "\n")
        tell("shots", 1, 1)
    (video,) = store.videos
    every = stored_per_sample(settings)
    for own in missing:
        on_frame: OnFrame = partial(tell, f"look at {own.source}s")
        looks = (
            look_at_faces(own.model, store, video, every=every, on_frame=on_frame)
            if own.source == "face"
            else look_at_persons(own.model, store, video, every=every, clip_s=settings.clip_s, on_frame=on_frame)
        )
        width = own.model.config.architecture.embed_dim
        write_embeddings(embeddings_file(out, own.source), looks, width=width, made_with=marks[own.source])
    return scene


def _store(path: Path, out: Path, settings: AnalyzeSettings, tell: OnProgress) -> Store:
    folder = out / STORE
    if (folder / STORE_MARK).is_file() and _stored_name(folder) not in (None, path.stem):
        shutil.rmtree(folder)

    def on_fraction(stage: str, fraction: float) -> None:
        tell(stage, round(1000 * fraction), 1000)
        if not (folder / STORE_MARK).is_file():
            (folder / STORE_MARK).touch()  # as soon as the store is begun, which must be done in an empty folder

    return prepare_store(path, folder, settings=settings, on_fraction=on_fraction)


def _stored_name(folder: Path) -> str | None:
    """The video that a store is of."""
    try:
        return next(iter(Store(folder).videos), None)
    except MienError:
        return None


def _delete_store(out: Path) -> None:
    if (out / STORE / STORE_MARK).is_file():
        shutil.rmtree(out / STORE)


def _scene(out: Path) -> Scene | None:
    try:
        return Scene.model_validate_json((out / SCENE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


# ── answering ────────────────────────────────────────────────────────────────────────────────────


def make_and_save(
    path: Path,
    out: Path,
    scene: Scene,
    settings: AnalyzeSettings,
    eyes: Sequence[_Eyes],
    *,
    made_with: dict[str, Any],
) -> None:
    """The timeline of everyone's embeddings, in the folder."""
    seen, scores = _answered(path, out, scene, settings, eyes)
    sample = np.round(seen.time_s * settings.samples_per_s).astype(np.int64)
    source = np.array([eyes[0].source == name for name in seen.source], np.int64)
    groups = groups_of(seen.track, seen.shot, source, order=sample)
    deviation = settings.smoothing_s * settings.samples_per_s
    both = np.concatenate([scores.probabilities, scores.numbers], axis=1)
    smoothed = smooth(both.astype(np.float64), sample=sample, groups=groups, deviation=deviation)
    words, numbers = eyes[0].question.words, eyes[0].question.numbers
    make_timeline(
        seen,
        video=path.name,
        words=words,
        probabilities=smoothed[:, : len(words)],
        numbers={name: smoothed[:, len(words) + i] for i, name in enumerate(numbers)},
        min_confidence=settings.min_confidence,
        model_of={own.source: f"{own.facts.name}@{own.facts.weights_hash}" for own in eyes},
        detector_of=scene.detectors,
        made_with=made_with,
    ).save(out)


def _answered(
    path: Path, out: Path, scene: Scene, settings: AnalyzeSettings, eyes: Sequence[_Eyes]
) -> tuple[Seen, Scores]:
    """Everyone looked at, by time, track and source, and how they scored."""
    frame, track, source = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32)
    xyxy, parts = np.zeros((0, 4), np.float32), list[Scores]()
    for number, own in enumerate(eyes):
        places, scores = list[tuple[np.ndarray, np.ndarray, np.ndarray]](), list[Scores]()
        for some in read_embeddings(embeddings_file(out, own.source)):
            places.append((some.frame, some.track, some.xyxy))
            scores.append(own.question.answer(some.embedding))
        parts += scores
        frame = np.concatenate([frame, *(place[0] for place in places)])
        track = np.concatenate([track, *(place[1] for place in places)])
        xyxy = np.concatenate([xyxy, *(place[2] for place in places)])
        source = np.concatenate([source, np.full(len(frame) - len(source), number, np.int32)])
    question, order = eyes[0].question, np.lexsort((source, track, frame))
    time_s = frame[order] / (settings.samples_per_s * stored_per_sample(settings))
    seen = Seen(
        time_s=time_s,
        frame=_picture_numbers(path, scene, time_s),
        shot=shot_of(scene, time_s),
        track=track[order],
        source=tuple(eyes[i].source for i in source[order]),
        xyxy=xyxy[order],
    )
    probabilities = np.concatenate(
        [np.zeros((0, len(question.words)), np.float32), *(part.probabilities for part in parts)]
    )
    numbers = np.concatenate([np.zeros((0, len(question.numbers)), np.float32), *(part.numbers for part in parts)])
    return seen, Scores(probabilities=probabilities[order], numbers=numbers[order])


def _picture_numbers(path: Path, scene: Scene, time_s: np.ndarray) -> np.ndarray:
    """The number of the picture of the file that is shown at each time."""
    if scene.video.is_picture:
        return np.zeros(len(time_s), np.int64)
    times = picture_times(path)
    return np.maximum(np.searchsorted(times, time_s + 1e-3, side="right") - 1, 0).astype(np.int64)


def _record(
    out: Path,
    scene: Scene,
    settings: AnalyzeSettings,
    eyes: Sequence[_Eyes],
    heads: Sequence[Head],
    *,
    fingerprint: str,
) -> Analysis:
    timeline, step_s = Timeline.load(out), 1 / settings.samples_per_s
    embedded = [embeddings_file(out, own.source).name for own in eyes]
    files = [TIMELINE_FILE, CSV_FILE, JSONL_FILE, SCENE_FILE, *embedded]
    annotated = [name for name in annotate.FILES if (out / name).is_file()]
    return Analysis(
        version=__version__,
        fingerprint=fingerprint,
        video=scene.video,
        settings=settings,
        words=timeline.words,
        numbers=timeline.numbers,
        step_s=step_s,
        num_samples=scene.num_samples,
        models={own.source: own.facts for own in eyes},
        heads=tuple(head.facts for head in heads),
        detectors=scene.detectors,
        shots=scene.shots,
        persons=summarise_persons(timeline, step_s=step_s, num_persons=scene.num_persons),
        utterances=scene.utterances,
        skipped=scene.skipped,
        files=(*files, *annotated),
    )
