"""Rendering: the frames of a play, and where each person is in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.theatre.camera import Shot, View
from mien.theatre.canvas import Canvas
from mien.theatre.face import draw_face, draw_hair_behind
from mien.theatre.person import coloured, draw_arms, draw_body, skeleton
from mien.theatre.pictures import Pictures, draw_picture
from mien.theatre.play import Beat, Part, Scene
from mien.theatre.pose import animate, show
from mien.theatre.scenery import draw_front

_CHANGE_S = 0.45  # how long an emotion takes to give way to the next
_SMALLEST_BOX_PX = 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A person in a frame: the box around them, cut at the frame's edges, and whether they speak."""

    track: int
    box: tuple[float, float, float, float]
    speaking: bool


def num_frames(beats: Sequence[Beat], fps: int) -> int:
    return math.floor(beats[-1].end_s * fps)


def render(
    beats: Sequence[Beat], *, width: int, height: int, fps: int, pictures: Pictures | None
) -> Iterator[tuple[np.ndarray, list[Seen]]]:
    """Every frame (RGB uint8, height × width × 3, valid until the next) and whom it shows."""
    stage: _Stage | None = None
    index = 0
    for frame in range(num_frames(beats, fps)):
        t = frame / fps
        while t >= beats[index].end_s:
            index += 1
        beat = beats[index]
        if stage is None or stage.shot is not beat.shot:
            stage = _Stage(beat.scene, beat.shot, width=width, height=height)
        earlier = beats[index - 1] if index and beats[index - 1].scene is beat.scene else None
        yield stage.frame(t, beat, earlier, pictures)


class _Stage:
    """A scene seen in one shot; its background is drawn once."""

    def __init__(self, scene: Scene, shot: Shot, *, width: int, height: int) -> None:
        self.scene, self.shot = scene, shot
        self.size = (width, height)
        self._light = _light_table(scene)
        views = (shot.first, shot.last)
        self._gain = max(height / view.height for view in views)
        margin = 3 * shot.shake + 4 / self._gain
        half = [complex(view.height * width / height, view.height) / 2 for view in views]
        x0 = min(v.centre.real - h.real for v, h in zip(views, half, strict=True)) - margin
        y0 = min(v.centre.imag - h.imag for v, h in zip(views, half, strict=True)) - margin
        x1 = max(v.centre.real + h.real for v, h in zip(views, half, strict=True)) + margin
        y1 = max(v.centre.imag + h.imag for v, h in zip(views, half, strict=True)) + margin
        self._corner = complex(x0, y0)
        image = np.zeros((math.ceil((y1 - y0) * self._gain), math.ceil((x1 - x0) * self._gain), 3), np.uint8)
        canvas = Canvas(image, gain=self._gain, origin=-self._corner * self._gain)
        scene.setting.draw(canvas, np.random.default_rng(scene.seed))
        for part in scene.parts:
            floor = image[-1, image.shape[1] // 2].tolist()
            shadow = (floor[0] * 0.75, floor[1] * 0.75, floor[2] * 0.75)
            canvas.ellipse(part.place + 0.03j, 0.75 * part.size, 0.14 * part.size, shadow)
        if shot.softness:
            image = cv2.GaussianBlur(image, (0, 0), shot.softness * self._gain)
        self._background = image
        self._last: tuple[View, np.ndarray] | None = None

    def frame(
        self, t: float, beat: Beat, earlier: Beat | None, pictures: Pictures | None
    ) -> tuple[np.ndarray, list[Seen]]:
        view = self.shot.view(t)
        width, height = self.size
        gain = height / view.height
        origin = complex(width, height) / 2 - view.centre * gain
        image = self._backdrop(view, gain, origin)
        canvas = Canvas(image, gain=gain, origin=origin)
        seen = []
        for k, part in enumerate(self.scene.parts):
            _draw_part(canvas, part, k, t, beat, earlier, pictures)
            box = canvas.take_box()
            assert box is not None
            clipped = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height)))
            if min(clipped[2] - clipped[0], clipped[3] - clipped[1]) >= _SMALLEST_BOX_PX:
                seen.append(Seen(track=part.track, box=clipped, speaking=_speaks(beat, k, t)))
        for kind, x, y in self.scene.front:
            draw_front(canvas, kind, x, y)
        return cv2.LUT(image, self._light), seen

    def _backdrop(self, view: View, gain: float, origin: complex) -> np.ndarray:
        if self._last is not None and self._last[0] == view:  # the camera stands still
            return self._last[1].copy()
        scale = gain / self._gain
        shift = self._corner * gain + origin
        matrix = np.array([[scale, 0.0, shift.real], [0.0, scale, shift.imag]])
        image: np.ndarray = cv2.warpAffine(
            self._background, matrix, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        self._last = (view, image.copy())
        return image


def _draw_part(
    canvas: Canvas, part: Part, k: int, t: float, beat: Beat, earlier: Beat | None, pictures: Pictures | None
) -> None:
    now = beat.shows[k]
    vector = show(now.emotion, way=now.way, mirror=now.mirror, intensity=now.intensity, manner=part.manner)
    since_s = t - beat.start_s
    picture = now.picture
    if earlier is not None and since_s < _CHANGE_S:
        old = earlier.shows[k]
        before = show(old.emotion, way=old.way, mirror=old.mirror, intensity=old.intensity, manner=part.manner)
        u = since_s / _CHANGE_S
        vector = before + (vector - before) * (u * u * (3 - 2 * u))
        picture = now.picture if u >= 0.5 else old.picture
    speech = _mouth(t, part.manner.phase) if _speaks(beat, k, t) else 0.0
    pose = animate(vector, t=t, since_s=since_s, speech=speech, manner=part.manner)
    person = coloured(part.person, pose)
    joints = skeleton(person, pose)
    place, size = part.place, part.size
    draw_hair_behind(canvas, person, joints.head, place, size)
    draw_body(canvas, person, pose, joints, place, size)
    if picture is None or pictures is None:
        draw_face(canvas, person, pose, joints.head, place, size, t=t)
        draw_arms(canvas, person, pose, joints, place, size)
    else:  # hands over a drawn face say something; over a real one they only hide it
        grey = pictures.read(picture)
        draw_arms(canvas, person, pose, joints, place, size)
        draw_picture(canvas, person, pose, joints.head, grey, place=place, size=size, speech=speech)


def _speaks(beat: Beat, k: int, t: float) -> bool:
    return k == beat.line.speaker and beat.line.start_s <= t < beat.line.end_s


def _mouth(t: float, phase: float) -> float:
    """How wide a speaker's mouth stands open: syllables of changing strength, never quite shut."""
    return 0.12 + 0.88 * abs(math.sin(2 * math.pi * 1.9 * t + phase)) * (0.65 + 0.35 * math.sin(3.1 * t + 2 * phase))


def _light_table(scene: Scene) -> np.ndarray:
    levels = np.arange(256)[:, None] * (np.array(scene.setting.light) / 255 * scene.exposure)[None]
    return np.clip(levels, 0, 255).round().astype(np.uint8)[:, None, :]
