"""One video from its files to its folder in a store.

`prepare_video` is a function of the video's files and the settings, and of nothing else: who calls it, and where,
changes no byte of what it writes.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from mien.data.store import CLIPS_FILE, INDEX_FILE
from mien.data.tables import up_to_date
from mien.prepare.engines import OnProgress
from mien.prepare.origin import origin_of
from mien.prepare.places import Place
from mien.prepare.settings import PrepareSettings
from mien.prepare.stages import OUTPUTS, Stage, Stages
from mien.prepare.videos import NamedVideo, VideoFiles, excluded_ids, exclusion
from mien.types import MienError, Skipped
from mien.whole_file import DiskFullError, is_running, remove_left_parts

SCRATCH = "mien-video-"


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedVideo:
    """What became of one video: the stages that had to run, or why it failed, or why it is excluded."""

    name: str
    stages_run: tuple[str, ...] = ()
    failure: Skipped | None = None
    excluded: Skipped | None = None


def prepare_video(
    video: NamedVideo, on_progress: OnProgress, *, out: Place, settings: PrepareSettings, threads: int
) -> PreparedVideo:
    """Bring one video's files in the store `out` up to date. What is wrong with this video is returned, not raised.

    Raises DiskFullError, which concerns all videos.
    """
    try:
        remove_left_scratch()
        with TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-") as scratch:
            return _prepare(video, Path(scratch), on_progress, out=out, settings=settings, threads=threads)
    except Exception as error:  # a fault of ours, or of a library, must not stop a million other videos
        return PreparedVideo(name=video.name, failure=failure_of(video.name, error))


def remove_left_scratch() -> None:
    """Delete the scratch folders of processes of this machine that were killed; they may hold whole videos."""
    for folder in Path(gettempdir()).glob(f"{SCRATCH}*-*"):
        pid = folder.name.removeprefix(SCRATCH).partition("-")[0]
        if pid.isdecimal() and not is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def failure_of(name: str, error: Exception) -> Skipped:
    """What is told of a video that failed. Raises the error again if it concerns all videos: a full disk."""
    if isinstance(error, DiskFullError):
        raise error
    if isinstance(error, MienError | OSError):
        return Skipped(what=name, reason=str(error))
    where = traceback.extract_tb(error.__traceback__)[-1]
    reason = f"unforeseen {type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"
    return Skipped(what=name, reason=reason)


def _prepare(
    video: NamedVideo, scratch: Path, on_progress: OnProgress, *, out: Place, settings: PrepareSettings, threads: int
) -> PreparedVideo:
    files, own = VideoFiles(video, scratch / "video"), out.folder(f"videos/{video.name}")
    origin = origin_of(video.name, files.beside)
    if reason := exclusion([origin.id], excluded_ids(settings.exclude)):
        own.remove_files(OUTPUTS)
        return PreparedVideo(name=video.name, excluded=Skipped(what=video.name, reason=reason))
    folder = own.path if own.is_local else scratch / "store"
    stages = Stages(video, files, origin, folder, settings=settings, threads=threads).all()
    if not own.is_local:
        own.fetch(CLIPS_FILE, folder / CLIPS_FILE)
        if up_to_date(folder / CLIPS_FILE, stages[-1].wanted):  # they tell of all the others, and are sent last
            return PreparedVideo(name=video.name)
        for name in OUTPUTS:
            own.fetch(name, folder / name)
    remove_left_parts(folder)
    own.remove_files(set(OUTPUTS) - {stage.file for stage in stages})  # faces of a run that looked for some

    def tell(stage: str, fraction: float) -> None:
        on_progress(video.name, stage, fraction)

    # The index tells of clips of the files as they were; there is a new one when all are done.
    ran = list(_run(stages, folder, tell, before_change=lambda: out.remove_files([INDEX_FILE])))
    if not own.is_local:
        _send({stage.file for stage in ran}, folder, own)
    return PreparedVideo(name=video.name, stages_run=tuple(stage.name for stage in ran))


def _send(changed: Collection[str], folder: Path, own: Place) -> None:
    """The clips go first and come last: where they are, the others are, and are what they tell of."""
    own.remove_files([CLIPS_FILE])
    for name in OUTPUTS:
        if name in changed:
            own.send(folder / name, name)


def _run(
    stages: list[Stage], folder: Path, tell: Callable[[str, float], None], *, before_change: Callable[[], None]
) -> Iterator[Stage]:
    """Those stages whose output is not what it is to be."""
    for stage in stages:
        if not up_to_date(folder / stage.file, stage.wanted):
            before_change()
            tell(stage.name, 0.0)
            stage.make(partial(tell, stage.name))
            tell(stage.name, 1.0)
            yield stage
