"""From a folder of videos to a store: every stage over every video, then the index."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Any

from mien.data.store import (
    BOXES_FILE,
    FORMAT,
    FRAMES_FILE,
    INDEX_FILE,
    SENTENCES_FILE,
    SETTINGS_FILE,
    SKIPPED_FILE,
)
from mien.data.tables import up_to_date, write_index
from mien.media.frames import whole_file
from mien.prepare.index import IndexSettings, clips_of
from mien.prepare.stages import OnProgress, PreparedVideo, PrepareSettings, prepare_video, require_models
from mien.prepare.videos import NamedVideo, find_videos
from mien.types import MienError, Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareReport:
    """What `prepare` did. `failed` should set the exit status; `skipped` is what was left out by the rules."""

    num_videos: int
    num_new: int
    num_clips: int
    failed: tuple[Skipped, ...]
    skipped: tuple[Skipped, ...]


def prepare(
    videos: Path,
    out: Path,
    *,
    settings: PrepareSettings,
    workers: int = 1,
    on_progress: OnProgress = lambda video, stage, fraction: None,
    on_video: Callable[[int, int], None] = lambda done, total: None,
) -> PrepareReport:
    """Make the store `out` of the videos under `videos`, or bring it up to date; `workers` videos at a time.

    `on_video` is told how many of how many videos are done, `on_progress` what is being done to one.

    Only what is missing, or was made from another file or with other settings, is made. Interrupted at any point,
    what is there is whole, and the same call goes on from it. A video that fails does not stop the others.
    Raises MienError where there are no videos, `out` is someone else's folder, or the disk is full.
    """
    found = find_videos(videos, images=settings.images, excluded=settings.exclude)
    require_models(settings)
    _claim(out, settings)
    folders = {video: out / "videos" / video.name for video in found.videos}
    if workers > 1:
        prepared = _in_parallel(folders, settings=settings, workers=workers, on_progress=on_progress)
    else:
        prepared = (
            prepare_video(video, folder, settings=settings, threads=0, on_progress=on_progress)
            for video, folder in folders.items()
        )
    done: list[PreparedVideo] = []
    on_video(0, len(folders))
    for video in prepared:
        done.append(video)
        on_video(len(done), len(folders))
    done.sort(key=lambda video: video.name)
    whole = {video.name: out / "videos" / video.name for video in done if video.failure is None}
    num_clips, unfit = _make_index(out / INDEX_FILE, whole, settings=settings.index, on_progress=on_progress)
    report = PrepareReport(
        num_videos=len(whole),
        num_new=sum(bool(video.stages_run) for video in done if video.failure is None),
        num_clips=num_clips,
        failed=(*found.ambiguous, *(video.failure for video in done if video.failure)),
        skipped=(*found.excluded, *(skipped for video in done for skipped in video.skipped), *unfit),
    )
    lines = [asdict(s) | {"failed": True} for s in report.failed] + [asdict(s) for s in report.skipped]
    _write_if_changed(out / SKIPPED_FILE, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return report


def _claim(out: Path, settings: PrepareSettings) -> None:
    """Make `out` a store with these settings, unless it is something else."""
    if out.exists() and not (out / SETTINGS_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise MienError(f"{out} is there already and is not a store (no {SETTINGS_FILE} in it); name an empty folder")
    described = {"format": FORMAT, "settings": settings.model_dump(mode="json")}
    _write_if_changed(out / SETTINGS_FILE, json.dumps(described, indent=2) + "\n")


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")


# ── the index ────────────────────────────────────────────────────────────────────────────────────


def _make_index(
    out: Path, folders: Mapping[str, Path], *, settings: IndexSettings, on_progress: OnProgress
) -> tuple[int, list[Skipped]]:
    """Write the index if the videos' files, their names or the settings changed; count clips, list the rest."""
    wanted = {
        "format": FORMAT,
        "settings": settings.model_dump(mode="json"),
        "inputs": {name: _state(folder) for name, folder in folders.items()},
    }
    if made := up_to_date(out, wanted):
        return made["num_clips"], [Skipped(**skipped) for skipped in made["skipped"]]
    clips, unfit = [], []
    for i, (name, folder) in enumerate(folders.items()):
        fit, rest = clips_of(name, folder, settings=settings)
        clips += fit
        unfit += rest
        on_progress(name, "index", (i + 1) / len(folders))
    counted = {"num_clips": len(clips), "skipped": [asdict(skipped) for skipped in unfit]}
    write_index(out, clips, made_with=wanted | counted)
    return len(clips), unfit


def _state(folder: Path) -> str:
    """Changes whenever one of a video's files is written anew."""
    stats = [(folder / file).stat() for file in (FRAMES_FILE, BOXES_FILE, SENTENCES_FILE)]
    return hashlib.sha256(repr([(s.st_size, s.st_mtime_ns) for s in stats]).encode()).hexdigest()[:16]


# ── several videos at a time ─────────────────────────────────────────────────────────────────────


def _in_parallel(
    folders: Mapping[NamedVideo, Path], *, settings: PrepareSettings, workers: int, on_progress: OnProgress
) -> Iterator[PreparedVideo]:
    """Each video in one of `workers` processes, which share the cores."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = get_context("spawn")  # a forked copy of a process that has run onnxruntime or torch may hang
    with context.Manager() as manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
        messages = manager.Queue()
        pending = {
            pool.submit(_prepare_and_tell, video, folder, settings, threads, messages)
            for video, folder in folders.items()
        }
        try:
            while pending:
                finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                _pass_on(messages, on_progress)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool as error:
            raise MienError(
                f"one of the {workers} processes was killed, probably for want of memory; run the same command again, "
                "with fewer workers"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare_and_tell(
    video: NamedVideo, folder: Path, settings: PrepareSettings, threads: int, messages: Any
) -> PreparedVideo:
    last_percent = -1

    def tell(name: str, stage: str, fraction: float) -> None:
        nonlocal last_percent
        if (percent := int(100 * fraction)) != last_percent:
            last_percent = percent
            messages.put((name, stage, fraction))

    return prepare_video(video, folder, settings=settings, threads=threads, on_progress=tell)


def _pass_on(messages: Any, on_progress: OnProgress) -> None:
    while True:
        try:
            on_progress(*messages.get_nowait())
        except Empty:
            return
