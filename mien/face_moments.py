"""What a face model makes of the faces in a picture or video: each person's, every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32
from torch import Tensor

from mien.analyze.looks import batches, embed_squares
from mien.captions.naming import FACE_TEMPLATES
from mien.data.seen_faces import SeenFace, seen_faces
from mien.inference import PREPARING, Mien, require_media, require_window
from mien.prepare import prepared_alone
from mien.prepare.faces import FaceSettings
from mien.prompts import require_prompts
from mien.types import Clip

NO_PICTURE = np.empty((0, 0, 3), np.uint8)  # of faces that have been looked at
STORED_SHORT_SIDE = 1080
"""Frames are kept so large for faces to be cut from, where the file has as many pixels."""

FACES = PREPARING.model_copy(
    update={
        "faces": FaceSettings(source="detector"),
        "frames": PREPARING.frames.model_copy(update={"short_side": STORED_SHORT_SIDE}),
    }
)
"""How files are read for their faces."""


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
    path: str | Path,
    labels: Sequence[str],
    *,
    templates: Sequence[str] = FACE_TEMPLATES,
    window_s: float = 2.0,
    faces_per_s: float = 4.0,
) -> list[FaceMoment]:
    """Which of `labels` fits each face: a moment a person and `window_s` seconds, by time, then from left to right.

    model: one for faces, which is fed the square around each face (`mien.perception.face_crop`). faces_per_s: how many
    of a person's faces are looked at in a second. Without any labels, there are embeddings and no scores. Raises
    MienError where the file cannot be read.
    """
    path = Path(path)
    require_media(path)
    require_window(window_s)
    if labels:
        require_prompts(labels, templates)
    with prepared_alone(path, settings=FACES) as store:
        frames = every_so_many(store.whole_clip(path.stem), fps=store.frames(path.stem).info.fps, per_s=faces_per_s)
        found, parts = list[SeenFace](), list[Tensor]()
        for faces in batches(seen_faces(store, path.stem, frames=frames, size=model.config.preprocess.image_size)):
            parts.append(embed_squares(model, [face.picture for face in faces]))
            found += [replace(face, picture=NO_PICTURE) for face in faces]
    if not found:
        return []
    x = torch.cat(parts)
    stretches = _stretches(found, window_s=window_s)
    embeddings = torch.stack([F.normalize(x[rows].mean(dim=0), dim=-1) for rows in stretches])
    scores = model.label_scores(embeddings, labels, templates=templates).tolist() if labels else [[]] * len(stretches)
    return [
        _moment(str(path), [found[row] for row in rows], embedding, dict(zip(labels, row_scores, strict=True)))
        for rows, embedding, row_scores in zip(stretches, embeddings, scores, strict=True)
    ]


def every_so_many(clip: Clip, *, fps: float, per_s: float) -> range:
    """Those of a clip's pictures that are about `per_s` a second, the first among them."""
    return range(clip.start_frame, clip.end_frame, max(1, round(fps / per_s)))


def _stretches(faces: Sequence[SeenFace], *, window_s: float) -> list[list[int]]:
    """The rows of each person in each window that has any, by time, then from left to right."""
    found = dict[tuple[int, int], list[int]]()
    for row, face in enumerate(faces):
        found.setdefault((int(face.time_s // window_s), face.person), []).append(row)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], float(faces[found[key][0]].xyxy[0])))]


def _moment(
    video: str, faces: Sequence[SeenFace], embedding: Float32[Tensor, "e"], scores: dict[str, float]
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
