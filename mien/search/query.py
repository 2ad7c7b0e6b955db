"""Queries: words, or something to be like, as the vector that moments are compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float32

from mien.analyze.looks import embed_squares
from mien.captions.naming import FACE_TEMPLATES
from mien.data.seen_faces import SeenFace, seen_faces
from mien.data.store import Store
from mien.face_moments import FACES, every_so_many
from mien.inference import PREPARING, Mien, require_media
from mien.media.video import IMAGE_SUFFIXES
from mien.prepare import prepared_moment
from mien.search.hits import Stretch
from mien.search.index import SearchSettings
from mien.search.moments import FACES_PER_S, embed_scenes
from mien.types import Clip, MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What is looked for. vector: L2-normalised. told: what it was taken to be. apart_from: what it was cut out of."""

    vector: Float32[np.ndarray, "e"]
    told: str
    apart_from: Stretch | None = None


def of_words(model: Mien, words: str, settings: SearchSettings) -> Query:
    """The words as they are; of faces, the mean of them in each of FACE_TEMPLATES, which the shipped model knows."""
    if not words.strip():
        raise MienError("what is looked for is empty; say it in words, or name a moment by --like")
    prompts = [t.replace("{}", words.strip(" .")) for t in FACE_TEMPLATES] if settings.kind == "faces" else [words]
    model.require_read_whole(prompts)
    mean = model.encode_text(prompts, normalize=True).float().mean(dim=0)
    return Query(vector=F.normalize(mean, dim=0).cpu().numpy(), told=f"“{words}”")


def of_likeness(model: Mien, like: str, store: Store, settings: SearchSettings) -> Query:
    """What is like a clip of the store (by its id), a moment of one of its videos or of a file (`VIDEO@12.5`, seconds),
    or a picture. Of several faces there, the largest is taken.

    Raises MienError where there is no such thing, or no face in it.
    """
    if (clip := next((clip for clip in store.clips() if clip.id == like), None)) is not None:
        return _of_clip(model, store, clip, settings, told=f"the clip {like}")
    name, at_s = _name_and_second(like, store)
    told = f"{name} at {at_s:g} s" if at_s is not None else name
    if name in store.videos:
        return _of_clip(model, store, _clip_at(store, name, at_s, settings.window_s), settings, told=told)
    path = Path(name)
    if not path.is_file():
        raise MienError(
            f"nothing at {like} to be like: it is no clip of {store.path}, no video of it (VIDEO@SECONDS) and no file; "
            f"its videos are called {', '.join(store.videos[:3])}{', …' if len(store.videos) > 3 else ''}"
        )
    require_media(path)
    if at_s is None and path.suffix.lower() not in IMAGE_SUFFIXES:
        raise MienError(f"{path} is a video; say which moment of it is meant: {path}@SECONDS")
    frames = (FACES if settings.kind == "faces" else PREPARING).frames
    with prepared_moment(path, at_s=at_s, window_s=settings.window_s, frames=frames) as found:
        query = _of_clip(model, found.store, found.store.whole_clip(found.video), settings, told=told)
    return replace(query, apart_from=None)


def _name_and_second(like: str, store: Store) -> tuple[str, float | None]:
    """`a@12.5` as its parts; as a whole where what follows the @ is no number, or a file or video is called so."""
    name, _, seconds = like.rpartition("@")
    if not name or like in store.videos or Path(like).is_file():
        return like, None
    try:
        return name, float(seconds)
    except ValueError:
        return like, None


def _clip_at(store: Store, video: str, at_s: float | None, window_s: float) -> Clip:
    """The stretch of `window_s` seconds around a moment of a video, moved to lie within it; a picture's only frame."""
    info = store.frames(video).info
    length_s = info.num_frames / info.fps
    if info.num_frames == 1:
        return store.whole_clip(video)
    if at_s is None:
        raise MienError(f"{video} is a video; say which moment of it is meant: {video}@{length_s / 2:.1f}")
    if not 0 <= at_s < length_s:
        raise MienError(
            f"{video} lasts {length_s:.1f} s, so there is nothing at {at_s:g} s; name a second before its end"
        )
    window_s = min(window_s, length_s)
    start_s = min(max(0.0, at_s - window_s / 2), length_s - window_s)
    return store.clip(video, start_s=start_s, end_s=start_s + window_s)


def _of_clip(model: Mien, store: Store, clip: Clip, settings: SearchSettings, *, told: str) -> Query:
    if settings.kind == "scenes":
        x = embed_scenes(model, store, [clip])[0]
    else:
        pictures = [face.picture for face in _faces_of_one(model, store, clip)]
        x = F.normalize(embed_squares(model, pictures).mean(dim=0), dim=0).numpy()
    return Query(vector=x, told=told, apart_from=Stretch(video=clip.video, start_s=clip.start_s, end_s=clip.end_s))


def _faces_of_one(model: Mien, store: Store, clip: Clip) -> list[SeenFace]:
    """The faces in the clip of the person whose face is the largest."""
    frames = every_so_many(clip, fps=store.frames(clip.video).info.fps, per_s=FACES_PER_S)
    faces = list(seen_faces(store, clip.video, frames=frames, size=model.config.preprocess.image_size))
    if not faces:
        raise MienError(f"no face is seen in {clip.video} from {clip.start_s:.1f} to {clip.end_s:.1f} s")
    largest = max(faces, key=lambda face: float(np.prod(face.xyxy[2:] - face.xyxy[:2])))
    return [face for face in faces if face is largest or (face.person == largest.person >= 0)]
