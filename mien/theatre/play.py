"""A play: everything that happens in one video, decided before a pixel is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mien.theatre.camera import Shot, draw_shot
from mien.theatre.feelings import judge
from mien.theatre.person import Person
from mien.theatre.pictures import Pictures
from mien.theatre.pose import Manner, num_ways
from mien.theatre.scenery import SETTINGS, Setting
from mien.theatre.script import Script
from mien.theatre.settings import SPLITS, Split, TheatreSettings
from mien.types import EMOTIONS, Caption

Kind = Literal["plain", "small_talk", "sarcasm"]
_CAST = 5  # persons of a video, of whom a scene shows one to three
_EYE_HEIGHT = 3.75
_BITTER = ("anger", "disgust")  # what sarcasm hides


@dataclass(frozen=True, kw_only=True)
class Part:
    """A person in a scene: who, and where they stand (`size` grows towards the camera)."""

    track: int
    person: Person
    manner: Manner
    place: complex
    size: float

    @property
    def head(self) -> complex:
        return self.place - 1j * _EYE_HEIGHT * self.size * self.person.height


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A place, the people in it from back to front, and the furniture before them (kind, x, y of its top)."""

    setting: Setting
    seed: int
    exposure: float
    parts: tuple[Part, ...]
    front: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Show:
    """What one person shows during a beat."""

    emotion: str
    intensity: float
    way: int
    mirror: bool
    picture: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One utterance: who says what when, and what it is judged to express."""

    start_s: float
    end_s: float
    text: str
    speaker: int  # index of the scene's parts
    kind: Kind
    captions: tuple[Caption, ...]
    categories: tuple[float, ...]
    vad: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """The time of one utterance: a scene, a shot, what everybody shows, what one of them says."""

    start_s: float
    end_s: float
    scene: Scene
    shot: Shot
    shows: tuple[Show, ...]
    line: Line


def write_play(
    settings: TheatreSettings, split: Split, number: int, *, script: Script, pictures: Pictures | None
) -> tuple[Beat, ...]:
    """The beats of video `number` of `split`, without a gap between them."""
    rng = np.random.default_rng((settings.seed, SPLITS.index(split), number))
    cast = [(Person.draw(rng), Manner.draw(rng)) for _ in range(_CAST)]
    emotions = _deal(int(rng.integers(settings.min_utterances, settings.max_utterances + 1)), rng)
    beats: list[Beat] = []
    left = 0  # beats that remain of the scene
    for emotion in emotions:
        start_s = beats[-1].end_s if beats else 0.0
        if left == 0:
            scene, left = _draw_scene(settings, cast, emotion, rng), int(rng.integers(1, 5))
        left -= 1
        speaker = int(rng.integers(len(scene.parts)))
        shows = tuple(
            _draw_show(emotion if k == speaker else EMOTIONS[int(rng.integers(len(EMOTIONS)))], pictures, rng)
            for k in range(len(scene.parts))
        )
        line = _draw_line(settings, emotion, shows[speaker].intensity, speaker, start_s, script, rng)
        end_s = round(line.end_s + float(rng.uniform(0.1, 0.4)), 3)
        shot = draw_shot(
            [part.head for part in scene.parts],
            aspect=settings.width / settings.height,
            start_s=start_s,
            end_s=end_s,
            rng=rng,
        )
        if beats and beats[-1].scene is scene and rng.random() < 0.3:
            shot = beats[-1].shot  # no cut: the camera stays
        beats.append(Beat(start_s=start_s, end_s=end_s, scene=scene, shot=shot, shows=shows, line=line))
    return tuple(beats)


def _deal(count: int, rng: np.random.Generator) -> list[str]:
    """`count` emotions, none twice before all have come."""
    rounds = [EMOTIONS[i] for _ in range(count // len(EMOTIONS) + 1) for i in rng.permutation(len(EMOTIONS))]
    return rounds[:count]


def _draw_scene(
    settings: TheatreSettings, cast: list[tuple[Person, Manner]], emotion: str, rng: np.random.Generator
) -> Scene:
    places = SETTINGS
    if rng.random() < settings.setting_informativeness:
        places = tuple(place for place in SETTINGS if emotion in place.suits)
    setting = places[int(rng.integers(len(places)))]
    count = 1 if rng.random() < settings.alone_share else int(rng.integers(2, 4))
    x, parts = float(rng.uniform(-4, 4)), []
    for track in rng.permutation(len(cast))[:count]:
        person, manner = cast[track]
        depth = float(rng.uniform(-0.3, 0.3))
        place, size = complex(x, depth), 1.0 + 0.45 * depth
        parts.append(Part(track=int(track), person=person, manner=manner, place=place, size=size))
        x += float(rng.uniform(1.15, 1.65))
    parts.sort(key=lambda part: part.place.imag)
    front = []
    if setting.front and rng.random() < 0.4:
        kind = setting.front[int(rng.integers(len(setting.front)))]
        beside = parts[int(rng.integers(count))].place.real
        front.append((kind, beside + float(rng.uniform(-1.2, 1.2)), float(rng.uniform(-1.9, -1.0))))
    return Scene(
        setting=setting,
        seed=int(rng.integers(2**31)),
        exposure=float(rng.uniform(0.82, 1.08)),
        parts=tuple(parts),
        front=tuple(front),
    )


def _draw_show(emotion: str, pictures: Pictures | None, rng: np.random.Generator) -> Show:
    return Show(
        emotion=emotion,
        intensity=float(rng.uniform(0.6, 1.0)),
        way=int(rng.integers(num_ways(emotion))),
        mirror=bool(rng.random() < 0.5),
        picture=None if pictures is None else pictures.draw_name(emotion, rng),
    )


def _draw_line(
    settings: TheatreSettings,
    emotion: str,
    intensity: float,
    speaker: int,
    start_s: float,
    script: Script,
    rng: np.random.Generator,
) -> Line:
    kind: Kind = "plain"
    dice = rng.random()
    if dice < settings.small_talk_share:
        kind, text = "small_talk", script.small_talk(rng)
    elif emotion in _BITTER and rng.random() < settings.sarcasm_share:
        kind, text = "sarcasm", script.line("joy", rng)
    else:
        text = script.line(emotion, rng)
    start_s = round(start_s + float(rng.uniform(0.15, 0.4)), 3)
    length_s = min(max(0.9 + 0.26 * len(text.split()) + float(rng.uniform(-0.2, 0.3)), 2.2), 4.5)
    end_s = round(start_s + length_s, 3)
    categories, vad = judge(emotion, intensity, rng)
    return Line(
        start_s=start_s,
        end_s=end_s,
        text=text,
        speaker=speaker,
        kind=kind,
        captions=_caption(text, start_s, end_s, halves=bool(rng.random() < 0.3)),
        categories=categories,
        vad=vad,
    )


def _caption(text: str, start_s: float, end_s: float, *, halves: bool) -> tuple[Caption, ...]:
    """The text as one caption, or as two whose time is shared by their words."""
    words = text.split()
    if not halves or len(words) < 6:
        return (Caption(start_s=start_s, end_s=end_s, text=text),)
    cut = len(words) // 2
    middle_s = round(start_s + (end_s - start_s) * cut / len(words), 3)
    return (
        Caption(start_s=start_s, end_s=middle_s, text=" ".join(words[:cut])),
        Caption(start_s=middle_s, end_s=end_s, text=" ".join(words[cut:])),
    )
