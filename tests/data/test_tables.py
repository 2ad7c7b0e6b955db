from pathlib import Path

import numpy as np
import pytest

from mien.data.store import BOXES_FILE, FACES_FILE, SETTINGS_FILE, Store
from mien.data.tables import NO_BOXES, NO_FACES, made_with, read_faces, rows_between, write_boxes, write_faces
from mien.types import FaceTable, MienError

FACES = FaceTable(
    frame=np.array([0, 0, 7], np.int32),
    xyxy=np.array([[1, 2, 30, 40], [5, 6, 70.5, 80], [-3, 2, 30, 40]], np.float32),
    landmarks=np.arange(30, dtype=np.float32).reshape(3, 5, 2) / 4,
    score=np.array([0.9, 0.4, 0.8], np.float32),
    track=np.array([0, -1, 0], np.int32),
)


@pytest.mark.parametrize("faces", [FACES, NO_FACES])
def test_faces_round_trip(faces: FaceTable, tmp_path: Path) -> None:
    path = tmp_path / FACES_FILE
    write_faces(path, faces, made_with={"detector": "hand"})
    read = read_faces(path)
    for column in ("frame", "xyxy", "landmarks", "score", "track"):
        assert np.array_equal(getattr(read, column), getattr(faces, column))
    assert len(read) == len(faces)
    assert made_with(path) == {"detector": "hand"}
    assert [file.name for file in tmp_path.iterdir()] == [FACES_FILE]


def test_rows_between_are_of_those_frames_in_every_column() -> None:
    between = rows_between(FACES, 1, 8)
    for column in ("frame", "xyxy", "landmarks", "score", "track"):
        assert np.array_equal(getattr(between, column), getattr(FACES, column)[2:])
    assert rows_between(FACES, 0, 7).frame.tolist() == [0, 0]
    assert len(rows_between(FACES, 8, 20)) == 0


def test_store_gives_faces_and_says_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_text("{}")
    store = Store(tmp_path)
    write_boxes(store.folder("a/b") / BOXES_FILE, NO_BOXES, made_with={})
    with pytest.raises(MienError, match=r"no faces of video 'a/b'.*with faces"):
        store.faces("a/b")
    with pytest.raises(MienError, match="no video 'c'"):
        store.faces("c")
    write_faces(store.folder("a/b") / FACES_FILE, FACES, made_with={})
    assert len(store.faces("a/b")) == 3
    assert store.faces("a/b") is store.faces("a/b")  # read once for all its clips
