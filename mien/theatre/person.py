"""A person: who they are (skin, hair, clothes, build), and their body drawn in a pose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mien.theatre.canvas import Canvas, Colour, mix, shade, smooth
from mien.theatre.pose import Pose

SKINS: tuple[Colour, ...] = (
    (250, 219, 196), (241, 194, 165), (229, 178, 138), (206, 150, 110), (176, 119, 80), (141, 88, 58), (104, 66, 46),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (38, 30, 28), (62, 42, 30), (98, 62, 36), (150, 98, 50), (214, 172, 96), (160, 70, 40), (150, 148, 146),
    (222, 218, 212),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (196, 62, 58), (222, 130, 52), (226, 188, 78), (92, 148, 84), (60, 128, 128), (66, 108, 172), (88, 76, 150),
    (168, 88, 140), (232, 228, 218), (60, 62, 70), (124, 128, 136), (150, 110, 78),
)  # fmt: skip
HAIR_STYLES = ("short", "parted", "bob", "long", "bun", "curly", "bald", "cap")
GARMENTS = ("shirt", "jacket", "dress", "stripes", "hoodie")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """An identity; it stays with a person through a video."""

    skin: Colour
    hair: Colour
    hair_style: str
    beard: bool
    glasses: bool
    garment: str
    top: Colour
    bottom: Colour
    short_sleeves: bool
    build: float  # breadth of shoulders and limbs, 1 is average
    height: float  # 1 is average
    head_width: float

    @staticmethod
    def draw(rng: np.random.Generator) -> Person:
        style = str(rng.choice(HAIR_STYLES))
        return Person(
            skin=_pick(SKINS, rng, spread=6),
            hair=_pick(HAIRS, rng, spread=8),
            hair_style=style,
            beard=bool(style in ("short", "parted", "bald", "cap") and rng.random() < 0.3),
            glasses=bool(rng.random() < 0.2),
            garment=str(rng.choice(GARMENTS)),
            top=_pick(CLOTHES, rng, spread=14),
            bottom=shade(_pick(CLOTHES, rng, spread=14), 0.7),
            short_sleeves=bool(rng.random() < 0.4),
            build=float(rng.uniform(0.88, 1.18)),
            height=float(rng.uniform(0.9, 1.08)),
            head_width=float(rng.uniform(0.92, 1.08)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Where the head is: its centre, its turn (a unit number) and its size, in the person's own units."""

    centre: complex
    turn: complex
    size: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The joints of a person in a pose, the point between the feet being 0."""

    hips: complex
    neck: complex
    up: complex
    span: float
    head: Head


def skeleton(person: Person, pose: Pose) -> Frame:
    """The joints of `person` in `pose`."""
    hips = complex(-0.35 * math.sin(pose.lean), -(1.86 - 0.42 * pose.crouch) * person.height)
    up = complex(math.sin(pose.lean), -math.cos(pose.lean))
    neck = hips + up * (1.36 - 0.14 * pose.slump) * person.height
    angle = 0.5 * pose.lean + pose.head_tilt
    sink = 0.10 * pose.slump + 0.07 * pose.shrug + 0.07 * max(pose.head_nod, 0.0)
    centre = neck + complex(math.sin(angle), -math.cos(angle)) * (0.56 - sink)
    return Frame(
        hips=hips,
        neck=neck,
        up=up,
        span=0.52 * person.build * (1 - 0.22 * pose.narrow) * (1 - 0.08 * pose.slump),
        head=Head(centre=centre, turn=complex(math.cos(angle), math.sin(angle)), size=1 + pose.loom),
    )


def coloured(person: Person, pose: Pose) -> Person:
    """The person with skin as the emotion colours it: red with anger, pale with fear, green with disgust, grey with
    grief."""
    skin = mix(person.skin, (222, 48, 40), 0.5 * _unit(pose.flush))
    skin = mix(skin, (232, 236, 248), 0.5 * _unit(pose.pale))
    skin = mix(skin, (120, 172, 70), 0.5 * _unit(pose.green))
    return replace(person, skin=mix(skin, (112, 128, 176), 0.4 * _unit(pose.grey)))


def draw_body(canvas: Canvas, person: Person, pose: Pose, joints: Frame, place: complex, size: float) -> None:
    """Legs, trunk and neck, to be followed by the head and then the arms."""
    b = person.build
    dress = person.garment == "dress"
    for side in (-1, 1):
        hip = joints.hips + side * 0.2 * b
        foot = complex(side * (0.26 + 0.5 * pose.step) * b, -0.06)
        knee = (hip + foot) / 2 + side * (0.05 + 0.3 * max(pose.crouch, 0.0)) - 0.04j
        if pose.crouch < 0:  # on the toes, or in the air
            foot += 0.42j * pose.crouch
        leg = person.skin if dress else person.bottom
        _limb(canvas, place, size, hip, knee, 0.21 * b, 0.15 * b, leg)
        _limb(canvas, place, size, knee, foot, 0.15 * b, 0.10 * b, leg)
        _limb(canvas, place, size, foot + 0.01j, foot + side * 0.16 + 0.01j, 0.09, 0.075, (52, 46, 46))
    _trunk(canvas, person, pose, joints, place, size)


def _trunk(canvas: Canvas, person: Person, pose: Pose, joints: Frame, place: complex, size: float) -> None:
    up, across, b = joints.up, joints.up * 1j, person.build
    lift = 0.13 * pose.shrug - 0.10 * pose.slump
    shoulder = joints.neck - up * (0.15 - lift)
    waist, hem = joints.hips + up * 0.45, joints.hips - up * (0.62 if person.garment == "dress" else 0.0)
    broad = 0.62 if person.garment == "dress" else 0.40
    right = [  # the right side of the trunk, from the neck down to the hem
        joints.neck + across * 0.17 + up * 0.02,
        shoulder + across * joints.span,
        shoulder + across * (joints.span + 0.08) - up * 0.22,
        waist + across * 0.40 * b,
        hem + across * broad * b,
    ]
    left = [z - 2 * across * ((z - joints.neck) / across).real for z in right]
    outline = left + right[::-1]
    shape = smooth(outline) * size + place
    canvas.polygon(shape, person.top)
    bottom_line = joints.neck - up * 0.28

    def at(z: complex) -> complex:
        return z * size + place

    if person.garment == "stripes":
        for k in (0.35, 0.62, 0.89):
            middle = joints.neck - up * k
            half = across * (joints.span * 0.78)
            canvas.limb(at(middle - half), at(middle + half), 0.055 * size, 0.055 * size, shade(person.top, 1.45))
    elif person.garment == "jacket":
        collar = np.array([at(joints.neck - across * 0.2), at(joints.neck + across * 0.2), at(joints.hips + up * 0.2)])
        canvas.convex(collar, (240, 238, 232))
        tie = shade(person.bottom, 0.8)
        canvas.limb(at(joints.neck - up * 0.1), at(joints.neck - up * 0.85), 0.05 * size, 0.085 * size, tie)
    elif person.garment == "hoodie":
        dark = shade(person.top, 0.8)
        canvas.limb(at(joints.neck - across * 0.22), at(joints.neck + across * 0.22), 0.16 * size, 0.16 * size, dark)
    if person.garment != "dress":
        belt = joints.hips - up * 0.06
        canvas.limb(at(belt - across * 0.36 * b), at(belt + across * 0.36 * b), 0.07 * size, 0.07 * size, person.bottom)
    neck_skin = shade(person.skin, 0.86)
    canvas.limb(at(joints.neck - up * 0.04), at(joints.head.centre), 0.16 * size, 0.17 * size, neck_skin)
    if person.garment in ("shirt", "dress"):
        tip = np.array([at(joints.neck - across * 0.17), at(joints.neck + across * 0.17), at(bottom_line)])
        canvas.convex(tip, neck_skin)


def draw_arms(canvas: Canvas, person: Person, pose: Pose, joints: Frame, place: complex, size: float) -> None:
    """Both arms with their hands, in front of everything else of the person."""
    up, across, b = joints.up, joints.up * 1j, person.build
    lift = 0.13 * pose.shrug - 0.10 * pose.slump
    for side in (-1, 1):
        ex, ey = (pose.left_elbow_x, pose.left_elbow_y) if side < 0 else (pose.right_elbow_x, pose.right_elbow_y)
        hx, hy = (pose.left_hand_x, pose.left_hand_y) if side < 0 else (pose.right_hand_x, pose.right_hand_y)
        shoulder = joints.neck + across * (side * joints.span) - up * (0.20 - lift)
        elbow = joints.neck + across * (side * ex * b) - up * ey
        hand = joints.neck + across * (side * hx * (b if hx > 0.5 else 1.0)) - up * hy
        sleeve, edge = person.top, shade(person.top, 0.72)
        lower, lower_edge = (person.skin, shade(person.skin, 0.78)) if person.short_sleeves else (sleeve, edge)
        thick, thin = 0.155 * b, 0.115 * b
        rim = 0.025
        below = shoulder + 0.35 * (elbow - shoulder)  # no rim at the shoulder, where the sleeve is sewn on
        _limb(canvas, place, size, below, elbow, 0.5 * (thick + thin) + rim, thin + rim + 0.01, edge)
        _limb(canvas, place, size, elbow, hand, thin + rim, 0.085 * b + rim, lower_edge)
        _limb(canvas, place, size, elbow, hand, thin, 0.085 * b, lower)
        _limb(canvas, place, size, shoulder, elbow, thick, thin + 0.01, sleeve)
        _hand(canvas, person.skin, pose.fist, hand, (hand - elbow), side, place, size)


def _hand(
    canvas: Canvas, skin: Colour, fist: float, hand: complex, along: complex, side: int, place: complex, size: float
) -> None:
    unit = along / (abs(along) or 1.0)
    palm = hand + unit * 0.07
    edge = shade(skin, 0.74)
    _limb(canvas, place, size, palm, palm + unit * 0.02, 0.155, 0.155, edge)
    if fist < 0.45:
        reach = 0.24 * (1 - fist)
        for spread in (-0.55, -0.18, 0.18, 0.55):
            finger = unit * complex(math.cos(spread), math.sin(spread))
            _limb(canvas, place, size, palm + finger * 0.08, palm + finger * (0.08 + reach), 0.05, 0.04, skin)
        thumb = unit * complex(math.cos(1.2), -side * math.sin(1.2))
        _limb(canvas, place, size, palm, palm + thumb * (0.08 + 0.6 * reach), 0.05, 0.04, skin)
    _limb(canvas, place, size, palm, palm + unit * 0.02, 0.13, 0.13, skin)
    if fist >= 0.75:
        for k in (-0.05, 0.05):
            a, c = palm + unit * (0.02 + 1j * k), palm + unit * (0.11 + 1j * k)
            canvas.stroke(np.array([a, c]) * size + place, 0.02 * size, edge)


def _limb(
    canvas: Canvas, place: complex, size: float, a: complex, b: complex, ra: float, rb: float, colour: Colour
) -> None:
    canvas.limb(a * size + place, b * size + place, ra * size, rb * size, colour)


def _pick(palette: tuple[Colour, ...], rng: np.random.Generator, *, spread: float) -> Colour:
    colour = np.array(palette[int(rng.integers(len(palette)))]) + rng.uniform(-spread, spread, 3)
    r, g, b = np.clip(colour, 0, 255).tolist()
    return (r, g, b)


def _unit(x: float) -> float:
    return min(max(x, 0.0), 1.0)
