"""The scenery: places in which scenes are played, drawn behind and in front of the people.

The floor on which people stand is at y = 0 and the camera looks a little down: the floor meets the wall at
`HORIZON`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mien.theatre.canvas import Canvas, Colour, mix, shade, smooth

HORIZON = -0.75
_LEFT, _RIGHT = -14.0, 14.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A place: how it is drawn, which emotions it suits, and the colour of its light."""

    name: str
    draw: Callable[[Canvas, np.random.Generator], None]
    suits: tuple[str, ...]
    light: Colour = (255, 255, 255)
    front: tuple[str, ...] = ()


def _backdrop(canvas: Canvas, wall: Colour, floor: Colour) -> None:
    canvas.box(_LEFT, -14, _RIGHT, HORIZON, wall)
    canvas.box(_LEFT, HORIZON, _RIGHT, 8, floor)
    canvas.box(_LEFT, HORIZON, _RIGHT, HORIZON + 0.35, mix(floor, shade(floor, 0.85), 0.6))


def _room(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = _one(rng, (222, 208, 184), (186, 204, 204), (206, 190, 206), (200, 210, 184), (220, 190, 170))
    _backdrop(canvas, wall, _one(rng, (150, 112, 82), (128, 104, 92), (170, 140, 104)))
    canvas.box(_LEFT, HORIZON - 0.18, _RIGHT, HORIZON, shade(wall, 1.5))
    for x in _spots(rng, 3.2):
        kind = rng.integers(4)
        if kind == 0:
            _window(canvas, x, -4.6, (176, 212, 236), shade(wall, 1.5))
        elif kind == 1:
            _picture(canvas, x, -4.2, rng)
        elif kind == 2:
            _shelf(canvas, x, rng)
        else:
            _plant(canvas, x, rng)


def _night_room(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = _one(rng, (96, 84, 104), (76, 88, 110), (104, 88, 80))
    _backdrop(canvas, wall, (72, 58, 56))
    for x in _spots(rng, 3.4):
        if rng.random() < 0.5:
            _window(canvas, x, -4.6, (28, 34, 64), shade(wall, 0.7))
        else:
            _lamp(canvas, x, wall)


def _kitchen(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = _one(rng, (232, 228, 214), (206, 222, 214), (230, 214, 188))
    _backdrop(canvas, wall, (176, 170, 164))
    unit = _one(rng, (120, 150, 160), (188, 142, 104), (230, 230, 226), (124, 140, 110))
    for k in np.arange(_LEFT, _RIGHT, 0.9):
        canvas.box(k, -5.9, k + 0.84, -4.5, shade(unit, 0.95))
        canvas.box(k, -2.3, k + 0.84, HORIZON + 0.1, unit)
        canvas.ellipse(complex(k + 0.7, -2.0), 0.05, 0.05, shade(unit, 0.6))
    canvas.box(_LEFT, -2.45, _RIGHT, -2.25, (92, 84, 80))
    for x in _spots(rng, 2.2):
        canvas.box(x, -2.95, x + 0.4, -2.45, _one(rng, (196, 72, 60), (70, 70, 80), (230, 190, 90)))


def _street(canvas: Canvas, rng: np.random.Generator) -> None:
    _town(canvas, rng, sky=(178, 208, 230), bright=1.0, windows=(110, 138, 160), lit=0.0)


def _night_street(canvas: Canvas, rng: np.random.Generator) -> None:
    _town(canvas, rng, sky=(26, 30, 58), bright=0.42, windows=(40, 44, 66), lit=0.35)


def _town(canvas: Canvas, rng: np.random.Generator, *, sky: Colour, bright: float, windows: Colour, lit: float) -> None:
    _backdrop(canvas, sky, shade((150, 148, 146), bright))
    x = _LEFT
    while x < _RIGHT:
        width, top = rng.uniform(1.8, 3.4), rng.uniform(-9, -5)
        house = shade(_one(rng, (196, 130, 104), (214, 190, 150), (160, 160, 168), (180, 150, 140)), bright)
        canvas.box(x, top, x + width, HORIZON - 0.3, house)
        for wx in np.arange(x + 0.3, x + width - 0.5, 0.8):
            for wy in np.arange(top + 0.4, HORIZON - 1.6, 1.2):
                canvas.box(wx, wy, wx + 0.45, wy + 0.7, (250, 214, 130) if rng.random() < lit else windows)
        x += width + 0.05
    canvas.box(_LEFT, HORIZON - 0.3, _RIGHT, HORIZON, shade((120, 118, 118), bright))
    for x in _spots(rng, 5.0):
        canvas.limb(complex(x, HORIZON), complex(x, -6.2), 0.07, 0.05, shade((70, 74, 78), bright))
        canvas.ellipse(complex(x, -6.3), 0.28, 0.2, (255, 238, 180) if lit else (236, 236, 230))


def _park(canvas: Canvas, rng: np.random.Generator) -> None:
    _backdrop(canvas, _one(rng, (170, 212, 238), (196, 216, 226), (236, 206, 176)), (124, 168, 88))
    hills = [complex(x, -1.6 - 0.8 * rng.random()) for x in np.linspace(_LEFT, _RIGHT, 9)]
    canvas.polygon(np.array([*hills, complex(_RIGHT, HORIZON), complex(_LEFT, HORIZON)]), (104, 150, 92))
    for x in _spots(rng, 2.6):
        leaves = _one(rng, (76, 128, 64), (96, 146, 74), (160, 150, 64), (190, 120, 60))
        height = rng.uniform(3.4, 5.4)
        canvas.limb(complex(x, HORIZON), complex(x, -height), 0.2, 0.12, (104, 76, 56))
        for dz in (0, -0.7 + 0.4j, 0.7 + 0.4j, 0.1 - 0.6j):
            canvas.ellipse(complex(x, -height) + dz, 0.85, 0.75, shade(leaves, rng.uniform(0.88, 1.1)))


def _beach(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = _one(rng, (160, 212, 240), (240, 190, 150), (186, 200, 212))
    _backdrop(canvas, sky, (228, 206, 156))
    canvas.box(_LEFT, -2.6, _RIGHT, HORIZON, mix((60, 130, 170), sky, 0.2))
    canvas.ellipse(complex(rng.uniform(-5, 5), -5.8), 0.6, 0.6, (255, 236, 160))
    for x in _spots(rng, 3.0):
        y = rng.uniform(-7, -5)
        for dx in (-0.5, 0, 0.5):
            canvas.ellipse(complex(x + dx, y), 0.6, 0.3, mix(sky, (255, 255, 255), 0.6))


def _office(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = _one(rng, (214, 218, 222), (204, 212, 206), (222, 216, 206))
    _backdrop(canvas, wall, (120, 124, 134))
    for x in _spots(rng, 3.0):
        if rng.random() < 0.5:
            _window(canvas, x, -4.6, (196, 220, 236), (150, 156, 164))
        else:
            canvas.box(x - 0.8, -2.2, x + 0.8, -2.0, (168, 132, 98))
            canvas.box(x - 0.7, -2.0, x - 0.6, HORIZON, (90, 90, 96))
            canvas.box(x + 0.6, -2.0, x + 0.7, HORIZON, (90, 90, 96))
            canvas.box(x - 0.4, -3.0, x + 0.4, -2.35, (44, 48, 56))
            canvas.box(x - 0.34, -2.94, x + 0.34, -2.41, _one(rng, (120, 170, 210), (90, 110, 140)))


def _hospital(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = _one(rng, (206, 226, 220), (212, 222, 232))
    _backdrop(canvas, wall, (196, 200, 198))
    canvas.box(_LEFT, -2.2, _RIGHT, -1.9, (120, 176, 170))
    for x in _spots(rng, 3.4):
        if rng.random() < 0.5:
            canvas.box(x - 0.7, -5.0, x + 0.7, HORIZON, (178, 196, 196))
            canvas.box(x - 0.3, -4.5, x + 0.3, -3.6, (150, 180, 200))
        else:
            canvas.box(x - 0.5, -5.0, x + 0.5, -4.0, (250, 250, 250))
            canvas.box(x - 0.1, -4.8, x + 0.1, -4.2, (206, 60, 60))
            canvas.box(x - 0.3, -4.6, x + 0.3, -4.4, (206, 60, 60))


def _window(canvas: Canvas, x: float, y: float, glass: Colour, frame: Colour) -> None:
    canvas.box(x - 0.9, y - 1.1, x + 0.9, y + 1.1, frame)
    for dx in (-0.82, 0.04):
        for dy in (-1.02, 0.04):
            canvas.box(x + dx, y + dy, x + dx + 0.78, y + dy + 0.98, glass)


def _picture(canvas: Canvas, x: float, y: float, rng: np.random.Generator) -> None:
    half = rng.uniform(0.4, 0.8)
    canvas.box(x - half, y - 0.6, x + half, y + 0.6, (92, 66, 48))
    inside = _one(rng, (180, 96, 80), (90, 130, 150), (220, 200, 140), (110, 140, 100))
    canvas.box(x - half + 0.1, y - 0.5, x + half - 0.1, y + 0.5, inside)
    canvas.ellipse(complex(x, y + 0.1), half * 0.5, 0.25, shade(inside, 0.7))


def _shelf(canvas: Canvas, x: float, rng: np.random.Generator) -> None:
    canvas.box(x - 0.9, -4.8, x + 0.9, HORIZON, (122, 88, 62))
    for y in (-4.7, -3.7, -2.7, -1.7):
        canvas.box(x - 0.8, y, x + 0.8, y + 0.9, (84, 60, 46))
        for dx in np.arange(-0.76, 0.7, 0.2):
            book = _one(rng, (178, 74, 66), (70, 110, 140), (208, 176, 96), (104, 130, 92), (220, 214, 200))
            canvas.box(x + dx, y + rng.uniform(0.1, 0.35), x + dx + 0.17, y + 0.9, book)


def _plant(canvas: Canvas, x: float, rng: np.random.Generator) -> None:
    for angle in np.linspace(-2.6, -0.5, 7):
        tip = complex(x, -1.6) + rng.uniform(1.0, 1.6) * np.exp(1j * angle)
        canvas.limb(complex(x, -1.5), tip, 0.06, 0.16, shade((84, 134, 78), rng.uniform(0.85, 1.1)))
    canvas.box(x - 0.35, -1.5, x + 0.35, HORIZON, (176, 108, 76))


def _lamp(canvas: Canvas, x: float, wall: Colour) -> None:
    canvas.ellipse(complex(x, -3.6), 1.9, 1.7, mix(wall, (250, 210, 140), 0.3))
    canvas.ellipse(complex(x, -3.6), 1.2, 1.1, mix(wall, (250, 210, 140), 0.5))
    canvas.limb(complex(x, -3.2), complex(x, HORIZON), 0.05, 0.05, (50, 44, 44))
    canvas.convex(np.array([x - 0.3 - 4.1j, x + 0.3 - 4.1j, x + 0.55 - 3.2j, x - 0.55 - 3.2j]), (250, 222, 160))


SETTINGS: tuple[Setting, ...] = (
    Setting(name="room", draw=_room, suits=("neutral", "joy"), front=("sofa", "plant", "table")),
    Setting(
        name="night room", draw=_night_room, suits=("sadness", "fear"), light=(248, 236, 228), front=("sofa", "table")
    ),
    Setting(name="kitchen", draw=_kitchen, suits=("disgust", "neutral"), front=("table", "plant")),
    Setting(name="street", draw=_street, suits=("anger", "surprise"), front=("post", "hedge")),
    Setting(name="night street", draw=_night_street, suits=("fear", "anger"), light=(222, 226, 250), front=("post",)),
    Setting(name="park", draw=_park, suits=("joy", "surprise"), front=("hedge", "post")),
    Setting(name="beach", draw=_beach, suits=("joy", "surprise"), light=(255, 250, 240)),
    Setting(name="office", draw=_office, suits=("anger", "neutral"), front=("table", "plant")),
    Setting(name="hospital", draw=_hospital, suits=("sadness", "disgust"), light=(246, 252, 252), front=("table",)),
)  # fmt: skip


def draw_front(canvas: Canvas, kind: str, x: float, y: float) -> None:
    """A piece of furniture between camera and people, its top at `y`, around `x`."""
    if kind == "table":
        canvas.box(x - 1.3, y, x + 1.3, y + 0.18, (150, 104, 70))
        canvas.box(x - 1.2, y + 0.18, x - 1.0, y + 3, (118, 80, 54))
        canvas.box(x + 1.0, y + 0.18, x + 1.2, y + 3, (118, 80, 54))
        canvas.box(x - 0.2, y - 0.3, x + 0.05, y, (224, 220, 210))
    elif kind == "sofa":
        canvas.polygon(
            smooth([x - 1.6 + 1j * y, x + 1.6 + 1j * y, x + 1.9 + 1j * (y + 3), x - 1.9 + 1j * (y + 3)]), (120, 76, 80)
        )
    elif kind == "hedge":
        for dx in (-1.2, -0.6, 0.0, 0.6, 1.2):
            canvas.ellipse(complex(x + dx, y + 0.5), 0.6, 0.55, (72, 116, 66))
        canvas.box(x - 1.6, y + 0.5, x + 1.6, y + 4, (72, 116, 66))
    elif kind == "plant":
        for angle in (-2.6, -2.1, -1.57, -1.0, -0.5):
            tip = complex(x, y + 1.0) + 1.1 * complex(np.cos(angle), np.sin(angle))
            canvas.limb(complex(x, y + 1.2), tip, 0.07, 0.2, (66, 120, 72))
        canvas.box(x - 0.3, y + 1.2, x + 0.3, y + 4, (160, 96, 70))
    else:
        canvas.box(x - 0.13, y - 8, x + 0.13, y + 6, (84, 88, 92))


def _spots(rng: np.random.Generator, distance: float) -> list[float]:
    """Places along the wall, about `distance` apart."""
    start = _LEFT + rng.uniform(0, distance)
    return [float(x + rng.uniform(-0.3, 0.3) * distance) for x in np.arange(start, _RIGHT, distance)]


def _one(rng: np.random.Generator, *colours: Colour) -> Colour:
    return colours[int(rng.integers(len(colours)))]
