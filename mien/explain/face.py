"""Faces explained: what a face model sees in eyes, nose and mouth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.captions.naming import FACE_TEMPLATES
from mien.data.seen_faces import SeenFace, seen_faces
from mien.explain.attention import attention_of_tokens
from mien.explain.explanation import Explanation
from mien.explain.occlusion import heat_map, mask_parts
from mien.explain.regions import face_regions
from mien.face_moments import FACES
from mien.inference import Mien, require_media
from mien.media.video import IMAGE_SUFFIXES
from mien.perception.face_crop import points_in_cut
from mien.prepare import prepared_moment
from mien.prompts import require_prompts
from mien.types import MienError

CELLS = 8
"""Squares along a side of the heat map: of 48 pixels, 6 each."""


def explain_faces(
    model: Mien,
    path: Path,
    words: Sequence[str],
    *,
    at_s: float | None = None,
    at_most: int = 6,
    templates: Sequence[str] = FACE_TEMPLATES,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> list[Explanation]:
    """The largest `at_most` faces at `at_s`, by default in the middle of the video, from left to right.

    Raises MienError where the file cannot be read, has ended by then, or shows no face there.
    """
    require_media(path)
    require_prompts(words, templates)
    _ = model.network, model.config.architecture.reads  # raise where onnxruntime computes, and where no texts are read
    fps = FACES.frames.fps
    with prepared_moment(path, at_s=at_s, window_s=1 / fps, frames=FACES.frames) as moment:
        size, frames = model.config.preprocess.image_size, range(len(moment.store.frames(moment.video)))
        found = list(seen_faces(moment.store, moment.video, frames=frames, size=size))
    if not found:
        is_picture = path.suffix.lower() in IMAGE_SUFFIXES
        where = path if is_picture else f"{path} at {moment.start_s:.1f} s; name another second by --at"
        raise MienError(f"no face is seen in {where}")
    largest = sorted(found, key=lambda face: -float(np.prod(face.xyxy[2:] - face.xyxy[:2])))[:at_most]
    explanations = list[Explanation]()
    for number, face in enumerate(sorted(largest, key=lambda face: float(face.xyxy[0])), start=1):
        title = f"face {number} from the left (person {face.person})" if len(largest) > 1 else "the face"
        explanations.append(
            _explain(model, face, words, file=path.name, title=title, at_s=moment.start_s, templates=templates)
        )
        on_fraction(number / len(largest))
    return explanations


def _explain(
    model: Mien, face: SeenFace, words: Sequence[str], *, file: str, title: str, at_s: float, templates: Sequence[str]
) -> Explanation:
    frames = face.picture[None]
    size = frames.shape[1]
    marks = points_in_cut(face.landmarks, face.xyxy, size=size)
    parts = {name: mask[None] for name, mask in face_regions(marks, size=size).items() if mask.any()}

    def score(clips: UInt8[Tensor, "n t 3 h w"]) -> Float[Tensor, "n c"]:
        x = model.encode_frames(rearrange(clips, "n 1 c h w -> n c h w"))
        return model.label_scores(x, words, templates=templates).cpu()

    pixels = torch.from_numpy(rearrange(frames, "t h w c -> t c h w").copy())
    grid = model.config.architecture.vision.grid
    return Explanation(
        file=file,
        title=title,
        start_s=at_s,
        end_s=at_s,
        frames=frames,
        boxes=(np.zeros((0, 4), np.float32),),
        parts=parts,
        scores=dict(zip(words, score(pixels[None])[0].tolist(), strict=True)),
        unmarked=None,
        masked=mask_parts(frames, parts, score=score, words=words),
        heat_map=heat_map(frames, score=score, words=words, cells=CELLS),
        attention=attention_of_tokens(model, pixels, torch.ones(1, grid, grid)),
    )
