"""Detectors: what finds persons or faces in pictures, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from mien.types import Detections, MienError


@runtime_checkable
class Detector(Protocol):
    """Finds persons or faces. `id` names the exact weights and is stored with what they found."""

    id: str
    threshold: float
    """Scores from here on count, by default."""

    @property
    def finds(self) -> Literal["persons", "faces"]: ...

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """What is in each frame, highest score first, in pixels of these frames; low scores included.

        Boxes lie inside the frame and have an area. Faces come with landmarks, which may lie outside.
        """
        ...


def _centernet(threads: int) -> Detector:
    from mien.perception.centernet import CenterNet

    return CenterNet(threads=threads)


def _centerface(threads: int) -> Detector:
    from mien.perception.centerface import CenterFace

    return CenterFace(threads=threads)


def _onnx(where: str, threads: int) -> Detector:
    from mien.perception.onnx_detector import OnnxDetector

    return OnnxDetector(Path(where).expanduser(), threads=threads)


def _hf(where: str, threads: int) -> Detector:
    from mien.perception.hf_detector import HfDetector

    return HfDetector(where, threads=threads)


DETECTORS: dict[str, Callable[[int], Detector]] = {"centernet": _centernet, "centerface": _centerface}
"""By name, what builds the embedded detector, given its number of threads (0: as many as there are cores)."""

FOREIGN: dict[str, tuple[str, Callable[[str, int], Detector]]] = {"onnx": ("PATH", _onnx), "hf": ("ID[@REVISION]", _hf)}
"""By prefix, what follows it, and what builds the detector, given that and its number of threads."""


def build_detector(name: str, *, threads: int = 0) -> Detector:
    """The detector called `name`: an embedded one, `onnx:PATH`, or `hf:ID[@REVISION]`.

    The weights of embedded ones are read at their first use; files of others are looked at now.
    """
    prefix, _, where = name.partition(":")
    if prefix in FOREIGN and where:
        return FOREIGN[prefix][1](where, threads)
    if name not in DETECTORS:
        known = [*sorted(DETECTORS), *(f"{prefix}:{what}" for prefix, (what, _) in FOREIGN.items())]
        raise MienError(f"no detector {name!r}; there is {', '.join(known)}")
    return DETECTORS[name](threads)
