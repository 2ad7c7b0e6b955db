"""A search: a store, a model, and words or a likeness; the moments that fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.data.store import SETTINGS_FILE, Store
from mien.inference import Mien
from mien.moment_table import media_files
from mien.search.hits import nearest
from mien.search.index import MomentIndex, OnVideo, Row, SearchSettings, index_folder, require_faces, update_index
from mien.search.query import of_likeness, of_words
from mien.types import MienError, Skipped

SENTENCES_TOLD = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A moment that was found: where, how near (the cosine with the query), what is said meanwhile (if anything is)."""

    moment: Row
    said: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The hits of a search, the nearest first, and what they were looked for among.

    median_cosine: of all moments with the query; hits that are hardly above it mean little. `failed` are videos of the
    store that could not be read, and so were not searched.
    """

    asked: str
    hits: tuple[Hit, ...]
    median_cosine: float
    num_moments: int
    num_videos: int
    num_new_videos: int
    failed: tuple[Skipped, ...]


def search(
    store: Store,
    model: str | Path,
    *,
    words: str | None = None,
    like: str | None = None,
    top: int = 10,
    settings: SearchSettings | None = None,
    on_video: OnVideo = lambda name, done, total: None,
) -> Found:
    """The `top` moments of a store nearest to some words, or most like something (see `mien.search.query`).

    The first search by a model embeds the store and keeps that beside it; later ones embed what has changed. model: a
    folder, a hub id, or `face`. Raises MienError where exactly one of words and like is not given, and where there is
    nothing to search, or to be like.
    """
    settings = settings or SearchSettings()
    if (words is None) == (like is None):
        raise MienError("a search has either words or something to be like, --like; give one of them")
    if top < 1:
        raise MienError(f"at least one moment must be wanted, not {top}")
    if settings.kind == "faces":
        require_faces(store)
    loaded = Mien.from_pretrained(model, precision=settings.precision)
    if settings.kind == "scenes" and loaded.config.shown == "faces":
        raise MienError(f"{model} is a model of faces, not of scenes; search among faces by --faces")
    asked = of_likeness(loaded, like, store, settings) if like is not None else of_words(loaded, words or "", settings)
    folder = index_folder(store, model, settings)
    updated = update_index(store, folder, loaded, settings, on_video=on_video)
    index = MomentIndex(folder)
    cosines = index.cosines(asked.vector)
    rows = nearest(index, cosines, top=top, apart_from=asked.apart_from)
    return Found(
        asked=asked.told,
        hits=tuple(Hit(moment=row, said=_said(store, row)) for row in rows),
        median_cosine=float(np.median(cosines)) if len(cosines) else 0.0,
        num_moments=len(index),
        num_videos=len(index.videos),
        num_new_videos=updated.num_new,
        failed=updated.failed,
    )


def open_store(path: Path) -> Store:
    """The store in a folder. Raises MienError, with the command that makes a store, if it is a folder of videos."""
    if (path / SETTINGS_FILE).exists() or not path.is_dir():
        return Store(path)
    if (path / "store" / SETTINGS_FILE).exists():
        raise MienError(f"{path} has a store in it; search {path / 'store'}")
    if media_files(path):
        raise MienError(
            f"{path} holds videos, not a store of them; prepare them first by `mien prepare {path} --out "
            f"{path.name}-store` (with --faces, for searches among faces), then search {path.name}-store"
        )
    return Store(path)


def _said(store: Store, row: Row) -> str:
    """What is said in the moment, its first sentences."""
    said = [
        sentence.text
        for sentence in store.sentences(row.video).sentences
        if sentence.start_s < row.end_s and row.start_s < sentence.end_s
    ]
    return " ".join(said[:SENTENCES_TOLD])
