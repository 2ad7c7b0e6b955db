"""A store to search: small videos with something said in them, and faces where asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_store import FRAMES, write_store

from mien.data.store import FACES_FILE, SENTENCES_FILE, Store
from mien.data.tables import ScoredSentences, write_faces, write_sentences
from mien.types import FaceTable, Sentence

SAID = "What a <b>day</b> & night."


def write_searched(path: Path, *, num_videos: int = 3, faces: bool = False) -> Store:
    """Videos of 2.5 seconds; with `faces`, those of persons 1 and 2 and one of nobody known in every frame."""
    store = write_store(path, num_videos=num_videos)
    said = ScoredSentences(sentences=[Sentence(start_s=0.0, end_s=1.0, text=SAID)], logits=np.zeros((1, 7), np.float32))
    for video in store.videos:
        write_sentences(store.folder(video) / SENTENCES_FILE, said, made_with={})
        if faces:
            write_faces(store.folder(video) / FACES_FILE, _three_faces(), made_with={})
    return store


def _three_faces() -> FaceTable:
    boxes = np.array([[20, 40, 60, 80], [120, 20, 150, 50], [80, 80, 110, 110]], np.float32)
    return FaceTable(
        frame=np.repeat(np.arange(FRAMES, dtype=np.int32), 3),
        xyxy=np.tile(boxes, (FRAMES, 1)),
        landmarks=np.zeros((3 * FRAMES, 5, 2), np.float32),
        score=np.ones(3 * FRAMES, np.float32),
        track=np.tile(np.array([1, 2, -1], np.int32), FRAMES),
    )
