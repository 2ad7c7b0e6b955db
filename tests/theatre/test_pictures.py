"""Faces in FER+ layout."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.theatre import TheatreSettings, write_theatre
from mien.theatre.pictures import Pictures
from mien.types import EMOTIONS, MienError

_COLUMNS = ("neutral", "joy", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "no face")


def votes(**counts: int) -> str:
    return ",".join(str(counts.get(name, 0)) for name in _COLUMNS)


def write_archive(folder: Path, split: str, rows: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    root = f"FER2013{split}"
    with zipfile.ZipFile(folder / f"{root}.zip", "w") as archive:
        for k, name in enumerate(rows):
            _, png = cv2.imencode(".png", np.full((48, 48), 20 * k + 20, np.uint8))
            archive.writestr(f"{root}/{name}", png.tobytes())
        table = "".join(f'{name},"(0, 0, 48, 48)",{vote}\n' for name, vote in rows.items())
        archive.writestr(f"{root}/label.csv", table)


def all_emotions() -> dict[str, str]:
    return {f"{emotion}.png": votes(**{emotion: 6, "contempt": 1}) for emotion in EMOTIONS}


def test_majority_of_the_votes_decides_and_the_undecided_are_left_out(tmp_path: Path) -> None:
    undecided = {
        "tie.png": votes(joy=5, anger=5),
        "contempt.png": votes(contempt=9),
        "unknown.png": votes(unknown=8, joy=2),
    }
    write_archive(tmp_path, "Train", {**all_emotions(), **undecided})
    pictures = Pictures(tmp_path, "train")
    assert pictures.names == {emotion: [f"FER2013Train/{emotion}.png"] for emotion in EMOTIONS}


def test_theatre_with_faces_takes_each_split_from_its_own_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "faces", "Train", all_emotions())
    write_archive(tmp_path / "faces", "Test", all_emotions())
    settings = TheatreSettings(
        num_train=1, num_test=1, min_utterances=1, max_utterances=1, width=96, height=64, faces=tmp_path / "faces"
    )
    result = write_theatre(tmp_path / "out", settings=settings)
    assert len(result.made) == 2


def test_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no FER2013Test\.zip"):
        Pictures(tmp_path, "test")


def test_archive_that_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "FER2013Train.zip").write_bytes(b"nothing")
    with pytest.raises(MienError, match="not a zip"):
        Pictures(tmp_path, "train")


def test_emotion_without_a_picture_is_an_error(tmp_path: Path) -> None:
    rows = all_emotions()
    del rows["fear.png"]
    write_archive(tmp_path, "Train", rows)
    with pytest.raises(MienError, match="majority vote is fear"):
        Pictures(tmp_path, "train")


def test_nothing_is_written_when_faces_are_missing(tmp_path: Path) -> None:
    settings = TheatreSettings(num_train=1, num_test=0, faces=tmp_path / "nowhere")
    with pytest.raises(MienError, match="FER2013Train"):
        write_theatre(tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()
