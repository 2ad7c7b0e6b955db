"""A pose: body and face of a person at one moment, from the emotion shown to the numbers that are drawn.

Lengths are in head heights. Hands and elbows are seen from the neck: x outward on the arm's own side of the
picture, y down. Angles are in radians. Every number blends linearly, so moving from one emotion to another
is a weighted sum.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mien.types import EMOTIONS


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
    grey: float = 0.0
    tears: float = 0.0
    sweat: float = 0.0


_ACTS = Path(__file__).parent / "acts.yaml"
NAMES = tuple(f.name for f in fields(Pose))
REST = np.array(astuple(Pose()))
_INDEX = {name: i for i, name in enumerate(NAMES)}
_FACE_FROM = _INDEX["brow_inner"]
_MIRRORED = [_INDEX[name] for name in ("lean", "head_tilt", "head_turn", "gaze_x")]
_LEFT = slice(_INDEX["left_elbow_x"], _INDEX["left_hand_y"] + 1)
_RIGHT = slice(_INDEX["right_elbow_x"], _INDEX["right_hand_y"] + 1)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How one person differs from another in showing the same: gains, habits, rhythm."""

    face_gain: float = 1.0
    body_gain: float = 1.0
    colour_gain: float = 1.0
    tempo: float = 1.0
    phase: float = 0.0
    habit: tuple[float, ...] = (0.0,) * len(NAMES)

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
            colour_gain=float(rng.uniform(0.3, 1.0)),
            tempo=float(rng.uniform(0.8, 1.25)),
            phase=float(rng.uniform(0, 2 * math.pi)),
            habit=tuple((rng.normal(0.0, 1.0, len(NAMES)) * spread).tolist()),
        )


def show(emotion: str, *, way: int, mirror: bool, intensity: float, manner: Manner) -> np.ndarray:
    """The pose vector of somebody who shows `emotion` in one of its ways, `intensity` in [0, 1]."""
    change = _acts()[emotion][way].copy()
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


def num_ways(emotion: str) -> int:
    """How many ways there are to show `emotion`."""
    return len(_acts()[emotion])


@cache
def _acts() -> dict[str, list[np.ndarray]]:
    """Each emotion's ways to stand and look, as differences from rest."""
    acts = yaml.safe_load(_ACTS.read_text(encoding="utf-8"))
    return {
        emotion: [_vector({**acts[emotion]["common"], **way}) - REST for way in acts[emotion]["ways"]]
        for emotion in EMOTIONS
    }


def _vector(numbers: dict[str, Any]) -> np.ndarray:
    vector = REST.copy()
    for name, value in numbers.items():
        if name in ("left", "arms"):
            vector[_LEFT] = value
        if name in ("right", "arms"):
            vector[_RIGHT] = value
        if name not in ("left", "right", "arms"):
            vector[_INDEX[name]] = value
    return vector
