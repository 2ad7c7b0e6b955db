"""A drawn face: the head, its hair, and the features a pose asks for."""

from __future__ import annotations

import numpy as np

from mien.theatre.canvas import Canvas, Colour, Points, mix, shade
from mien.theatre.person import Head, Person
from mien.theatre.pose import Pose

HALF_WIDTH, HALF_HEIGHT = 0.43, 0.52
_INK: Colour = (44, 32, 32)
_ARC = np.linspace(-1.0, 1.0, 9)
_BOW = 1.0 - _ARC**2
_CIRCLE = np.exp(2j * np.pi * np.arange(24) / 24)
_SKULL_TOP = np.exp(1j * np.linspace(np.pi * 0.97, np.pi * 2.03, 18))
_CURLS = np.exp(1j * np.linspace(np.pi * 0.85, np.pi * 2.15, 9))


class _Pen:
    """Draws in the head's own frame: (0, 0) the middle of the face, one unit the head's height."""

    def __init__(self, canvas: Canvas, head: Head, place: complex, size: float) -> None:
        self.canvas = canvas
        self.turn = head.turn * head.size * size
        self.centre = head.centre * size + place
        self.scale = head.size * size

    def fill(self, points: Points, colour: Colour) -> None:
        self.canvas.polygon(points * self.turn + self.centre, colour)

    def ellipse(self, centre: complex, rx: float, ry: float, colour: Colour) -> None:
        self.canvas.convex((centre + rx * _CIRCLE.real + 1j * ry * _CIRCLE.imag) * self.turn + self.centre, colour)

    def line(self, points: Points, width: float, colour: Colour) -> None:
        self.canvas.stroke(points * self.turn + self.centre, width * self.scale, colour)

    def limb(self, a: complex, b: complex, ra: float, rb: float, colour: Colour) -> None:
        at = self.turn
        self.canvas.limb(a * at + self.centre, b * at + self.centre, ra * self.scale, rb * self.scale, colour)


def draw_hair_behind(canvas: Canvas, person: Person, head: Head, place: complex, size: float) -> None:
    """The hair that hangs behind neck and shoulders; drawn before the head."""
    pen = _Pen(canvas, head, place, size)
    dark = shade(person.hair, 0.8)
    if person.hair_style == "long":
        pen.limb(-0.1j, 0.62j, 0.50, 0.44, dark)
    elif person.hair_style == "bob":
        pen.limb(-0.05j, 0.22j, 0.51, 0.47, dark)
    elif person.hair_style == "curly":
        pen.ellipse(-0.12j, 0.60, 0.58, dark)
    elif person.hair_style == "bun":
        pen.ellipse(-0.62j, 0.20, 0.18, dark)


def draw_face(canvas: Canvas, person: Person, pose: Pose, head: Head, place: complex, size: float, *, t: float) -> None:
    """Head, features and the hair in front."""
    pen = _Pen(canvas, head, place, size)
    skin = person.skin
    width = HALF_WIDTH * person.head_width
    for side in (-1, 1):
        pen.ellipse(side * width * 0.98 - 0.06 * pose.head_turn + 0.03j, 0.08, 0.12, shade(skin, 0.86))
    pen.ellipse(0, width, HALF_HEIGHT, skin)
    shift = complex(0.15 * _clip(pose.head_turn, 1.2), 0.09 * _clip(pose.head_nod, 1.3))
    if person.beard:
        _beard(pen, person, shift, width)
    _cheeks(pen, pose, shift, skin)
    for side in (-1, 1):
        _eye(pen, person, pose, shift, side, skin)
    _nose(pen, pose, shift, skin)
    _mouth(pen, pose, shift, skin, t)
    _hair(pen, person, width)
    _water(pen, pose, shift, t)


def _eye(pen: _Pen, person: Person, pose: Pose, shift: complex, side: int, skin: Colour) -> None:
    away = 1 - 0.35 * max(0.0, side * pose.head_turn)  # the far eye narrows as the head turns
    centre = shift + complex(side * 0.175 * away, -0.07)
    rx = 0.098 * away
    upper = 0.085 * min(max(pose.eye_open, 0.06), 1.7)
    lower = 0.085 * min(max(pose.eye_open, 0.06), 1.5) * (1 - 0.55 * max(pose.lower_lid, 0.0))
    # A lowered inner brow cuts into the eye, a raised one slants it.
    slant = 0.25 * side * (-pose.brow_inner if pose.brow_inner < 0 else -0.5 * pose.brow_inner)
    x = rx * _ARC
    top = centre + x + 1j * (-upper * _BOW**0.6 - slant * x * 0.6)
    bottom = centre + x + 1j * (lower * _BOW**0.7 - slant * x * 0.6)
    pen.fill(np.concatenate((top, bottom[::-1])), (252, 252, 250))
    r = 0.056 * min(max(pose.pupil, 0.5), 1.1)
    iris = centre + complex(0.045 * _clip(pose.gaze_x + 0.5 * pose.head_turn, 1.0), 0.03 * _clip(pose.gaze_y, 1.0))
    ry = min(r, 0.9 * (upper + lower) / 2)
    if pose.eye_open > 0.2:
        pen.ellipse(iris + 0.35j * (lower - upper), r, ry, (46, 34, 30))
        pen.ellipse(iris + 0.35j * (lower - upper) + complex(0.3 * r, -0.35 * ry), r * 0.3, ry * 0.3, (250, 250, 250))
    pen.line(top, 0.022, _INK)
    if pose.lower_lid > 0.25:
        pen.line(bottom[1:-1] + 0.012j, 0.014, shade(skin, 0.66))
    if person.glasses:
        ring = centre + 0.14 * away * _CIRCLE.real + 0.13j * _CIRCLE.imag
        pen.line(np.append(ring, ring[0]), 0.018, (40, 40, 48))
    inner = centre + complex(-side * (0.105 - 0.035 * max(pose.squeeze, 0.0)) * away, -0.165 - 0.095 * pose.brow_inner)
    outer = centre + complex(side * 0.125 * away, -0.150 - 0.085 * pose.brow_outer)
    middle = (inner + outer) / 2 - 0.025j
    brow = shade(person.hair, 0.75) if sum(person.hair) < 540 else shade(person.hair, 0.6)
    pen.limb(inner, middle, 0.028, 0.028, brow)
    pen.limb(middle, outer, 0.028, 0.017, brow)


def _mouth(pen: _Pen, pose: Pose, shift: complex, skin: Colour, t: float) -> None:
    half = 0.165 * min(max(pose.mouth_width, 0.4), 1.4) * (1 - 0.15 * abs(pose.head_turn))
    opening = 0.30 * min(max(pose.mouth_open, 0.0), 1.15)
    centre = shift * 1.1 + 0.235j - 0.02j * max(pose.corner, 0.0)
    bend = 0.10 * _clip(pose.corner, 1.2)
    lip = mix(skin, (150, 44, 50), 0.55)
    x = half * _ARC
    waver = 0.012 * max(pose.tremor, 0.0) * np.sin(9 * _ARC + 11 * t)
    raised = 0.075 * max(pose.sneer, 0.0) * np.exp(-((_ARC - 0.45) ** 2) * 6)
    line = bend * (_ARC**2 - 0.5) * -1 + waver
    upper = centre + x + 1j * (line - 0.25 * opening * _BOW**0.6 - raised)
    lower = centre + x + 1j * (line + 0.75 * opening * _BOW**0.6)
    if opening + raised.max() < 0.03:
        pen.line(centre + x + 1j * line, 0.034, shade(lip, 0.75))
        return
    pen.fill(np.concatenate((upper, lower[::-1])), (92, 24, 30))
    if pose.teeth > 0.25:
        depth = (0.34 if pose.corner > 0 else 0.85) * min(pose.teeth, 1.0)
        edge = upper + (lower - upper) * depth
        pen.fill(np.concatenate((upper, edge[::-1])), (248, 246, 240))
    elif opening > 0.1:
        pen.ellipse(centre + 1j * (line[4] + 0.52 * opening), half * 0.55, opening * 0.18, (206, 92, 92))
    if pose.tongue > 0.25:
        pen.limb(centre + 0.02j, centre + complex(0.02, 0.05 + 0.11 * pose.tongue), 0.07, 0.065, (214, 88, 96))
    pen.line(upper, 0.026, shade(lip, 0.85))
    pen.line(lower, 0.030, lip)


def _nose(pen: _Pen, pose: Pose, shift: complex, skin: Colour) -> None:
    dark = shade(skin, 0.74)
    tip = shift * 1.35 + 0.10j - 0.025j * max(pose.wrinkle, 0.0)
    pen.line(np.array([tip - 0.055, tip + 0.028j, tip + 0.055]), 0.026, dark)
    if pose.wrinkle > 0.2:
        for side in (-1, 1):
            fold = np.array([tip + side * 0.085 - 0.03j, tip + side * 0.15 + 0.07j])
            pen.line(fold, 0.022, dark)
            pen.line(np.array([tip + side * 0.02 - 0.14j, tip + side * 0.065 - 0.10j]), 0.02, dark)
    if pose.squeeze > 0.4:
        for side in (-1, 1):
            pen.line(np.array([shift + side * 0.022 - 0.24j, shift + side * 0.018 - 0.16j]), 0.016, dark)


def _cheeks(pen: _Pen, pose: Pose, shift: complex, skin: Colour) -> None:
    if pose.blush > 0.05:
        pink = mix(skin, (232, 96, 96), min(0.45, 0.5 * pose.blush))
        for side in (-1, 1):
            pen.ellipse(shift + complex(side * 0.26, 0.13), 0.09, 0.065, pink)


def _water(pen: _Pen, pose: Pose, shift: complex, t: float) -> None:
    if pose.tears > 0.35:
        for side in (-1, 1):
            fall = (0.55 * t + 0.5 * side) % 1.0
            x = shift + side * 0.19
            pen.limb(x + 0.0j, x + 0.10j + 0.16j * fall, 0.014, 0.020, (168, 208, 240))
            pen.limb(x + 0.05j + 0.16j * fall, x + 0.10j + 0.16j * fall, 0.014, 0.034, (126, 182, 236))
    if pose.sweat > 0.4:
        drop = complex(0.31, -0.20 + 0.10 * ((0.6 * t) % 1.0))
        pen.limb(drop - 0.06j, drop, 0.010, 0.034, (150, 200, 240))


def _hair(pen: _Pen, person: Person, width: float) -> None:
    colour, style = person.hair, person.hair_style
    if style == "bald":
        return
    top = _SKULL_TOP.real * (width + 0.035) + 1j * _SKULL_TOP.imag * (HALF_HEIGHT + 0.04)
    line = -0.30j if style in ("short", "curly", "cap") else -0.26j
    if style == "parted":
        fringe = np.array(
            [width * 0.98 - 0.02j, width * 0.80 - 0.22j, 0.10 - 0.34j, -0.22 - 0.30j, -width * 0.98 - 0.02j]
        )
    elif style in ("bob", "long"):
        fringe = np.array(
            [width * 1.0 + 0.14j, width * 0.84 - 0.16j, 0.06 - 0.37j, -width * 0.84 - 0.16j, -width + 0.14j]
        )
    else:
        fringe = np.array(
            [width * 0.98 - 0.08j, width * 0.72 + line, line - 0.03j, -width * 0.72 + line, -width * 0.98 - 0.08j]
        )
    if style == "cap":
        colour = shade(person.top, 0.75)
        pen.fill(np.concatenate((top, fringe)), colour)
        pen.limb(-0.30 - 0.31j, 0.30 - 0.31j, 0.055, 0.055, shade(colour, 0.75))
        return
    pen.fill(np.concatenate((top, fringe)), colour)
    if style == "curly":
        for z in _CURLS:
            pen.ellipse(z.real * (width + 0.06) + 1j * z.imag * (HALF_HEIGHT + 0.02), 0.16, 0.15, colour)


def _beard(pen: _Pen, person: Person, shift: complex, width: float) -> None:
    angles = np.linspace(0.06 * np.pi, 0.94 * np.pi, 14)
    jaw = np.cos(angles) * width + 1j * np.sin(angles) * (HALF_HEIGHT + 0.02)
    inner = np.cos(angles[::-1]) * width * 0.72 + shift * 0.6 + 1j * (0.10 + np.sin(angles[::-1]) * 0.10)
    pen.fill(np.concatenate((jaw, inner)), mix(person.hair, person.skin, 0.25))


def _clip(x: float, limit: float) -> float:
    return min(max(x, -limit), limit)
