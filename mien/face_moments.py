"""What a face model makes of the faces in a picture or video: each person's, every few seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor

from mien.captions.naming import FACE_TEMPLATES
from mien.data.store import Store
from mien.inference import PREPARING, Mien, require_media, require_prompts, require_window
from mien.perception.face_crop import cut_face
from mien.prepare import prepare
from mien.prepare.faces import FaceSettings
from mien.types import MienError

STORED_SHORT_SIDE = 1080
"""Frames are kept so large for faces to be cut from, where the file has as many pixels."""

BATCH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMoment:
    """One person's face in a stretch of a video, or one face of a picture.

    person: the number of the person in the video or picture; below 0 where no person's box holds the face. xyxy: the
    face's box at `seen_s`, in the middle of the stretch, in pixels of the source as displayed. embedding: the mean over
    the stretch's faces, normalised. scores: probabilities that sum to one.
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
    of a person's faces are looked at in a second. Raises MienError where the file cannot be read.
    """
    path = Path(path)
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
        size = model.config.preprocess.image_size
        found = list(_faces(Store(Path(folder) / "store"), path.stem, per_s=faces_per_s, size=size))
    if not found:
        return []
    x = _embed(model, [face.picture for face in found])
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
    picture: UInt8[np.ndarray, "s s 3"]


def _faces(store: Store, video: str, *, per_s: float, size: int) -> Iterator[_Face]:
    """The faces in every so many frames; those of no known person are numbered from -1 down, in each frame anew."""
    reader, table = store.frames(video), store.faces(video)
    info = reader.info
    step = max(1, round(info.fps / per_s))
    to_stored = np.array(info.stored_per_source * 2, np.float32)
    for frame in range(0, len(reader), step):
        rows = np.flatnonzero(table.frame == frame)
        if not len(rows):
            continue
        rgb = reader.decode(frame)
        for number, row in enumerate(rows):
            person = int(table.track[row])
            yield _Face(
                time_s=frame / info.fps,
                person=person if person >= 0 else -1 - number,
                xyxy=table.xyxy[row],
                picture=cut_face(rgb, table.xyxy[row] * to_stored, size=size),
            )


def _embed(model: Mien, pictures: Sequence[UInt8[np.ndarray, "s s 3"]]) -> Float32[Tensor, "n e"]:
    """L2-normalised embeddings."""
    parts = list[Tensor]()
    for start in range(0, len(pictures), BATCH):
        pixels = torch.from_numpy(np.stack(pictures[start : start + BATCH]))
        parts.append(model.encode_frames(rearrange(pixels, "n h w c -> n c h w"), normalize=True).float().cpu())
    return torch.cat(parts)


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
