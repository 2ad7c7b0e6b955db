"""What a face model makes of the faces in a picture or video: each person's, every few seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32
from torch import Tensor

from mien.analyze.looks import Looks, look_at_faces
from mien.captions.naming import FACE_TEMPLATES
from mien.data.store import Store
from mien.inference import PREPARING, Mien, require_media, require_prompts, require_window
from mien.prepare import prepare
from mien.prepare.faces import FaceSettings
from mien.types import MienError

STORED_SHORT_SIDE = 1080
"""Frames are kept so large for faces to be cut from, where the file has as many pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMoment:
    """One person's face in a stretch of a video, or one face of a picture.

    person: the number of the person in the video or picture, which stays until the next cut; a face that no person's
    box holds has one after the persons'. xyxy: the face's box at `seen_s`, in the middle of the stretch, in pixels of
    the source as displayed. embedding: the mean over the stretch's faces, normalised. scores: probabilities that sum to
    one.
    """

    video: str
    person: int
    start_s: float
    end_s: float
    seen_s: float
    xyxy: tuple[float, float, float, float]
    num_faces: int
    embedding: Float32[np.ndarray, "e"]
    scores: dict[str, float]


def classify_faces(
    model: Mien,
    path: Path,
    labels: Sequence[str],
    *,
    templates: Sequence[str] = FACE_TEMPLATES,
    window_s: float = 2.0,
    faces_per_s: float = 4.0,
) -> list[FaceMoment]:
    """Which of `labels` fits each face: a moment a person and `window_s` seconds, by time, then from left to right.

    model: one for faces, which is fed the square around each face (`mien.perception.face_crop`). faces_per_s: how many
    of a person's faces are looked at in a second. Raises MienError where the file cannot be read.
    """
    require_media(path)
    require_window(window_s)
    require_prompts(labels, templates)
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "video" / path.name
        alone.parent.mkdir()
        alone.symlink_to(path.resolve())
        settings = PREPARING.model_copy(
            update={
                "faces": FaceSettings(source="detector"),
                "frames": PREPARING.frames.model_copy(update={"short_side": STORED_SHORT_SIDE}),
            }
        )
        prepared = prepare(alone, Path(folder) / "store", settings=settings)
        if prepared.failed:
            raise MienError(prepared.failed[0].reason.replace(str(alone), str(path)))
        store = Store(Path(folder) / "store")
        every = max(1, round(store.frames(path.stem).info.fps / faces_per_s))
        found = _faces(look_at_faces(model, store, path.stem, every=every), fps=store.frames(path.stem).info.fps)
    if not found:
        return []
    x = torch.from_numpy(np.stack([face.embedding for face in found]))
    stretches = _stretches(found, window_s=window_s)
    embeddings = torch.stack([F.normalize(x[rows].mean(dim=0), dim=-1) for rows in stretches])
    scores = model.label_scores(embeddings, labels, templates=templates).tolist()
    return [
        _moment(str(path), [found[row] for row in rows], embedding, dict(zip(labels, row_scores, strict=True)))
        for rows, embedding, row_scores in zip(stretches, embeddings, scores, strict=True)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Face:
    time_s: float
    person: int
    xyxy: Float32[np.ndarray, "4"]
    embedding: Float32[np.ndarray, "e"]


def _faces(looks: Iterable[Looks], *, fps: float) -> list[_Face]:
    return [
        _Face(time_s=int(frame) / fps, person=int(person), xyxy=xyxy, embedding=embedding)
        for some in looks
        for frame, person, xyxy, embedding in zip(some.frame, some.track, some.xyxy, some.embedding, strict=True)
    ]


def _stretches(faces: Sequence[_Face], *, window_s: float) -> list[list[int]]:
    """The rows of each person in each window that has any, by time, then from left to right."""
    found = dict[tuple[int, int], list[int]]()
    for row, face in enumerate(faces):
        found.setdefault((int(face.time_s // window_s), face.person), []).append(row)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], float(faces[found[key][0]].xyxy[0])))]


def _moment(
    video: str, faces: Sequence[_Face], embedding: Float32[Tensor, "e"], scores: dict[str, float]
) -> FaceMoment:
    middle = faces[len(faces) // 2]
    x0, y0, x1, y1 = map(float, middle.xyxy)
    return FaceMoment(
        video=video,
        person=faces[0].person,
        start_s=faces[0].time_s,
        end_s=faces[-1].time_s,
        seen_s=middle.time_s,
        xyxy=(x0, y0, x1, y1),
        num_faces=len(faces),
        embedding=embedding.numpy(),
        scores=scores,
    )
