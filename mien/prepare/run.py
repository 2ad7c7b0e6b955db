"""From a folder of videos to a store: every stage over every video, then the index."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from mien.data.card import StoreCard
from mien.data.store import FORMAT, SETTINGS_FILE
from mien.prepare.engines import OnProgress, run_local
from mien.prepare.finish import finish_store
from mien.prepare.models import require_models
from mien.prepare.places import Place
from mien.prepare.ray_cluster import run_ray
from mien.prepare.settings import PrepareSettings, with_absolute_paths
from mien.prepare.stages import OUTPUTS
from mien.prepare.video import PreparedVideo, prepare_video
from mien.prepare.videos import NamedVideo, find_videos
from mien.types import MienError, Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """One part of the videos, number `number` of `count`, from 1 on: for machines that share the work.

    A video's part depends on its name alone, so parts stay what they are when videos are added.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Slice:
        """`3/16` is the third of sixteen."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise MienError(f"the slice is {text!r}; it must be of the form i/n with 1 <= i <= n, say 3/16")
        return cls(number=int(number), count=int(count))

    def holds(self, name: str) -> bool:
        return zlib.crc32(name.encode()) % self.count == self.number - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """Who does the work: `workers` processes here, or a Ray cluster (`ray_address` None: one started here)."""

    kind: Literal["local", "ray"] = "local"
    workers: int = 1
    ray_address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareReport:
    """What `prepare` did. `failed` should set the exit status; `excluded` are videos on a list, `unused` files
    that are none.

    `card` is of the whole store, None after one slice: the index is made when all are there. `num_skipped` is the
    number of lines in `skipped.jsonl`, which tells everything that was left out, and why.
    """

    num_videos: int
    num_new: int
    failed: tuple[Skipped, ...]
    excluded: tuple[Skipped, ...]
    unused: tuple[Skipped, ...]
    card: StoreCard | None
    num_skipped: int

    @property
    def num_clips(self) -> int:
        return self.card.num_clips if self.card else 0


def prepare(
    videos: str | Path,
    out: str | Path,
    *,
    settings: PrepareSettings,
    engine: Engine = Engine(),
    part: Slice | None = None,
    on_progress: OnProgress = lambda video, stage, fraction: None,
    on_video: Callable[[int, int], None] = lambda done, total: None,
) -> PrepareReport:
    """Make the store `out` of the videos under `videos`, or bring it up to date. Both may be fsspec URLs.

    `on_video` is told how many of how many videos are done, `on_progress` what is being done to one.

    Only what is missing, or was made from another file or with other settings, is made. Interrupted at any point,
    what is there is whole, and the same call goes on from it. A video that fails does not stop the others. With `part`,
    only its videos are prepared, and no index is written: the call without it does that once all parts are there.
    Raises MienError where there are no videos, `out` is someone else's folder, or the disk is full.
    """
    source, place, settings = Place.of(videos), Place.of(out), with_absolute_paths(settings)
    found = find_videos(source, images=settings.images, excluded=settings.exclude)
    require_models(settings)
    _claim(place, settings)
    chosen = [video for video in found.videos if part is None or part.holds(video.name)]
    for excluded in found.excluded:
        if part is None or part.holds(excluded.what):
            place.folder(f"videos/{excluded.what}").remove_files(OUTPUTS)
    done = sorted(_work(chosen, place, settings, engine, on_progress, on_video), key=lambda video: video.name)
    failed = (*found.ambiguous, *(video.failure for video in done if video.failure))
    excluded_now = (*found.excluded, *(video.excluded for video in done if video.excluded))
    whole = [video.name for video in done if not video.failure and not video.excluded]
    finished = None
    if part is None:
        finished = finish_store(
            place,
            whole,
            keep_duplicates=settings.keep_duplicates,
            failed=failed,
            excluded=excluded_now,
            unused=found.sound,
            on_done=lambda done, total: on_progress("all videos", "index", done / total),
        )
    return PrepareReport(
        num_videos=len(whole),
        num_new=sum(bool(video.stages_run) for video in done if not video.failure),
        failed=failed,
        excluded=excluded_now,
        unused=tuple(found.sound),
        card=finished.card if finished else None,
        num_skipped=finished.num_skipped if finished else 0,
    )


def _work(
    videos: Sequence[NamedVideo],
    out: Place,
    settings: PrepareSettings,
    engine: Engine,
    on_progress: OnProgress,
    on_video: Callable[[int, int], None],
) -> Iterator[PreparedVideo]:
    """Every video prepared, by whoever does it, the largest first, so that none is left over at the end."""
    order = sorted(videos, key=lambda video: (-video.num_bytes, video.name))
    on_video(0, len(order))
    for count, video in enumerate(_engine(order, out, settings, engine, on_progress), start=1):
        yield video
        on_video(count, len(order))


def _engine(
    videos: Sequence[NamedVideo], out: Place, settings: PrepareSettings, engine: Engine, on_progress: OnProgress
) -> Iterator[PreparedVideo]:
    if out.url.startswith("memory://") and (engine.kind == "ray" or engine.workers > 1):
        raise MienError(f"{out} is in the memory of one process; use one worker, or another place")
    job = partial(prepare_video, out=out, settings=settings)
    if engine.kind == "ray":
        return run_ray(partial(job, threads=1), videos, address=engine.ray_address, give_up=_give_up)
    workers = min(engine.workers, len(videos))
    threads = max(1, (os.cpu_count() or 1) // workers) if workers > 1 else 0
    return run_local(partial(job, threads=threads), videos, workers=workers, on_progress=on_progress, give_up=_give_up)


def _give_up(video: NamedVideo, reason: str) -> PreparedVideo:
    return PreparedVideo(name=video.name, failure=Skipped(what=video.name, reason=reason))


def _claim(out: Place, settings: PrepareSettings) -> None:
    """Make `out` a store with these settings, unless it is something else."""
    if out.is_file():
        raise MienError(f"{out} is a file; name a folder")
    is_empty = out.is_empty()
    there = out.read(SETTINGS_FILE)  # after: of several who begin at once, one claims it in between
    if there is None and not is_empty:
        raise MienError(f"{out} is there already and is not a store (no {SETTINGS_FILE} in it); name an empty folder")
    if there is not None and b'"imported_from"' in there:
        raise MienError(f"{out} is a store that was imported; name another folder")
    described = {"format": FORMAT, "settings": settings.model_dump(mode="json")}
    content = (json.dumps(described, indent=2) + "\n").encode()
    if content != there:
        with TemporaryDirectory(prefix="mien-") as scratch:
            file = Path(scratch, SETTINGS_FILE)
            file.write_bytes(content)
            out.send(file, SETTINGS_FILE)
