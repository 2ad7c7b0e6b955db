"""The camera: which part of the world a shot shows, and how it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

FRAMINGS = ("close", "medium", "wide")
_VIEW_HEIGHTS = {"close": (2.1, 2.8), "medium": (3.0, 3.9), "wide": (4.7, 5.4)}
_ROOM = 0.85  # beside the outermost persons, in head heights
_HEADROOM = 0.75  # above the middle of the highest head


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What the picture shows: its centre in the world, and its height in world units."""

    centre: complex
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """A stretch of film without a cut: the camera glides from one view to the other."""

    start_s: float
    end_s: float
    framing: str
    first: View
    last: View
    shake: float
    softness: float  # blur of the background, in world units

    def view(self, t: float) -> View:
        """The view at time `t`."""
        u = min(max((t - self.start_s) / (self.end_s - self.start_s), 0.0), 1.0)
        u = u * u * (3 - 2 * u)
        tremble = self.shake * complex(math.sin(7.3 * t) + math.sin(11.9 * t + 1), math.sin(8.7 * t + 2))
        return View(
            centre=self.first.centre + (self.last.centre - self.first.centre) * u + tremble,
            height=self.first.height + (self.last.height - self.first.height) * u,
        )


def draw_shot(heads: list[complex], *, aspect: float, start_s: float, end_s: float, rng: np.random.Generator) -> Shot:
    """A shot of the persons whose heads are at `heads`; all are in the picture, none has the better place."""
    framing = str(rng.choice(FRAMINGS, p=(0.45, 0.4, 0.15) if len(heads) == 1 else (0.0, 0.8, 0.2)))
    xs = [z.real for z in heads]
    low, high = _VIEW_HEIGHTS[framing]
    height = max(float(rng.uniform(low, high)), (max(xs) - min(xs) + 2 * _ROOM) / aspect)
    slack = max(0.0, height * aspect - (max(xs) - min(xs) + 2 * _ROOM)) / 2
    x = (max(xs) + min(xs)) / 2 + float(rng.uniform(-0.5, 0.5)) * slack
    y = sum(z.imag for z in heads) / len(heads) + height * (0.15 if framing == "close" else 0.24)
    if framing == "wide":
        y = 0.4 - height / 2
    y = min(y + float(rng.uniform(-0.1, 0.1)), min(z.imag for z in heads) - _HEADROOM + height / 2)
    first = View(centre=complex(x, y), height=height)
    last = first
    move = rng.random()
    if move < 0.3:
        last = View(centre=first.centre, height=height * float(rng.uniform(0.88, 1.12)))
    elif move < 0.6:
        last = View(centre=first.centre + complex(rng.uniform(-0.35, 0.35), rng.uniform(-0.1, 0.1)), height=height)
    return Shot(
        start_s=start_s,
        end_s=end_s,
        framing=framing,
        first=first,
        last=last,
        shake=float(rng.uniform(0.002, 0.006)) * height if rng.random() < 0.35 else 0.0,
        softness={"close": 0.10, "medium": 0.05, "wide": 0.0}[framing],
    )
