"""A sample of an index: which clips to show of very many, read a batch at a time so that memory stays flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Int, UInt8

from mien.data.tables import clips_in
from mien.language.sentiment import softmax
from mien.types import EMOTIONS, Clip, MienError

BATCH_ROWS = 16_384
LEAST_SHARE = 20
"""Every emotion gets at least one in so many of the clips shown, if it has that many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What one pass over an index tells, in two bytes a clip. Counts and hours are of the clips that match."""

    matches: Bool[np.ndarray, "n"]
    emotion: UInt8[np.ndarray, "n"]
    """The most probable emotion of each clip, as an index of EMOTIONS."""
    mean_emotions: Float64[np.ndarray, "7"]
    hours: float
    durations: dict[str, int]
    """Clips by length in whole seconds, shortest first."""
    videos: frozenset[str]
    """The videos that have a clip, whether or not they match."""

    def is_without_clip(self, video: str, pattern: str) -> bool:
        return video not in self.videos and fnmatch(video, pattern)

    @property
    def num_clips(self) -> int:
        return int(self.matches.sum())

    @property
    def emotions(self) -> dict[str, int]:
        counts = np.bincount(self.emotion[self.matches], minlength=len(EMOTIONS))
        return dict(zip(EMOTIONS, counts.tolist(), strict=True))


def survey(index: Path, *, videos: str = "*") -> Survey:
    """One pass over the index; `videos` is a pattern (`train/*`) that names of videos must match to count."""
    matches, emotion, seen = [np.zeros(0, np.bool_)], [np.zeros(0, np.uint8)], dict[str, bool]()
    seconds, summed, lengths = 0.0, np.zeros(len(EMOTIONS)), Counter[int]()
    for batch in _batches(index, ["video", "sentiment_logits", "start_s", "end_s"]):
        fits = _matching(batch.column("video"), videos, seen)
        p = softmax(batch.column("sentiment_logits").flatten().to_numpy().reshape(-1, len(EMOTIONS)))
        length_s = (batch.column("end_s").to_numpy() - batch.column("start_s").to_numpy())[fits]
        matches.append(fits)
        emotion.append(p.argmax(axis=1).astype(np.uint8))
        seconds += float(length_s.sum())
        summed += p[fits].sum(axis=0, dtype=np.float64)
        lengths.update(np.floor(length_s).astype(int).tolist())
    found = np.concatenate(matches)
    return Survey(
        matches=found,
        emotion=np.concatenate(emotion),
        mean_emotions=summed / max(int(found.sum()), 1),
        hours=seconds / 3600,
        durations={str(length): lengths[length] for length in sorted(lengths)},
        videos=frozenset(seen),
    )


def choose(found: Survey, *, count: int, seed: int) -> Int[np.ndarray, "k"]:
    """Up to `count` rows of the index in random order: at random, but for a few of each emotion there is.

    `count // 20` clips (at least one) of every emotion are taken first, the rest are drawn from all.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(found.matches))
    emotion = found.emotion[order]
    least = max(1, count // LEAST_SHARE)
    of_each = [np.flatnonzero(emotion == e)[:least] for e in range(len(EMOTIONS))]
    is_taken = np.zeros(len(order), np.bool_)
    is_taken[np.sort(np.concatenate(of_each))[:count]] = True
    is_taken[np.flatnonzero(~is_taken)[: count - int(is_taken.sum())]] = True
    return order[is_taken]


def read_clips(index: Path, rows: Sequence[int] | Int[np.ndarray, "k"]) -> list[Clip]:
    """The clips in these rows of the index, in the order of `rows`."""
    wanted, found, start = np.asarray(rows, np.int64), dict[int, Clip](), 0
    if not len(wanted):
        return []
    for batch in _batches(index, [field.name for field in fields(Clip)]):
        own = wanted[(wanted >= start) & (wanted < start + len(batch))]
        found.update(zip(own.tolist(), clips_in(batch.take(pa.array(own - start))), strict=True))
        start += len(batch)
    return [found[row] for row in wanted.tolist()]


def _batches(index: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The index a few thousand rows at a time."""
    if not index.is_file():
        raise MienError(f"no {index}; run `mien prepare` to make it")
    try:
        with pq.ParquetFile(index) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise MienError(f"{index} is damaged ({error}); delete it and run `mien prepare` again") from error


def _matching(names: pa.Array, pattern: str, seen: dict[str, bool]) -> Bool[np.ndarray, "n"]:
    """Which rows' videos match; `seen` keeps what is known of the videos met so far."""
    coded = pc.dictionary_encode(names)
    own = coded.dictionary.to_pylist()
    for name in own:
        if name not in seen:
            seen[name] = fnmatch(name, pattern)
    return np.array([seen[name] for name in own], np.bool_)[coded.indices.to_numpy()]
