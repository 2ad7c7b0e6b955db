"""The JSON of one exported clip: everything that the store knows of it, in words other tools can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from mien.config import Config, describe
from mien.exchange.clip_video import Codec
from mien.types import EMOTIONS, UNKNOWN, BoxTable, Clip, FaceTable, MienError, VideoInfo

MARK = "mien"
"""The key by which a sample of ours is known; its value is the version of this form."""

VERSION = 1


class Person(Config):
    """Somebody in one frame, in pixels of the source video; `track` and `speaking` as in BoxTable."""

    xyxy: tuple[float, float, float, float]
    score: float
    track: int
    speaking: bool


class Face(Config):
    """A face in one frame, in pixels of the source video; five landmarks (x, y) and `track` as in FaceTable."""

    xyxy: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...] = Field(min_length=5, max_length=5)
    score: float
    track: int


class SourceVideo(Config):
    """The fields of VideoInfo, of the whole video that the clip is from."""

    source: str
    source_width: int
    source_height: int
    source_duration_s: float
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    fps: float = Field(gt=0)
    num_frames: int


class About(Config):
    """What the data card counts videos by, and the models that made things (`sentiment`, `boxes`, …)."""

    language: str = UNKNOWN
    words_from: str = UNKNOWN
    source: str = UNKNOWN
    license: str = UNKNOWN
    models: dict[str, str] = Field(default_factory=dict)


class ClipJson(Config):
    """A sample's JSON. The fields to `clips` are video2dataset's, those to `person_share` those of Clip.

    `clips` is where in the source video it lies, in seconds, `emotions` what the numbers of `sentiment_logits` mean,
    `time_s`, `boxes` and `faces` (null where the store has none) have an entry a frame, `store_settings` are those of
    the store it is from.
    """

    key: str
    caption: str
    status: str
    error_message: str | None
    clips: tuple[tuple[float, float], ...]
    id: str
    video: str
    start_frame: int = Field(ge=0)
    end_frame: int
    start_s: float
    end_s: float
    sentiment_logits: tuple[float, ...]
    person_share: float
    emotions: tuple[str, ...]
    mien: int
    codec: Codec
    time_s: tuple[float, ...]
    boxes: tuple[tuple[Person, ...], ...]
    faces: tuple[tuple[Face, ...], ...] | None
    info: SourceVideo
    about: About
    store_settings: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSample:
    """One clip as it travels, its pictures apart.

    Boxes and faces count frames of the whole video, as in a store; faces are None where it was prepared without.
    """

    clip: Clip
    info: VideoInfo
    codec: Codec
    times_s: tuple[float, ...]
    boxes: BoxTable
    faces: FaceTable | None
    about: About
    store_settings: dict[str, Any]


def to_json(sample: ClipSample, *, key: str) -> ClipJson:
    """The JSON of a sample whose key in the shards is `key`."""
    clip = sample.clip
    return ClipJson(
        key=key,
        caption=clip.text,
        status="success",
        error_message=None,
        clips=((clip.start_s, clip.end_s),),
        id=clip.id,
        video=clip.video,
        start_frame=clip.start_frame,
        end_frame=clip.end_frame,
        start_s=clip.start_s,
        end_s=clip.end_s,
        sentiment_logits=clip.sentiment_logits,
        person_share=clip.person_share,
        emotions=EMOTIONS,
        mien=VERSION,
        codec=sample.codec,
        time_s=sample.times_s,
        boxes=_persons(sample.boxes, clip),
        faces=None if sample.faces is None else _faces(sample.faces, clip),
        info=SourceVideo(**asdict(sample.info)),
        about=sample.about,
        store_settings=sample.store_settings,
    )


def is_ours(told: object) -> bool:
    """Whether a sample's JSON is of a clip that mien exported."""
    return isinstance(told, Mapping) and MARK in told and "sentiment_logits" in told


def from_json(told: object) -> ClipSample:
    """The sample that a JSON of ours tells of. Raises MienError where it makes no sense."""
    try:
        read = ClipJson.model_validate(told)
    except ValidationError as error:
        raise MienError(f"its JSON is not that of a clip of this version of mien:\n{describe(error)}") from None
    num_frames = read.end_frame - read.start_frame
    num_faces = num_frames if read.faces is None else len(read.faces)
    if not len(read.time_s) == len(read.boxes) == num_faces == num_frames or read.end_frame > read.info.num_frames:
        raise MienError(
            f"its JSON has {len(read.time_s)} times, {len(read.boxes)} lists of boxes and {num_faces} of faces for "
            f"frames {read.start_frame} to {read.end_frame} of {read.info.num_frames}; export it again"
        )
    if read.emotions != EMOTIONS or len(read.sentiment_logits) != len(EMOTIONS):
        raise MienError(f"its sentiment is over {', '.join(read.emotions)}; it must be over {', '.join(EMOTIONS)}")
    clip = Clip(
        id=read.id,
        video=read.video,
        start_frame=read.start_frame,
        end_frame=read.end_frame,
        start_s=read.start_s,
        end_s=read.end_s,
        text=read.caption,
        sentiment_logits=read.sentiment_logits,
        person_share=read.person_share,
    )
    return ClipSample(
        clip=clip,
        info=VideoInfo(**read.info.model_dump()),
        codec=read.codec,
        times_s=read.time_s,
        boxes=_box_table(read.boxes, first_frame=clip.start_frame),
        faces=None if read.faces is None else _face_table(read.faces, first_frame=clip.start_frame),
        about=read.about,
        store_settings=read.store_settings,
    )


def _persons(boxes: BoxTable, clip: Clip) -> tuple[tuple[Person, ...], ...]:
    by_frame: list[list[Person]] = [[] for _ in range(clip.num_frames)]
    rows = zip(boxes.xyxy.tolist(), boxes.score.tolist(), boxes.track.tolist(), boxes.speaking.tolist(), strict=True)
    for frame, (xyxy, score, track, speaking) in zip(boxes.frame.tolist(), rows, strict=True):
        person = Person(xyxy=tuple(xyxy), score=score, track=track, speaking=speaking)
        by_frame[frame - clip.start_frame].append(person)
    return tuple(map(tuple, by_frame))


def _faces(faces: FaceTable, clip: Clip) -> tuple[tuple[Face, ...], ...]:
    by_frame: list[list[Face]] = [[] for _ in range(clip.num_frames)]
    rows = zip(faces.xyxy.tolist(), faces.landmarks.tolist(), faces.score.tolist(), faces.track.tolist(), strict=True)
    for frame, (xyxy, landmarks, score, track) in zip(faces.frame.tolist(), rows, strict=True):
        face = Face(xyxy=tuple(xyxy), landmarks=tuple(map(tuple, landmarks)), score=score, track=track)
        by_frame[frame - clip.start_frame].append(face)
    return tuple(map(tuple, by_frame))


def _box_table(boxes: Sequence[Sequence[Person]], *, first_frame: int) -> BoxTable:
    rows = [(first_frame + i, person) for i, persons in enumerate(boxes) for person in persons]
    return BoxTable(
        frame=np.array([frame for frame, _ in rows], np.int32),
        xyxy=np.array([person.xyxy for _, person in rows], np.float32).reshape(-1, 4),
        score=np.array([person.score for _, person in rows], np.float32),
        track=np.array([person.track for _, person in rows], np.int32),
        speaking=np.array([person.speaking for _, person in rows], np.bool_),
    )


def _face_table(faces: Sequence[Sequence[Face]], *, first_frame: int) -> FaceTable:
    rows = [(first_frame + i, face) for i, of_frame in enumerate(faces) for face in of_frame]
    return FaceTable(
        frame=np.array([frame for frame, _ in rows], np.int32),
        xyxy=np.array([face.xyxy for _, face in rows], np.float32).reshape(-1, 4),
        landmarks=np.array([face.landmarks for _, face in rows], np.float32).reshape(-1, 5, 2),
        score=np.array([face.score for _, face in rows], np.float32),
        track=np.array([face.track for _, face in rows], np.int32),
    )
