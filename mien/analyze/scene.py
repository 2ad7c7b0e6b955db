"""The scene: what a video is, apart from all emotion: its facts, shots and words; and the store it is taken from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from mien.analyze.record import Left, Shot, Source, Utterance, VideoFacts
from mien.analyze.settings import AnalyzeSettings
from mien.config import Config
from mien.data.store import Store
from mien.inference import PREPARING
from mien.language.sentiment import softmax
from mien.media.frames import FrameReader
from mien.media.video import IMAGE_SUFFIXES, probe_video
from mien.prepare import BoxSettings, FrameSettings, PrepareSettings, prepare
from mien.prepare.faces import FaceSettings
from mien.prepare.frames import missing_part
from mien.prepare.looking import see_from_afar
from mien.prepare.models import model_ids
from mien.types import EMOTIONS, MienError

FILE = "scene.json"
SHORT_SIDE = 720
"""Pictures are kept so large for faces to be cut from; a fifteenth of that is what the face model wants."""
LEAST_FPS = 4.0
"""People are followed through so many pictures a second at least, however seldom they are looked at."""
PERSONS_EVERY_S, FACES_EVERY_S = 1.5, 0.5
"""How far apart detectors look where nothing happens."""


class Scene(Config):
    """What is known of a video before anyone in it is looked at."""

    made_with: str
    """A fingerprint of the file and of the settings that the scene depends on."""
    video: VideoFacts
    num_samples: int
    num_persons: int
    """Persons followed, by their bodies; they have the tracks below, faces that are nobody's those from here on."""
    shots: tuple[Shot, ...]
    utterances: tuple[Utterance, ...]
    detectors: dict[Source, str]
    skipped: tuple[Left, ...]


def preparing(settings: AnalyzeSettings) -> PrepareSettings:
    """How the video is decoded, and whom to look for in it."""
    fps = settings.samples_per_s * stored_per_sample(settings)
    return PREPARING.model_copy(
        update={
            "frames": FrameSettings(fps=fps, short_side=SHORT_SIDE),
            "boxes": BoxSettings(every=max(1, round(PERSONS_EVERY_S * fps))),
            "faces": FaceSettings(
                source="none" if settings.face_model is None else "detector", every=max(1, round(FACES_EVERY_S * fps))
            ),
            "expect_words": False,
        }
    )


def stored_per_sample(settings: AnalyzeSettings) -> int:
    """Every so many stored pictures everyone is looked at."""
    return max(1, int(np.ceil(LEAST_FPS / settings.samples_per_s - 1e-9)))


def prepare_store(
    path: Path, folder: Path, *, settings: AnalyzeSettings, on_fraction: Callable[[str, float], None]
) -> Store:
    """The store of one video in `folder`, made or gone on with. Raises MienError where it cannot be read.

    `on_fraction` is told the stage and how much of it is done.
    """
    done = prepare(
        path,
        folder,
        settings=preparing(settings),
        on_progress=lambda video, stage, fraction: on_fraction(stage, fraction),
    )
    if done.failed:
        raise MienError(done.failed[0].reason)
    return Store(folder)


def see_scene(path: Path, store: Store, *, settings: AnalyzeSettings, made_with: str) -> Scene:
    """The scene of the one video of a store."""
    (name,) = store.videos
    reader, probe = store.frames(name), probe_video(path)
    is_picture = path.suffix.lower() in IMAGE_SUFFIXES
    missing = missing_part(reader, video=path.name)
    return Scene(
        made_with=made_with,
        video=VideoFacts(
            path=str(path),
            name=path.name,
            num_bytes=path.stat().st_size,
            duration_s=0.0 if is_picture else probe.duration_s or len(reader) / reader.info.fps,
            width=probe.width,
            height=probe.height,
            fps=0.0 if is_picture else probe.fps,
            is_picture=is_picture,
        ),
        num_samples=len(range(0, len(reader), stored_per_sample(settings))),
        num_persons=int(store.boxes(name).track.max(initial=-1)) + 1,
        shots=_shots(reader),
        utterances=_utterances(store, name),
        detectors=detectors(settings),
        skipped=(Left(what=missing.what, reason=missing.reason),) if missing else (),
    )


def detectors(settings: AnalyzeSettings) -> dict[Source, str]:
    """The detectors' ids: those of persons', and of faces' where they are looked for."""
    ids = model_ids(preparing(settings), threads=0)
    found: dict[Source, str] = {"person": ids["boxes"]}
    return found if settings.face_model is None else {**found, "face": ids["faces"]}


def shot_of(scene: Scene, times_s: np.ndarray) -> Int32[np.ndarray, "n"]:
    """The number of the shot at each time."""
    starts = np.array([shot.start_s for shot in scene.shots])
    return np.maximum(np.searchsorted(starts, times_s + 1e-6, side="right") - 1, 0).astype(np.int32)


def _shots(reader: FrameReader) -> tuple[Shot, ...]:
    """From the first picture of each to its last: between one's last and the next's first lies the cut."""
    fps = reader.info.fps
    return tuple(Shot(start_s=shot[0] / fps, end_s=shot[-1] / fps) for shot in see_from_afar(reader).shots)


def _utterances(store: Store, name: str) -> tuple[Utterance, ...]:
    scored = store.sentences(name)
    probabilities = softmax(scored.logits)
    return tuple(
        Utterance(
            start_s=sentence.start_s,
            end_s=sentence.end_s,
            text=sentence.text,
            emotion=EMOTIONS[int(row.argmax())],
            probability=round(float(row.max()), 4),
        )
        for sentence, row in zip(scored.sentences, probabilities, strict=True)
    )
