"""Sets of folders: what is a sample, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mien.eval.benchmarks.folders import Folders, fake_folders, read_folders
from mien.eval.benchmarks.release import WHOLE_PICTURE
from mien.types import MienError

SET = Folders(title="Set", classes=("happiness", "anger"), codes={"1": "anger"}, cut_out=("train*",))


def write(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def test_classes_are_found_by_any_word_for_them_and_by_the_releases_numbers(tmp_path: Path) -> None:
    root = write(tmp_path, "Train/Happy/a.jpg", "Train/1/b.JPG")
    samples = read_folders(SET, root, "train").samples
    assert [(s.id, s.labels.category) for s in samples] == [("Train/1/b.JPG", 1), ("Train/Happy/a.jpg", 0)]


def test_faces_that_are_cut_out_are_whole_pictures_and_scenes_have_no_boxes(tmp_path: Path) -> None:
    root = write(tmp_path, "train/happy/a.jpg", "train/1/b.jpg", "validation/happy/a.jpg", "validation/1/b.jpg")
    assert read_folders(SET, root, "train").boxes == {"train/happy/a": WHOLE_PICTURE, "train/1/b": WHOLE_PICTURE}
    assert read_folders(SET, root, "val").boxes == {}


def test_files_that_are_no_pictures_are_listed_and_hidden_ones_are_not(tmp_path: Path) -> None:
    root = write(tmp_path, "test/happy/a.jpg", "test/happy/Thumbs.db", "test/happy/._a.jpg", "test/1/b.jpg")
    release = read_folders(SET, root, "test")
    assert [s.id for s in release.samples] == ["test/1/b.jpg", "test/happy/a.jpg"]
    assert [s.what for s in release.skipped] == ["test/happy/Thumbs.db"]


def test_two_files_of_one_name_are_both_listed(tmp_path: Path) -> None:
    root = write(tmp_path, "test/happy/a.jpg", "test/happy/a.png", "test/happy/b.png", "test/1/a.png")
    release = read_folders(SET, root, "test")
    assert [s.id for s in release.samples] == ["test/1/a.png", "test/happy/b.png"]
    assert [s.what for s in release.skipped] == ["test/happy/a.jpg", "test/happy/a.png"]


def test_class_that_is_left_out_is_listed(tmp_path: Path) -> None:
    root = write(tmp_path, "test/joy/a.jpg", "test/contempt/a.jpg", "test/anger/a.jpg")
    folders = Folders(title="Set", classes=("joy", "anger"), left_out=("contempt",))
    release = read_folders(folders, root, "test")
    assert [s.what for s in release.skipped] == ["test/contempt/a.jpg"]
    assert release.skipped[0].reason == "contempt is none of the 2 classes"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["inner/train/happy/a.jpg"], "did you mean .*inner"),
        (["train/happy/a.jpg", "train/awe/a.jpg"], "awe is none of Set's classes happiness, anger"),
        (["train/happy/a.jpg"], "no files of anger"),
        (["Angry/a.jpg"], "no folder train for Set's split 'train'; it has Angry"),
    ],
)
def test_what_is_not_the_set_is_refused(files: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=says):
        read_folders(SET, write(tmp_path, *files), "train")


def test_split_without_labels_is_refused(tmp_path: Path) -> None:
    folders = Folders(title="Set", classes=("joy",), splits={"train": ("train",)})
    with pytest.raises(MienError, match="no labels for 'test'"):
        read_folders(folders, tmp_path, "test")


def test_fake_has_a_sample_a_class_and_split(tmp_path: Path) -> None:
    fake_folders(SET, tmp_path)
    for split in ("train", "val", "test"):
        assert len(read_folders(SET, tmp_path, split).samples) == 2
    shutil.rmtree(tmp_path / "test" / "1")
    with pytest.raises(MienError, match="no files of anger"):
        read_folders(SET, tmp_path, "test")
