"""Pictures for fakes: a drawn scene, or the head cut out of one, at the size and in the format of the release."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from mien.theatre.drawn import draw_picture


def draw_face(*, seed: int, side: int = 48) -> UInt8[np.ndarray, "side side 3"]:
    """The upper part of a person of a drawn picture (RGB), as a square of `side` pixels."""
    image, seen = draw_picture(seed=seed, width=128, height=128)
    x0, y0, x1, _ = map(int, seen[0].box)
    width = max(16, x1 - x0)
    face = image[y0 : y0 + width, x0 : x0 + width]
    return cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


def write_face(path: Path, *, seed: int, side: int = 48) -> None:
    """A head as a file; the suffix says in which format."""
    _write(path, draw_face(seed=seed, side=side))


def write_scene(path: Path, *, seed: int) -> None:
    """A whole scene as a file; the suffix says in which format."""
    _write(path, draw_picture(seed=seed, width=96, height=72)[0])


def encode(image: UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w"], *, suffix: str) -> bytes:
    """A picture (RGB, or grey) as a file's bytes."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(suffix.lower(), stored)
    return content.tobytes()


def _write(path: Path, image: UInt8[np.ndarray, "h w 3"]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(image, suffix=path.suffix))
