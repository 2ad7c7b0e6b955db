"""Pictures of a user become what a store of them would give: the same square, the same people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import Float32

from mien.data.clips import ClipSettings
from mien.data.pictures import BATCH, PictureReader, is_video, named
from mien.media.transforms import Preprocess
from mien.perception.picture_faces import Face, find_faces
from mien.types import MienError

GROUP = Path(__file__).parents[2] / "docs" / "images" / "faces_multi_face.jpg"
RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def reader(*, shown="scenes", finds_people: bool = True, **settings) -> PictureReader:
    return PictureReader(
        preprocess=Preprocess(image_size=32),
        settings=ClipSettings(**{"num_frames": 2, **settings}),
        shown=shown,
        finds_people=finds_people,
    )


def test_sources_are_listed_and_named() -> None:
    assert [name for name, _ in named(["a.jpg", RGB, Path("b.png")])] == ["a.jpg", "#1", "b.png"]
    assert len(named(np.stack([RGB, RGB]))) == 2
    assert len(named(torch.zeros(3, 3, 8, 8, dtype=torch.uint8))) == 3
    assert len(named(RGB)) == len(named("a.jpg")) == len(named(b"bytes")) == 1
    assert (is_video("a.MP4"), is_video("a.jpg"), is_video(b"a.mp4")) == (True, False, False)


def test_batches_hold_so_many_pictures_each_in_all_frames() -> None:
    pictures = named([RGB] * (BATCH + 1))
    sizes = [batch.frames.shape for batch in reader(finds_people=False).batches(pictures, cropped=False)]
    assert sizes == [(BATCH, 2, 3, 32, 32), (1, 2, 3, 32, 32)]


def test_a_cropped_picture_is_all_subject() -> None:
    (batch,) = reader().batches(named(RGB), cropped=True)
    assert batch.boxes.tolist() == [[[[0, 0, 32, 32]]] * 2]


def test_people_are_the_subject_where_the_model_has_a_use_for_it() -> None:
    (with_people,) = reader().batches(named(GROUP), cropped=False)
    (largest,) = reader(subject="largest").batches(named(GROUP), cropped=False)
    (without,) = reader(finds_people=False).batches(named(GROUP), cropped=False)
    assert area(with_people.boxes) > area(largest.boxes) > 0
    assert area(without.boxes) == 0


def area(boxes: Float32[torch.Tensor, "1 t k 4"]) -> float:
    return float(((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])).sum())


def test_a_model_of_faces_is_fed_the_largest_face() -> None:
    faces = find_faces(GROUP)
    largest = max(faces, key=lambda face: face.area)
    (found,) = reader(shown="faces").batches(named(GROUP), cropped=False)
    (given,) = reader(shown="faces").batches(named(largest), cropped=False)
    (cut,) = reader(shown="faces").batches(named(largest.picture), cropped=True)
    assert torch.equal(found.frames, given.frames)
    assert torch.equal(found.frames, cut.frames)


def test_a_picture_without_a_face_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(MienError, match=rf"no face is found in {path}.*cropped=True"):
        list(reader(shown="faces").batches(named(path), cropped=False))
    face = Face(xyxy=np.zeros(4, np.float32), score=1.0, picture=RGB[:40, :40])
    assert len(list(reader(shown="faces").batches(named([face, face]), cropped=False))) == 1
