"""Detectors: what finds persons in pictures, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from mien.types import Detections, MienError


@runtime_checkable
class Detector(Protocol):
    """Finds persons. `id` names the exact weights and is stored with what they found."""

    id: str
    threshold: float
    """Scores from here on are persons, by default."""

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """Persons in each frame, highest score first, in pixels of these frames; low scores included."""
        ...


def _centernet(threads: int) -> Detector:
    from mien.perception.centernet import CenterNet  # onnxruntime takes a while to import

    return CenterNet(threads=threads)


DETECTORS: dict[str, Callable[[int], Detector]] = {"centernet": _centernet}
"""By name, what builds the detector, given its number of threads (0: as many as there are cores)."""


def build_detector(name: str, *, threads: int = 0) -> Detector:
    """The detector called `name`; its weights are read at its first use."""
    if name not in DETECTORS:
        raise MienError(f"no detector {name!r}; there is {', '.join(sorted(DETECTORS))}")
    return DETECTORS[name](threads)
