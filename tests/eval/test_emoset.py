"""EmoSet-118K: rows of three and of four fields, attributes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.eval.benchmarks.emoset import CLASSES, fake_emoset, read_emoset
from mien.types import MienError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_emoset(tmp_path)
    return tmp_path


def test_rows_of_three_fields_read_as_rows_of_four(root: Path) -> None:
    three, four = read_emoset(root, "val").samples, read_emoset(root, "test").samples
    assert [s.labels.category for s in three] == [s.labels.category for s in four] == list(range(8))
    assert (three[4].id, three[4].file) == ("anger_00002", "image/anger/anger_00002.jpg")
    assert (four[4].id, four[4].file) == ("anger_00003", "image/anger/anger_00003.jpg")


def test_attributes_are_those_annotated_and_no_others(root: Path) -> None:
    amusement, awe = read_emoset(root, "test").samples[:2]
    assert amusement.attributes == {"brightness": "0.0", "colorfulness": "0.5"}
    assert awe.attributes["object"] == "Person; Clothing"
    assert awe.attributes["scene"] == "stage"


def test_emotions_are_named_whatever_their_numbers_in_this_copy(root: Path) -> None:
    numbers = {name: index for index, name in enumerate(sorted(CLASSES))}
    (root / "info.json").write_text(json.dumps({"emotion": {"label2idx": numbers}}))
    assert [CLASSES[s.labels.category or 0] for s in read_emoset(root, "test").samples] == list(CLASSES)


def test_picture_without_annotation_and_one_annotated_otherwise_are_listed(root: Path) -> None:
    (root / "annotation/awe/awe_00003.json").unlink()
    (root / "annotation/fear/fear_00003.json").write_text('{"emotion": "awe"}')
    release = read_emoset(root, "test")
    assert len(release.samples) == 6
    assert [s.what for s in release.skipped] == ["image/awe/awe_00003.jpg", "image/fear/fear_00003.jpg"]
    assert release.skipped[1].reason.endswith("fear_00003.json says awe, the split's list fear")


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("info.json", '{"emotion": {"label2idx": {"joy": 0}}}', "label2idx names joy"),
        ("test.json", '[["joy", "a", "a.jpg", "a.json"]]', "row 1: emotion is 'joy'"),
        ("test.json", '[["awe", "a.json"]]', "row 1: .* is not an emotion, an id"),
        ("test.json", '[["awe", "a", "a.jpg", "../a.json"]]', r"row 1: '\.\./a\.json' is not below"),
        ("test.json", '[["awe", "a", "/a.jpg", "a.json"]]', r"row 1: '/a\.jpg' is not below"),
        ("test.json", '[["awe", ', "not whole"),
    ],
)
def test_file_of_something_else_is_refused(file: str, text: str, says: str, root: Path) -> None:
    (root / file).write_text(text)
    with pytest.raises(MienError, match=says):
        read_emoset(root, "test")


def test_folder_above_and_archive_half_unpacked_are_refused(tmp_path: Path) -> None:
    fake_emoset(tmp_path / "EmoSet-118K")
    with pytest.raises(MienError, match=r"did you mean .*EmoSet-118K\?"):
        read_emoset(tmp_path, "train")
    (tmp_path / "EmoSet-118K/annotation").rename(tmp_path / "elsewhere")
    with pytest.raises(MienError, match="lacks annotation"):
        read_emoset(tmp_path / "EmoSet-118K", "train")
