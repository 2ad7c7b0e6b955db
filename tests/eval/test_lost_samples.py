"""Samples that are not in a store: why is told by what is missing or broken, not by the store's lack of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.data.store import Store
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.rafdb import RAFDB
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.run import read_split
from mien.evaluate import prepare_release
from mien.types import MienError

NAMES = ("train_00001", "train_00002", "train_00003")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RAF-DB of a good picture, a broken one and one that is not there, in `release`; what is made of it in `store`."""
    root = tmp_path_factory.mktemp("rafdb") / "release"
    (root / "EmoLabel").mkdir(parents=True)
    (root / "EmoLabel/list_patition_label.txt").write_text("".join(f"{name}.jpg 5\n" for name in NAMES))
    write_face(root / "Image/aligned/train_00001_aligned.jpg", seed=1, side=64)
    (root / "Image/aligned/train_00002_aligned.jpg").write_bytes(b"torn")
    prepare_release(RAFDB, root=root, store=root.with_name("store"), splits=("train",))
    return root


def test_missing_file_and_broken_file_are_told_apart(root: Path) -> None:
    clips, skipped = labelled_clips(RAFDB.read(root, "train"), Store(root.with_name("store")), root=root)
    assert [clip.clip.id for clip in clips] == ["train_00001.jpg"]
    broken, missing = skipped
    assert (broken.what, missing.what) == ("train_00002.jpg", "train_00003.jpg")
    assert missing.reason == f"Image/aligned/train_00003_aligned.jpg is not in {root}"
    assert "not one picture of it can be decoded" in broken.reason
    assert "train_00002_aligned.jpg" in broken.reason


def test_pictures_with_labels_are_not_said_to_lack_subtitles(root: Path) -> None:
    told = [each.what for each in Store(root.with_name("store")).skipped()]
    assert told == ["Image/aligned/train_00002_aligned"]


def test_store_of_other_data_is_named_with_the_first_sample_that_it_lacks(root: Path, tmp_path: Path) -> None:
    (tmp_path / "EmoLabel").mkdir()
    (tmp_path / "EmoLabel/list_patition_label.txt").write_text("train_00009.jpg 1\n")
    write_face(tmp_path / "Image/aligned/train_00009_aligned.jpg", seed=9, side=64)
    store = Store(root.with_name("store"))
    with pytest.raises(MienError, match=r"the first, train_00009\.jpg, because .*is it the store of this release"):
        read_split(RAFDB, "train", root=tmp_path, store=store)
