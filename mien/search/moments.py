"""Moments of a video, as an index holds them: windows that overlap by half, of scenes or of each person's face."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Float64, Int32

from mien.analyze.looks import embed_squares
from mien.data.seen_faces import SeenFace, seen_faces
from mien.data.store import Store
from mien.face_moments import every_so_many
from mien.inference import Mien, windows
from mien.types import Clip

Kind = Literal["scenes", "faces"]
NOBODY = -1
"""The person of a scene, and of a face that its store gives no number."""
FACES_PER_S = 4.0
"""How many of a person's faces are looked at in a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """The moments of one video, by time, a row each.

    seen_s: the time of the picture that shows it best, its middle. xyxy: the face's box there, in pixels of the source;
    zeros for scenes. embedding: L2-normalised.
    """

    start_s: Float64[np.ndarray, "n"]
    end_s: Float64[np.ndarray, "n"]
    seen_s: Float64[np.ndarray, "n"]
    person: Int32[np.ndarray, "n"]
    xyxy: Float32[np.ndarray, "n 4"]
    embedding: Float32[np.ndarray, "n e"]

    def __len__(self) -> int:
        return len(self.start_s)


def moments_of(model: Mien, store: Store, video: str, *, kind: Kind, window_s: float) -> Moments:
    """What `model` makes of a video of the store. Raises MienError where its files are missing or damaged."""
    stretches = overlapping_windows(store, video, window_s=window_s)
    return _scenes(model, store, stretches) if kind == "scenes" else _faces(model, store, video, stretches)


def overlapping_windows(store: Store, video: str, *, window_s: float) -> list[Clip]:
    """The video cut into equal stretches of about `window_s` seconds, and again from middle to middle of these.

    So whatever lasts half a window or less lies wholly in one of them.
    """
    whole = windows(store, video, window_s=window_s)
    between = [
        store.clip(video, start_s=(a.start_s + a.end_s) / 2, end_s=(b.start_s + b.end_s) / 2)
        for a, b in itertools.pairwise(whole)
    ]
    return sorted([*whole, *between], key=lambda clip: clip.start_s)


def embed_scenes(model: Mien, store: Store, clips: Sequence[Clip]) -> Float32[np.ndarray, "n e"]:
    """L2-normalised embeddings of clips."""
    parts = [F.normalize(model.embed_batch(batch).float(), dim=-1).cpu() for batch in model.loader(store, clips)]
    return torch.cat(parts).numpy()


def _scenes(model: Mien, store: Store, stretches: Sequence[Clip]) -> Moments:
    start_s, end_s = (np.array([getattr(clip, name) for clip in stretches]) for name in ("start_s", "end_s"))
    return Moments(
        start_s=start_s,
        end_s=end_s,
        seen_s=(start_s + end_s) / 2,
        person=np.full(len(stretches), NOBODY, np.int32),
        xyxy=np.zeros((len(stretches), 4), np.float32),
        embedding=embed_scenes(model, store, stretches),
    )


def _faces(model: Mien, store: Store, video: str, stretches: Sequence[Clip]) -> Moments:
    """Each person's in each stretch; faces of nobody known are a moment of a stretch's length each, around them."""
    frames = every_so_many(store.whole_clip(video), fps=store.frames(video).info.fps, per_s=FACES_PER_S)
    faces = list(seen_faces(store, video, frames=frames, size=model.config.preprocess.image_size))
    rows = _rows_of_moments(faces, stretches)
    embeddings = np.zeros((0, model.config.architecture.embed_dim), np.float32)
    if rows:
        x = embed_squares(model, [face.picture for face in faces])
        embeddings = torch.stack([F.normalize(x[own].mean(dim=0), dim=-1) for _, _, own in rows]).numpy()
    middles = [faces[own[len(own) // 2]] for _, _, own in rows]
    return Moments(
        start_s=np.array([start_s for start_s, _, _ in rows], np.float64),
        end_s=np.array([end_s for _, end_s, _ in rows], np.float64),
        seen_s=np.array([face.time_s for face in middles], np.float64),
        person=np.array([max(face.person, NOBODY) for face in middles], np.int32),
        xyxy=np.array([face.xyxy for face in middles], np.float32).reshape(-1, 4),
        embedding=embeddings,
    )


def _rows_of_moments(faces: Sequence[SeenFace], stretches: Sequence[Clip]) -> list[tuple[float, float, list[int]]]:
    """When each moment is, and which faces are of it; by time."""
    found = list[tuple[float, float, list[int]]]()
    times_s = [face.time_s for face in faces]  # ascending
    last_s, half_s = stretches[-1].end_s, (stretches[0].end_s - stretches[0].start_s) / 2
    for stretch in stretches:
        of_person = dict[int, list[int]]()
        for row in range(bisect_left(times_s, stretch.start_s), bisect_left(times_s, stretch.end_s)):
            if faces[row].person >= 0:
                of_person.setdefault(faces[row].person, []).append(row)
        found += [(stretch.start_s, stretch.end_s, rows) for rows in of_person.values()]
    for row, face in enumerate(faces):
        if face.person < 0:
            found.append((max(0.0, face.time_s - half_s), min(last_s, face.time_s + half_s), [row]))
    return sorted(found, key=lambda moment: moment[:2])
