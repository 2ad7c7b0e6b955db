"""One video from file to timeline: each step is skipped where what it makes is there and up to date."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mien import __version__
from mien.analyze import annotate
from mien.analyze.answers import Head, load_heads
from mien.analyze.embeddings import embedded_with, embeddings_file, write_embeddings
from mien.analyze.eyes import Eyes, open_eyes
from mien.analyze.marks import Marks, marks_of
from mien.analyze.page import PAGE_FILE, write_page
from mien.analyze.persons import summarise_persons
from mien.analyze.record import Analysis
from mien.analyze.scene import FILE as SCENE_FILE
from mien.analyze.scene import Scene, prepare_store, see_scene, stored_per_sample
from mien.analyze.scoring import score
from mien.analyze.settings import AnalyzeSettings
from mien.analyze.timeline import CSV_FILE, JSONL_FILE, Timeline, made_with
from mien.analyze.timeline import FILE as TIMELINE_FILE
from mien.data.store import SETTINGS_FILE, Store
from mien.inference import require_media
from mien.media.video import probe_video
from mien.types import MienError
from mien.whole_file import remove_left_parts, require_writable, write_whole

STORE = "store"
STORE_MARK = "made-by-mien-analyze"
"""A file in the store that says that it may be deleted."""

OnProgress = Callable[[str, int, int], None]
"""Told a stage's name, and how much of how much of it is done."""


class StoppedError(MienError):
    """Somebody asked for it; the same call goes on."""


class _Stop(BaseException):
    """Passes through those who catch what goes wrong with one video, as KeyboardInterrupt does."""


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
    _require_folder(out_folder, path)  # before models are loaded, for seconds
    return analyze_with(open_models(settings), path, out_folder, on_progress=on_progress, should_stop=should_stop)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Models:
    """Settings and the models they ask for, open: for many videos."""

    settings: AnalyzeSettings
    eyes: tuple[Eyes, ...]
    heads: tuple[Head, ...]


def open_models(settings: AnalyzeSettings) -> Models:
    """The models that are asked for. Raises MienError where one is not there, or a head does not fit."""
    heads = load_heads(settings.head)
    return Models(settings=settings, eyes=tuple(open_eyes(settings, heads)), heads=heads)


def analyze_with(
    models: Models,
    path: Path,
    out_folder: Path,
    *,
    on_progress: OnProgress = lambda stage, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Analysis:
    """`analyze` with models that are open already."""
    require_media(path)
    _require_folder(out_folder, path)

    def tell(stage: str, done: int, total: int) -> None:
        on_progress(stage, done, total)
        if should_stop():
            raise _Stop

    try:
        return _analyze(models, path, out_folder, tell)
    except _Stop:
        raise StoppedError(f"stopped; the same again goes on with {path}") from None


def _analyze(models: Models, path: Path, out: Path, tell: OnProgress) -> Analysis:
    marks = marks_of(path, models.settings, models.eyes, models.heads)
    probe_video(path)  # what cannot be read leaves no folder
    out.mkdir(parents=True, exist_ok=True)
    remove_left_parts(out)
    if (known := _finished(out, marks)) is None:
        scene = _look(models, path, out, marks, tell)
        _answer(models, path, out, scene, marks, tell)
        known = _record(models, path, out, scene, marks)
        (out / PAGE_FILE).unlink(missing_ok=True)  # one of other words would pass for this one's if we were stopped
        known.save(out)
        write_page(out)
    if not models.settings.keep_store and _is_ours(out / STORE):
        shutil.rmtree(out / STORE)
    return known


def _finished(out: Path, marks: Marks) -> Analysis | None:
    """The analysis in the folder, if it is what is asked for, and whole."""
    try:
        record = Analysis.load(out)
    except MienError:
        return None
    is_whole = all((out / name).is_file() for name in record.files)
    return record if record.fingerprint == marks.all and is_whole else None


def _require_folder(out: Path, path: Path) -> None:
    if out.is_file():
        raise MienError(f"{out} is a file; name a folder")
    require_writable(out)
    if (scene := _scene(out)) is not None and scene.video.name != path.name:
        raise MienError(f"{out} holds the analysis of {scene.video.name}; name another folder for {path.name}")
    store = out / STORE
    if any(store.glob("*")) and not _is_ours(store):
        raise MienError(f"{store} is not of `mien analyze`, which keeps one there while it works; name another folder")


def _scene(out: Path) -> Scene | None:
    """The scene in a folder, if there is one that can be read."""
    try:
        return Scene.model_validate_json((out / SCENE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


# ── the steps ────────────────────────────────────────────────────────────────────────────────────


def _look(models: Models, path: Path, out: Path, marks: Marks, tell: OnProgress) -> Scene:
    """Brings the scene and everyone's embeddings up to date."""
    scene, settings = _scene(out), models.settings
    missing = [
        own for own in models.eyes if embedded_with(embeddings_file(out, own.source)) != marks.embeddings[own.source]
    ]
    if scene is not None and scene.made_with == marks.scene and not missing:
        return scene
    store = _store(path, out / STORE, settings, tell)
    if scene is None or scene.made_with != marks.scene:
        tell("shots", 0, 1)
        scene = see_scene(path, store, settings=settings, made_with=marks.scene)
        write_whole(out / SCENE_FILE, scene.model_dump_json(indent=1) + "\n")
        tell("shots", 1, 1)
    for own in missing:
        looks = own.look(
            store,
            every=stored_per_sample(settings),
            clip_s=settings.clip_s,
            on_frame=partial(tell, f"look at {own.source}s"),
        )
        width = own.model.config.architecture.embed_dim
        write_embeddings(embeddings_file(out, own.source), looks, width=width, made_with=marks.embeddings[own.source])
    return scene


def _store(path: Path, folder: Path, settings: AnalyzeSettings, tell: OnProgress) -> Store:
    """The video's store, made or gone on with; marked as ours as soon as it is begun, in an empty folder."""
    if any(there.name != path.stem for there in (folder / "videos").glob("*")):
        shutil.rmtree(folder)  # of another video, whose analysis was stopped early

    def on_fraction(stage: str, fraction: float) -> None:
        (folder / STORE_MARK).touch()
        tell(stage, round(1000 * fraction), 1000)

    return prepare_store(path, folder, settings=settings, on_fraction=on_fraction)


def _is_ours(store: Path) -> bool:
    """Whether a store was made here; one without any video yet may not be marked."""
    return (store / STORE_MARK).is_file() or {file.name for file in store.glob("*")} == {SETTINGS_FILE}


def _answer(models: Models, path: Path, out: Path, scene: Scene, marks: Marks, tell: OnProgress) -> None:
    """Brings the timeline and what is drawn of it up to date."""
    settings = models.settings
    if made_with(out) != {"mark": marks.timeline}:
        tell("score", 0, 1)
        score(path, out, scene, settings, models.eyes, made_with={"mark": marks.timeline}).save(out)
        tell("score", 1, 1)
    annotated = annotate.file_of(path, out)
    if settings.annotate and annotate.annotated_with(annotated) != marks.timeline:
        annotate.annotate(
            path,
            annotated,
            Timeline.load(out),
            scene,
            step_s=1 / settings.samples_per_s,
            mark=marks.timeline,
            on_done=partial(tell, "annotate"),
        )
    if not settings.annotate:  # what is there may show other answers
        annotated.unlink(missing_ok=True)


def _record(models: Models, path: Path, out: Path, scene: Scene, marks: Marks) -> Analysis:
    settings, eyes = models.settings, models.eyes
    timeline = Timeline.load(out)
    step_s = 0.0 if scene.video.is_picture else 1 / settings.samples_per_s
    files = [TIMELINE_FILE, CSV_FILE, JSONL_FILE, SCENE_FILE, *(embeddings_file(out, own.source).name for own in eyes)]
    return Analysis(
        version=__version__,
        fingerprint=marks.all,
        video=scene.video.model_copy(update={"path": str(path)}),  # it may have been moved since it was looked at
        settings=settings,
        words=timeline.words,
        numbers=timeline.numbers,
        step_s=step_s,
        num_samples=scene.num_samples,
        models={own.source: own.facts for own in eyes},
        heads=tuple(head.facts for head in models.heads),
        detectors=scene.detectors,
        shots=scene.shots,
        persons=summarise_persons(timeline, step_s=step_s, end_s=scene.video.duration_s, num_persons=scene.num_persons),
        utterances=scene.utterances,
        skipped=scene.skipped,
        files=(*files, *(name for name in annotate.FILES if (out / name).is_file()), PAGE_FILE),
    )
