"""The faces of one picture: where each is, and the picture of it that face models are fed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from mien.media.pictures import Picture, read_picture
from mien.perception.detector import Detector, build_detector
from mien.perception.face_crop import cut_face, face_square
from mien.types import MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class Face:
    """One face, its box `xyxy` in pixels of the picture it was found in.

    `picture` is the square around it (mien.perception.face_crop) in the picture's own resolution, and stands wherever a
    picture may: `model.embed(find_faces("group.jpg"))`.
    """

    xyxy: Float32[np.ndarray, "4"]
    score: float
    picture: UInt8[np.ndarray, "s s 3"]

    @property
    def area(self) -> float:
        """Of the box, in pixels."""
        x0, y0, x1, y1 = map(float, self.xyxy)
        return (x1 - x0) * (y1 - y0)


def find_faces(picture: Picture, *, detector: Detector | None = None, min_score: float | None = None) -> list[Face]:
    """The faces of a picture from left to right; none is an empty list.

    min_score: faces the detector is less sure of are left out; its own threshold by default. detector: CenterFace by
    default, which comes with mien; give one (`mien.perception.detector.build_detector`) to keep it between calls.
    Raises MienError where the picture cannot be read.
    """
    rgb = read_picture(picture)
    finder = detector or build_detector("centerface")
    if finder.finds != "faces":
        raise MienError(f"{finder.id} finds {finder.finds}, not faces; take centerface")
    (found,) = finder.detect(rgb[None])
    least = finder.threshold if min_score is None else min_score
    faces = [
        Face(xyxy=xyxy, score=float(score), picture=_square(rgb, xyxy))
        for xyxy, score in zip(found.xyxy, found.score, strict=True)
        if score >= least
    ]
    return sorted(faces, key=lambda face: float(face.xyxy[0]))


def _square(rgb: UInt8[np.ndarray, "h w 3"], xyxy: Float32[np.ndarray, "4"]) -> UInt8[np.ndarray, "s s 3"]:
    x0, _, x1, _ = face_square(xyxy)
    return cut_face(rgb, xyxy, size=max(1, round(float(x1 - x0))))
