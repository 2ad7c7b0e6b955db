"""A pose: body and face of a person at one moment, from the emotion shown to the numbers that are drawn.

Lengths are in head heights. Hands and elbows are seen from the neck: x outward on the arm's own side of the
picture, y down. Angles are in radians. Every number blends linearly, so moving from one emotion to another
is a weighted sum.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field, fields, replace

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """Numbers that say how a person stands and looks; the defaults are a person at rest."""

    # body
    lean: float = 0.0  # of the trunk, to the right of the picture
    slump: float = 0.0
    crouch: float = 0.0
    shrug: float = 0.0
    narrow: float = 0.0  # shoulders drawn together
    loom: float = 0.0  # head nearer to the camera (forward) or farther
    step: float = 0.0
    head_tilt: float = 0.0
    head_turn: float = 0.0
    head_nod: float = 0.0  # positive: looking down
    left_elbow_x: float = 0.68
    left_elbow_y: float = 0.75
    left_hand_x: float = 0.70
    left_hand_y: float = 1.38
    right_elbow_x: float = 0.68
    right_elbow_y: float = 0.75
    right_hand_x: float = 0.70
    right_hand_y: float = 1.38
    fist: float = 0.4
    # rhythm: amplitudes, and how fast
    bounce: float = 0.0
    sway: float = 0.02
    tremor: float = 0.0
    pump: float = 0.0  # hands up and down
    clap: float = 0.0  # hands together and apart
    shake: float = 0.0  # of the head, sideways
    tempo: float = 1.0
    # face
    brow_inner: float = 0.0
    brow_outer: float = 0.0
    squeeze: float = 0.0
    eye_open: float = 1.0
    lower_lid: float = 0.0
    pupil: float = 1.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    corner: float = 0.05
    mouth_open: float = 0.0
    mouth_width: float = 1.0
    teeth: float = 0.0
    sneer: float = 0.0
    tongue: float = 0.0
    wrinkle: float = 0.0
    # colour and water
    blush: float = 0.0
    flush: float = 0.0
    pale: float = 0.0
    green: float = 0.0
    tears: float = 0.0
    sweat: float = 0.0


NAMES = tuple(f.name for f in fields(Pose))
REST = np.array(astuple(Pose()))
_INDEX = {name: i for i, name in enumerate(NAMES)}
_FACE_FROM = _INDEX["brow_inner"]
_MIRRORED = [_INDEX[name] for name in ("lean", "head_tilt", "head_turn", "gaze_x")]
_LEFT = slice(_INDEX["left_elbow_x"], _INDEX["left_hand_y"] + 1)
_RIGHT = slice(_INDEX["right_elbow_x"], _INDEX["right_hand_y"] + 1)

Arm = tuple[float, float, float, float]  # elbow x, y, hand x, y
_HANGING: Arm = (0.68, 0.75, 0.70, 1.38)
_ON_HIP: Arm = (1.02, 0.72, 0.52, 1.15)


def _act(left: Arm = _HANGING, right: Arm | None = None, **numbers: float) -> np.ndarray:
    """A template as a difference from rest; the right arm does what the left does unless it is given."""
    vector = REST.copy()
    vector[_LEFT] = left
    vector[_RIGHT] = left if right is None else right
    for name, value in numbers.items():
        vector[_INDEX[name]] = value
    return vector - REST


_JOY = dict(
    brow_inner=0.4, brow_outer=0.35, eye_open=0.8, lower_lid=0.6, corner=1.0, mouth_open=0.55, mouth_width=1.3,
    teeth=1.0, blush=0.8, head_nod=-0.35, fist=0.1, tempo=2.0,
)  # fmt: skip
_ANGER = dict(
    brow_inner=-1.0, brow_outer=0.4, squeeze=1.0, eye_open=0.8, lower_lid=0.3, corner=-0.75, mouth_open=0.28,
    mouth_width=1.1, teeth=1.0, wrinkle=0.3, flush=1.0, head_nod=0.35, loom=0.10, fist=1.0, shrug=0.3, step=0.2,
    tempo=1.7,
)  # fmt: skip
_SADNESS = dict(
    brow_inner=0.9, brow_outer=-0.55, squeeze=0.4, eye_open=0.55, gaze_y=0.7, corner=-1.0, mouth_width=0.8, tears=1.0,
    slump=1.0, head_nod=0.8, crouch=0.15, fist=0.3, sway=0.05, tempo=0.5,
)  # fmt: skip
_FEAR = dict(
    brow_inner=1.0, brow_outer=0.15, squeeze=0.5, eye_open=1.5, pupil=0.55, corner=-0.5, mouth_open=0.3,
    mouth_width=1.05, teeth=0.6, pale=1.0, sweat=1.0, narrow=0.7, shrug=0.9, crouch=0.45, tremor=1.0, loom=-0.06,
    fist=0.2, tempo=1.5,
)  # fmt: skip
_DISGUST = dict(
    brow_inner=-0.5, brow_outer=-0.1, squeeze=0.6, eye_open=0.5, lower_lid=0.7, corner=-0.65, mouth_open=0.18,
    sneer=1.0, wrinkle=1.0, green=1.0, head_turn=-0.8, gaze_x=0.5, lean=-0.2, loom=-0.05, fist=0.1, tempo=0.8,
)  # fmt: skip
_SURPRISE = dict(
    brow_inner=1.2, brow_outer=1.2, eye_open=1.65, pupil=0.8, corner=0.0, mouth_open=1.0, mouth_width=0.6,
    head_nod=-0.25, fist=0.0, crouch=-0.1, sway=0.03, tempo=1.0,
)  # fmt: skip

ACTS: dict[str, tuple[np.ndarray, ...]] = {
    "joy": (
        _act((0.98, -0.15, 1.02, -0.90), **_JOY, bounce=0.22),
        _act((0.74, 0.65, 0.12, 0.38), **_JOY, bounce=0.10, clap=0.16),
        _act((0.98, 0.42, 1.45, 0.05), **_JOY, bounce=0.12, sway=0.10),
        _act((0.98, -0.15, 0.95, -0.90), _ON_HIP, **_JOY, bounce=0.16, head_tilt=0.15, pump=0.1),
    ),
    "anger": (
        _act((0.95, 0.62, 0.86, 1.15), **_ANGER, lean=0.14, tremor=0.3),
        _act((0.98, 0.34, 0.86, -0.45), _ON_HIP, **_ANGER, lean=0.12, pump=0.14),
        _act(_ON_HIP, **_ANGER, shake=0.5, lean=-0.06),
        _act((0.82, 0.42, 1.38, 0.22), (0.95, 0.62, 0.86, 1.15), **_ANGER, lean=-0.14, pump=0.08),
    ),
    "sadness": (
        _act((0.56, 0.78, 0.52, 1.42), **_SADNESS, head_tilt=0.15),
        _act((0.62, 0.62, 0.16, -0.36), (0.56, 0.78, 0.52, 1.42), **_SADNESS, head_tilt=-0.15),
        _act((0.66, 0.68, -0.28, 0.52), **_SADNESS, head_tilt=0.1),
        _act((0.60, 0.55, 0.22, -0.38), **_SADNESS, shake=0.15),
    ),
    "fear": (
        _act((0.64, 0.62, 0.56, -0.08), **_FEAR, lean=-0.14, head_turn=0.3, gaze_x=0.3),
        _act((0.46, 0.58, 0.14, -0.08), **_FEAR, gaze_x=-0.6),
        _act((0.80, 0.25, 0.78, -0.45), (0.60, 0.66, -0.1, 0.15), **_FEAR, lean=0.18, head_turn=-0.4, gaze_x=-0.5),
        _act((0.62, 0.70, -0.26, 0.42), **_FEAR, lean=-0.10, head_turn=0.5, gaze_x=0.7),
    ),
    "disgust": (
        _act((0.56, 0.7, 0.4, 1.15), (0.86, 0.45, 1.25, 0.0), **_DISGUST, pump=0.05),
        _act((0.52, 0.50, 0.04, -0.34), (0.62, 0.75, 0.62, 1.3), **_DISGUST),
        _act((0.86, 0.5, 1.02, 0.95), **_DISGUST, tongue=1.0, shake=0.3),
        _act((0.84, 0.42, 1.12, -0.05), (0.84, 0.48, 1.18, 0.12), **_DISGUST, tongue=0.6, shake=0.2),
    ),
    "surprise": (
        _act((0.95, 0.42, 1.35, -0.08), **_SURPRISE),
        _act((0.72, 0.42, 0.46, -0.38), **_SURPRISE),
        _act((0.55, 0.48, 0.10, -0.12), (0.92, 0.45, 1.2, 0.05), **_SURPRISE, lean=-0.08),
        _act((0.98, -0.05, 0.45, -0.78), _HANGING, **_SURPRISE, lean=0.06),
    ),
    "neutral": (
        _act(),
        _act((0.68, 0.72, 0.08, 0.98), fist=0.5),
        _act((0.70, 0.72, -0.20, 0.62), fist=0.5),
        _act(_HANGING, _ON_HIP, head_tilt=0.05),
    ),
}
"""Each emotion's ways to stand and look, as differences from rest."""

NUM_WAYS = 4


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How one person differs from another in showing the same: gains, habits, rhythm."""

    face_gain: float = 1.0
    body_gain: float = 1.0
    colour_gain: float = 1.0
    tempo: float = 1.0
    phase: float = 0.0
    habit: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))

    @staticmethod
    def draw(rng: np.random.Generator) -> Manner:
        spread = np.full(len(NAMES), 0.06)
        spread[_INDEX["lean"]] = spread[_INDEX["crouch"]] = spread[_INDEX["loom"]] = 0.03
        spread[_INDEX["bounce"] : _INDEX["tempo"] + 1] = 0.0
        spread[_INDEX["teeth"] : _INDEX["wrinkle"] + 1] = 0.0
        spread[_INDEX["mouth_open"]] = 0.0
        spread[_INDEX["blush"] :] = 0.0
        return Manner(
            face_gain=float(rng.uniform(0.75, 1.15)),
            body_gain=float(rng.uniform(0.75, 1.15)),
            colour_gain=float(rng.uniform(0.0, 0.9)),
            tempo=float(rng.uniform(0.8, 1.25)),
            phase=float(rng.uniform(0, 2 * math.pi)),
            habit=rng.normal(0.0, 1.0, len(NAMES)) * spread,
        )


def show(emotion: str, *, way: int, mirror: bool, intensity: float, manner: Manner) -> np.ndarray:
    """The pose vector of somebody who shows `emotion` in one of its ways, `intensity` in [0, 1]."""
    change = ACTS[emotion][way].copy()
    if mirror:
        change[_MIRRORED] *= -1
        change[_LEFT], change[_RIGHT] = change[_RIGHT].copy(), change[_LEFT].copy()
    gain = np.full(len(NAMES), intensity * manner.body_gain)
    gain[_FACE_FROM:] = intensity * manner.face_gain
    gain[_INDEX["blush"] : _INDEX["tears"]] *= manner.colour_gain
    # Arms that stop halfway between hanging and their place look like nothing: they go (nearly) all the way.
    gain[_LEFT] = gain[_RIGHT] = 0.55 + 0.45 * min(1.0, intensity * manner.body_gain)
    return REST + change * np.minimum(gain, 1.15) + manner.habit


def animate(vector: np.ndarray, *, t: float, since_s: float, speech: float, manner: Manner) -> Pose:
    """The pose at time `t`: rhythm, breath, blinking, and speech (0 silent, else how wide the mouth opens).

    `since_s` is how long the emotion has been shown; onsets overshoot a little.
    """
    pose = Pose(**dict(zip(NAMES, vector.tolist(), strict=True)))
    phase = 2 * math.pi * t * pose.tempo * manner.tempo + manner.phase
    beat, cross, breath = math.sin(phase), math.sin(0.5 * phase + 1.0), math.sin(1.9 * t + manner.phase)
    jitter = pose.tremor * 0.035
    shiver, quiver = jitter * math.sin(41.0 * t + manner.phase), jitter * math.cos(37.0 * t + manner.phase)
    gesture = 0.10 * speech
    lift = pose.pump * beat + gesture * math.sin(5.1 * t + manner.phase)
    part = pose.clap * (0.5 + 0.5 * beat)
    start = 0.2 * math.exp(-4.0 * since_s)
    blinking = ((t + manner.phase) % 3.1) < 0.13
    return replace(
        pose,
        lean=pose.lean + pose.sway * cross + shiver,
        crouch=pose.crouch - pose.bounce * abs(beat) - start * pose.mouth_open + 0.02 * breath,
        head_tilt=pose.head_tilt + 0.5 * pose.sway * beat + quiver + 0.03 * speech * math.sin(3.7 * t),
        head_turn=pose.head_turn + pose.shake * math.sin(1.3 * phase) + 0.06 * math.sin(0.9 * t + manner.phase),
        head_nod=pose.head_nod + 0.22 * speech * math.sin(6.3 * t + manner.phase),
        left_hand_x=pose.left_hand_x + part + quiver,
        right_hand_x=pose.right_hand_x + part - quiver,
        left_hand_y=pose.left_hand_y - lift + shiver,
        right_hand_y=pose.right_hand_y - lift * 0.7 - shiver + 0.4 * gesture * cross,
        eye_open=0.08 if blinking else pose.eye_open,
        mouth_open=max(pose.mouth_open * (1 - 0.45 * (speech > 0)), 0.0) + 0.6 * speech,
    )
