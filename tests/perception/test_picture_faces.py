"""The faces of one picture. What is looked at is drawn on, but its faces are photographs: docs/images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien import find_faces
from mien.perception.detector import build_detector
from mien.perception.face_crop import cut_face
from mien.types import MienError

GROUP = Path(__file__).parents[2] / "docs" / "images" / "faces_multi_face.jpg"


def test_faces_come_from_left_to_right_each_with_the_square_models_are_fed() -> None:
    faces = find_faces(GROUP)
    assert len(faces) == 5
    assert [face.xyxy[0] for face in faces] == sorted(face.xyxy[0] for face in faces)
    for face in faces:
        side = max(face.xyxy[2:] - face.xyxy[:2])
        assert face.picture.shape == (face.picture.shape[0],) * 2 + (3,)
        assert face.picture.shape[0] == pytest.approx(1.1 * side, abs=1)
        assert face.score >= 0.5


def test_the_square_shrunk_is_what_is_cut_in_the_models_size() -> None:
    from mien.media.pictures import read_picture
    from mien.media.transforms import centre_crop, crop_frame

    face, rgb = find_faces(GROUP)[0], read_picture(GROUP)
    side = face.picture.shape[0]
    shrunk = crop_frame(face.picture, centre_crop(height=side, width=side), size=48)
    assert np.array_equal(shrunk, cut_face(rgb, face.xyxy, size=48))


def test_fewer_faces_are_sure_and_nobody_gives_none() -> None:
    assert len(find_faces(GROUP, min_score=0.99)) < 5
    assert find_faces(np.full((64, 64, 3), 128, np.uint8)) == []


def test_a_detector_of_persons_is_refused() -> None:
    with pytest.raises(MienError, match="finds persons, not faces"):
        find_faces(GROUP, detector=build_detector("centernet"))
