"""The import of webdataset shards, ours and other people's, as a store."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mien.data.store import FORMAT
from mien.exchange.finish import ImportedVideo, ImportReport, claim_store, finish_import, give_up, is_safe_name
from mien.exchange.foreign import take_video
from mien.exchange.joined import join_clips
from mien.exchange.sample import is_ours
from mien.exchange.tar_samples import TarSample, find_shards, samples_of
from mien.prepare.engines import OnProgress, run_local
from mien.prepare.models import model_ids, require_models
from mien.prepare.settings import PrepareSettings
from mien.prepare.video import failure_of
from mien.prepare.videos import excluded_ids, exclusion, possible_ids
from mien.types import MienError, Skipped

IMPORTED_FROM = "webdataset"


def import_webdataset(
    shards: str | Path,
    out: Path,
    *,
    settings: PrepareSettings,
    workers: int = 1,
    on_video: Callable[[int, int], None] = lambda done, total: None,
) -> ImportReport:
    """Make the store `out` of the tars of a folder, or those that a pattern names (`shards/{00000..00041}.tar`).

    Clips that mien exported are put together to the videos they were cut from, under their old names, ids and settings:
    with the codec mjpeg, frames, boxes, sentences and index are what they were. Any other sample with a video becomes a
    video of its own, named by shard and key, its text one sentence; `settings` say how (frames, boxes, index). Samples
    that make no sense are listed. The same call goes on from where it was interrupted. Raises MienError where there are
    no shards, `out` is someone else's folder, or the disk is full.
    """
    found = _survey(find_shards(shards), excluded_ids(settings.exclude))
    if not found.videos:
        reasons = "; ".join(f"{line.what}: {line.reason}" for line in (*found.unreadable, *found.left_out)[:3])
        raise MienError(f"no sample of {shards} makes a video: {reasons or 'the tars are empty'}")
    if found.has_foreign:
        require_models(settings)
    claim_store(out, found.store_settings or settings.model_dump(mode="json"), imported_from=IMPORTED_FROM)
    works = [_Work(name=name, samples=tuple(samples)) for name, samples in sorted(found.videos.items())]
    job = partial(_make, out=out, settings=settings, threads=1 if workers > 1 else 0)
    done: list[ImportedVideo] = []
    on_video(0, len(works))
    for video in run_local(job, works, workers=min(workers, len(works)), give_up=give_up):
        done.append(video)
        on_video(len(done), len(works))
    keep_duplicates = settings.keep_duplicates or not found.has_foreign
    return finish_import(
        out, done, keep_duplicates=keep_duplicates, left_out=found.left_out, unreadable=found.unreadable
    )


# ── what there is ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    """A sample, and a digest of what is known of it before its video is read."""

    sample: TarSample
    digest: str
    is_ours: bool


@dataclass(kw_only=True, slots=True)
class _Survey:
    """The samples by the video they belong to, those that make none, and shards of which a part is lost.

    `store_settings` are those of the first clip of ours.
    """

    videos: dict[str, list[_Sample]]
    left_out: list[Skipped]
    unreadable: list[Skipped]
    store_settings: dict[str, Any] | None = None
    has_foreign: bool = False

    def add(self, sample: TarSample, told: Any) -> None:
        """Put a sample, whose JSON is `told`, to its video. Raises MienError if it can have none."""
        if sample.video is None:
            raise MienError(f"it has no video among its files ({', '.join(sorted(sample.files))})")
        ours = is_ours(told)
        name = str(told.get("video", "")) if ours else sample.name
        if not is_safe_name(name):
            raise MienError(f"{name!r} can be no video's name: it must be a relative path without . and ..")
        if any(known.is_ours != ours for known in self.videos.get(name, ())):
            raise MienError(f"two kinds of samples would be video {name!r}; rename the shard")
        if not ours and name in self.videos:
            raise MienError(f"two samples would be video {name!r}; rename one's shard, or remove it")
        sizes = sorted((end, span.size) for end, span in sample.files.items())
        text = sample.read("txt").decode("utf-8", errors="replace") if "txt" in sample.files else None
        content = json.dumps([told, text, sizes], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        self.videos[name].append(_Sample(sample=sample, digest=digest, is_ours=ours))
        self.has_foreign |= not ours
        if ours:
            self.store_settings = self.store_settings or told.get("store_settings")


def _survey(shards: list[Path], ids: dict[str, str]) -> _Survey:
    """Every sample of the shards that is not on a list of `ids` to leave out.

    By the tars' tables of contents and the JSON; no video is read.
    """
    found = _Survey(videos=defaultdict(list), left_out=[], unreadable=[])
    for shard in shards:
        for sample in samples_of(shard):
            if isinstance(sample, Skipped):
                found.unreadable.append(sample)
                continue
            try:
                told = sample.json()
                if reason := exclusion(_ids(sample, told), ids):
                    raise MienError(reason)
                found.add(sample, told)
            except MienError as error:
                found.left_out.append(Skipped(what=sample.name, reason=str(error)))
    return found


def _ids(sample: TarSample, told: Any) -> Iterator[str]:
    """The ids a sample's video may go by: its key's, that of the video it was cut from, and what its JSON calls id."""
    known = told if isinstance(told, dict) else {}
    yield from possible_ids(sample.key.rpartition("/")[2])
    yield from possible_ids(str(known.get("video", "")).rpartition("/")[2])
    yield from (str(known[key]) for key in ("youtube_id", "videoID", "id") if known.get(key))


# ── one video ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    name: str
    samples: tuple[_Sample, ...]


def _make(work: _Work, on_progress: OnProgress, *, out: Path, settings: PrepareSettings, threads: int) -> ImportedVideo:
    """One video's files. What is wrong with it is returned, not raised; only a full disk concerns all."""
    folder, samples = out / "videos" / work.name, [known.sample for known in work.samples]
    inputs = {"samples": hashlib.sha256("".join(known.digest for known in work.samples).encode()).hexdigest()}
    made_with: dict[str, Any] = {"format": FORMAT, "inputs": inputs}
    try:
        if work.samples[0].is_ours:
            min_box_score, quality = settings.index.min_box_score, settings.frames.jpeg_quality
            made_with["settings"] = {"min_box_score": min_box_score, "quality": quality}
            return join_clips(
                work.name, samples, folder, made_with=made_with, min_box_score=min_box_score, quality=quality
            )
        made_with["settings"] = _settings_of_video(settings, threads=threads)
        return take_video(samples[0], folder, settings=settings, made_with=made_with, threads=threads)
    except Exception as error:
        return ImportedVideo(name=work.name, failure=failure_of(work.name, error))


def _settings_of_video(settings: PrepareSettings, *, threads: int) -> dict[str, Any]:
    """What of the settings decides a foreign video's files."""
    chosen = settings.model_dump(mode="json", include={"frames", "boxes", "faces", "subject", "index"})
    return chosen | {"models": model_ids(settings, threads=threads)}
