"""Everyone looked at in a store: the same numbers as one at a time, in full batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from small_mien import SIZE, small_mien
from tiny_store import FRAMES, HEIGHT, WIDTH, write_store

from mien.analyze.looks import Looks, look_at_faces, look_at_persons, square_around
from mien.data.store import FACES_FILE, Store
from mien.data.tables import write_faces
from mien.inference import Mien
from mien.media.sampling import evenly
from mien.media.transforms import crop_boxes_with, crop_frame
from mien.perception.face_crop import cut_face
from mien.types import FaceTable

VIDEO = "test/0"


@pytest.fixture(scope="module")
def model() -> Mien:
    return small_mien()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = write_store(tmp_path_factory.mktemp("store"), num_videos=1)
    heads = [[30 + 2 * i, 40, 50 + 2 * i, 60] for i in range(FRAMES)]
    faces = FaceTable(
        frame=np.arange(FRAMES, dtype=np.int32),
        xyxy=np.array(heads, np.float32),
        landmarks=np.zeros((FRAMES, 5, 2), np.float32),
        score=np.ones(FRAMES, np.float32),
        track=np.ones(FRAMES, np.int32),
    )
    write_faces(store.folder(VIDEO) / FACES_FILE, faces, made_with={})
    return store


def joined(looks: list[Looks]) -> Looks:
    """All of them, by picture and track."""
    columns = {name: np.concatenate([getattr(some, name) for some in looks]) for name in Looks.__slots__}
    order = np.lexsort((columns["track"], columns["frame"]))
    return Looks(**{name: values[order] for name, values in columns.items()})


def test_faces_are_those_of_every_so_manieth_picture_cut_one_by_one(model: Mien, store: Store) -> None:
    told: list[tuple[int, int]] = []
    found = joined(list(look_at_faces(model, store, VIDEO, every=3, on_frame=lambda *at: told.append(at))))
    assert found.frame.tolist() == list(range(0, FRAMES, 3))
    assert told[-1] == (7, 7)
    for frame, xyxy, x in zip(found.frame, found.xyxy, found.embedding, strict=True):
        square = cut_face(store.frames(VIDEO).decode(int(frame)), xyxy / 2, size=SIZE)
        alone = model.encode_frames(torch.from_numpy(square).permute(2, 0, 1)[None], normalize=True)
        assert_allclose(x, alone[0], atol=1e-5)


def test_persons_are_embedded_over_the_seconds_around_each_alone_as_the_subject(model: Mien, store: Store) -> None:
    every, clip_s = 2, 1.0
    found = joined(list(look_at_persons(model, store, VIDEO, every=every, clip_s=clip_s)))
    assert len(found.frame) == 2 * FRAMES / every
    for row in (0, 7, 12, len(found.frame) - 1):
        track, frame = int(found.track[row]), int(found.frame[row])
        seen = [f for f in range(0, FRAMES, every) if abs(f - frame) <= clip_s / 2 * 8]
        chosen = [seen[i] for i in evenly(len(seen), count=8)]
        frames = torch.cat([embedded_alone(model, store, f, track) for f in chosen])
        clip = torch.nn.functional.normalize(model.join_frames(frames[None]), dim=-1)
        assert_allclose(found.embedding[row], clip[0], atol=1e-5)


def embedded_alone(model: Mien, store: Store, frame: int, track: int) -> torch.Tensor:
    table = store.boxes(VIDEO)
    (row,) = np.flatnonzero((table.frame == frame) & (table.track == track))
    box = table.xyxy[row] / 2
    crop = square_around(box, height=HEIGHT, width=WIDTH)
    picture = crop_frame(store.frames(VIDEO).decode(frame), crop, size=SIZE)
    boxes = crop_boxes_with(torch.from_numpy(box), crop, size=SIZE)
    return model.encode_subjects(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None], boxes[None, None])


def test_small_batches_change_nothing(model: Mien, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = joined(list(look_at_persons(model, store, VIDEO, clip_s=0.5)))
    monkeypatch.setattr("mien.analyze.looks.BATCH", 3)
    parts = joined(list(look_at_persons(model, store, VIDEO, clip_s=0.5)))
    assert parts.frame.tolist() == whole.frame.tolist()
    assert_allclose(parts.embedding, whole.embedding, atol=1e-5)


def test_the_square_follows_a_person_as_far_as_the_picture_goes() -> None:
    centred = square_around(np.array([50.0, 0.0, 70.0, 40.0]), height=40, width=100)
    assert (centred.left, centred.top, centred.side) == (40.0, 0.0, 40.0)
    at_edge = square_around(np.array([90.0, 0.0, 100.0, 40.0]), height=40, width=100)
    assert at_edge.left == 60.0
