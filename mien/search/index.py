"""The index of a store's moments: embeddings on disk, kept up to date with the store, searched exactly."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import mien
from mien.config import Config
from mien.data.store import BOXES_FILE, FACES_FILE, FRAMES_FILE, Store
from mien.file_digest import sha256_of
from mien.hub import CONFIG, resolve, weights_hash
from mien.inference import Mien, Precision, require_window
from mien.search.moments import Kind, moments_of
from mien.search.segment import IndexedVideo, Segment, embeddings_in, segments_in, write_joined, write_videos
from mien.types import MienError, Skipped
from mien.whole_file import remove_left_parts, write_whole

FORMAT = 1
FOLDER = "search"
FLUSH_S = 60.0
"""What is embedded is written at least so often: as much is lost when a process is killed."""
BLOCK = 1024
"""Embeddings multiplied at a time: as 32-bit floats they fit into a core's cache (bench/search.py)."""

OnVideo = Callable[[str, int, int], None]
"""Told the name of the video at work, how many are done, and of how many."""


class SearchSettings(Config):
    """What an index holds; another value of any makes another index."""

    kind: Kind = "scenes"
    window_s: float = 4.0
    precision: Precision = "float32"


@dataclass(frozen=True, kw_only=True, slots=True)
class Updated:
    """What `update_index` did. `failed` are videos whose files are missing or damaged; they are not in the index."""

    num_new: int
    num_dropped: int
    failed: tuple[Skipped, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A moment of an index and how near it is, without its embedding. The fields are those of Moments."""

    video: str
    start_s: float
    end_s: float
    seen_s: float
    person: int
    xyxy: tuple[float, float, float, float]
    cosine: float


class MomentIndex:
    """The moments of a store, opened for search; they stay on the disk, mapped."""

    def __init__(self, folder: Path) -> None:
        found = segments_in(folder)
        if not found:
            raise MienError(f"no index in {folder}; `mien search` makes one")
        self._segment = found[-1]
        self._batches = list(self._segment.batches())
        self._ends = np.cumsum([0, *(len(batch) for batch in self._batches)])

    def __len__(self) -> int:
        """How many moments there are."""
        return int(self._ends[-1])

    @property
    def videos(self) -> list[str]:
        return self._segment.videos

    def cosines(self, query: Float32[np.ndarray, "e"]) -> Float32[np.ndarray, "n"]:
        """The cosine of every moment with a query of length 1, exact but for the embeddings' 16 bits.

        On one core: blocks are too small to be shared by several, which would wait for each other.
        """
        direction, found = torch.from_numpy(query), torch.empty(len(self))
        block = torch.empty(BLOCK, len(query))
        with threadpool_limits(limits=1):
            for batch, first in zip(self._batches, self._ends, strict=False):
                embeddings = embeddings_in(batch)
                for start in range(0, len(batch), BLOCK):
                    rows = embeddings[start : start + BLOCK]
                    wide = block[: len(rows)].copy_(rows)
                    torch.mv(wide, direction, out=found[first + start : first + start + len(rows)])
        return found.numpy()

    def row(self, number: int, *, cosine: float) -> Row:
        """The moment of that number."""
        part = int(np.searchsorted(self._ends, number, side="right")) - 1
        found = self._batches[part].slice(number - int(self._ends[part]), 1).drop_columns(["embedding"]).to_pylist()[0]
        return Row(video=self.videos[found.pop("video")], xyxy=tuple(found.pop("xyxy")), cosine=cosine, **found)


def index_folder(store: Store, model: str | Path, settings: SearchSettings) -> Path:
    """Where the index of that store, by that model with these settings, is or would be."""
    folder = resolve(model)
    made_of = {
        "format": FORMAT,
        "version": mien.__version__,
        "weights": weights_hash(folder),
        "config": sha256_of([folder / CONFIG]),  # of ONNX graphs, it tells the precision too
        "settings": settings.model_dump(),
        "subject": store.settings["subject"],
    }
    key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return store.path / FOLDER / key


def update_index(
    store: Store,
    folder: Path,
    model: Mien,
    settings: SearchSettings,
    *,
    on_video: OnVideo = lambda name, done, total: None,
) -> Updated:
    """Brings the index in `folder` up to date: new and changed videos are embedded, those that went are dropped.

    A process that is stopped loses at most a minute's work; the next one goes on. Raises MienError where the store has
    no faces and they are to be searched.
    """
    require_window(settings.window_s)
    if settings.kind == "faces":
        require_faces(store)
    folder.mkdir(parents=True, exist_ok=True)
    remove_left_parts(folder)
    wanted = {video: fingerprint(store, video, settings.kind) for video in store.videos}
    held = _held(folder, wanted)
    known = {video for names in held.values() for video in names}
    failed = list[Skipped]()
    width = model.config.architecture.embed_dim
    missing = [video for video in wanted if video not in known]
    num_new = 0
    for videos in _in_portions(_embedded(store, model, settings, missing, wanted, failed, on_video)):
        write_videos(_next_segment(folder), videos, width=width)
        num_new += len(videos)
    num_dropped = _join(folder, wanted, width=width)
    about = {"settings": settings.model_dump(), "model": model.config.model_dump(mode="json")}
    write_whole(folder / "about.json", json.dumps(about, indent=1))
    return Updated(num_new=num_new, num_dropped=num_dropped, failed=tuple(failed))


def fingerprint(store: Store, video: str, kind: Kind) -> str:
    """What tells whether a video's files are those that were embedded: their sizes and times."""
    files = [store.folder(video) / name for name in (FRAMES_FILE, FACES_FILE if kind == "faces" else BOXES_FILE)]
    return " ".join(f"{stat.st_size}@{stat.st_mtime_ns}" for stat in (file.stat() for file in files if file.is_file()))


def require_faces(store: Store) -> None:
    """Raise MienError where the store was prepared without faces."""
    if not any(file for file in (store.path / "videos").rglob(FACES_FILE)):
        raise MienError(
            f"{store.path} has no faces to search; look for them by `mien prepare VIDEOS --out {store.path} --faces`"
        )


def _embedded(
    store: Store,
    model: Mien,
    settings: SearchSettings,
    videos: list[str],
    fingerprints: dict[str, str],
    failed: list[Skipped],
    on_video: OnVideo,
) -> Iterator[IndexedVideo]:
    """The videos with their moments; those that cannot be read are put on the list `failed`."""
    for done, video in enumerate(videos):
        on_video(video, done, len(videos))
        try:
            moments = moments_of(model, store, video, kind=settings.kind, window_s=settings.window_s)
            yield IndexedVideo(name=video, fingerprint=fingerprints[video], moments=moments)
        except MienError as error:
            failed.append(Skipped(what=video, reason=str(error)))
    on_video("", len(videos), len(videos))


def _in_portions(videos: Iterator[IndexedVideo]) -> Iterator[list[IndexedVideo]]:
    """What came in FLUSH_S seconds, together."""
    held, since = list[IndexedVideo](), time.monotonic()
    for video in videos:
        held.append(video)
        if time.monotonic() - since >= FLUSH_S:
            yield held
            held, since = [], time.monotonic()
    if held:
        yield held


def _held(folder: Path, wanted: dict[str, str]) -> dict[int, set[str]]:
    """By the number of each segment, the videos that count in it: in the state that is wanted, the latest time."""
    latest = {
        video: segment.number
        for segment in segments_in(folder)
        for video, own in segment.fingerprints.items()
        if wanted.get(video) == own
    }
    held = dict[int, set[str]]()
    for video, number in latest.items():
        held.setdefault(number, set()).add(video)
    return held


def _join(folder: Path, wanted: dict[str, str], *, width: int) -> int:
    """Makes one segment of all, if there are several or one holds what counts no more; how many videos went."""
    segments, held = segments_in(folder), _held(folder, wanted)
    gone = {video for segment in segments for video in segment.videos} - set(wanted)
    is_one = len(segments) == 1 and len(held.get(segments[0].number, ())) == len(segments[0].videos)
    if not is_one:
        parts = [(segment, held.get(segment.number, set())) for segment in segments]
        write_joined(_next_segment(folder), parts, width=width)
        for segment in segments:
            segment.delete()
    return len(gone)


def _next_segment(folder: Path) -> Segment:
    """Numbered by the time, so that two processes that bring the same index up to date do not write the same files."""
    return Segment(folder, time.time_ns())
