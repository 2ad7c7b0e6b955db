"""RAF-DB, FER2013 and FER+: their lists, tables and archives, and what each says of a wrong one."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.eval.benchmarks.base import Read
from mien.eval.benchmarks.fer2013 import fake_fer2013, read_fer2013
from mien.eval.benchmarks.ferplus import CLASSES, VOTED, fake_ferplus, majority, read_ferplus
from mien.eval.benchmarks.rafdb import BASIC, COMPOUND, RAFDB, RAFDB_COMPOUND, fake_rafdb
from mien.eval.benchmarks.release import WHOLE_PICTURE, stage
from mien.types import MienError

read_rafdb = RAFDB.read

# ── RAF-DB ───────────────────────────────────────────────────────────────────────────────────────


def rafdb(root: Path, lines: str) -> Path:
    (root / "EmoLabel").mkdir(parents=True)
    (root / "EmoLabel/list_patition_label.txt").write_text(lines)
    (root / "Image/aligned").mkdir(parents=True)
    return root


def test_rafdb_names_classes_by_its_numbers_and_pictures_by_the_aligned_ones(tmp_path: Path) -> None:
    release = read_rafdb(rafdb(tmp_path, "train_00001.jpg 5\ntest_0001.jpg 1\ntrain_00002.jpg 7\n"), "train")
    named = [(s.id, s.file, RAFDB.classes.category[s.labels.category or 0]) for s in release.samples]
    assert named == [
        ("train_00001.jpg", "Image/aligned/train_00001_aligned.jpg", "sadness"),
        ("train_00002.jpg", "Image/aligned/train_00002_aligned.jpg", "neutral"),
    ]
    assert release.boxes["Image/aligned/train_00001_aligned"] == WHOLE_PICTURE


def test_rafdb_root_may_be_the_folder_above_basic(tmp_path: Path) -> None:
    fake_rafdb(BASIC, tmp_path)
    above, basic = read_rafdb(tmp_path, "test"), read_rafdb(tmp_path / "basic", "test")
    assert [s.id for s in above.samples] == [s.id for s in basic.samples]
    assert above.samples[0].file == "basic/Image/aligned/test_00001_aligned.jpg"
    assert above.missing(tmp_path) == ()


def test_rafdb_list_that_an_editor_began_with_a_mark_is_read(tmp_path: Path) -> None:
    release = read_rafdb(rafdb(tmp_path, "\ufefftrain_00001.jpg 5\n"), "train")
    assert [s.id for s in release.samples] == ["train_00001.jpg"]


def test_rafdb_compound_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"line 2: 'train_0002.jpg 11'.*compound"):
        read_rafdb(rafdb(tmp_path, "train_0001.jpg 1\ntrain_0002.jpg 11\n"), "train")


def test_rafdb_compound_has_classes_of_its_own_in_its_own_folder(tmp_path: Path) -> None:
    fake_rafdb(BASIC, tmp_path)
    fake_rafdb(COMPOUND, tmp_path)
    above, within = RAFDB_COMPOUND.read(tmp_path, "test"), RAFDB_COMPOUND.read(tmp_path / "compound", "test")
    assert [s.labels.category for s in above.samples] == [s.labels.category for s in within.samples] == list(range(11))
    assert above.samples[0].file == "compound/Image/aligned/test_00001_aligned.jpg"
    assert RAFDB_COMPOUND.classes.category[7] == "fearfully surprised"
    assert len(RAFDB.read(tmp_path, "test").samples) == 7


def test_rafdb_basic_list_is_not_taken_for_the_compound_one(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="no number above 7: it is the basic list"):
        RAFDB_COMPOUND.read(rafdb(tmp_path, "train_00001.jpg 5\n"), "train")


def test_rafdb_without_its_aligned_pictures_is_refused(tmp_path: Path) -> None:
    (rafdb(tmp_path, "train_00001.jpg 5\n") / "Image/aligned").rmdir()
    with pytest.raises(MienError, match=r"unpack aligned\.zip"):
        read_rafdb(tmp_path, "train")


def test_rafdb_copy_in_folders_of_numbers_is_read(tmp_path: Path) -> None:
    for number in range(1, 8):
        (tmp_path / f"train/{number}").mkdir(parents=True)
        (tmp_path / f"train/{number}/a_{number}.jpg").write_bytes(b"")
    samples = read_rafdb(tmp_path, "train").samples
    assert [(s.id, s.labels.category) for s in samples][3] == ("train/4/a_4.jpg", 3)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("EmoLabel/list_patition_label.txt", read_rafdb),
        ("fer2013.csv", read_fer2013),
        ("FER2013Train/label.csv", read_ferplus),
    ],
)
def test_list_that_is_no_text_is_refused_by_its_first_line(name: str, read: Read, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\xff\xfe\0 \x81")
    (tmp_path / "FER2013Train").mkdir(exist_ok=True)
    (tmp_path / "FER2013Train/fer0000000.png").write_bytes(b"")
    (tmp_path / "Image/aligned").mkdir(parents=True)
    with pytest.raises(MienError, match=f"{name}, line 1: "):
        read(tmp_path, "train")


# ── FER2013 ──────────────────────────────────────────────────────────────────────────────────────


def test_fer2013_picture_is_that_of_its_row(tmp_path: Path) -> None:
    pixels = np.arange(48 * 48).reshape(48, 48) % 256
    row = " ".join(map(str, pixels.ravel()))
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\r\n0,{row},Training\r\n3,{row},PublicTest\r\n")
    release = read_fer2013(tmp_path, "val")
    assert [(s.id, s.file, s.labels.category) for s in release.samples] == [
        ("fer0000001", "PublicTest/fer0000001.png", 3)
    ]
    stage(tmp_path, [release], tmp_path / "files")
    stored = cv2.imread(str(tmp_path / "files/PublicTest/fer0000001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, pixels)


def test_fer2013_columns_may_be_in_another_order_with_blanks(tmp_path: Path) -> None:
    row = " ".join(["1", "2"] * 1152)
    (tmp_path / "icml_face_data.csv").write_text(f"emotion, Usage, pixels\n6,PrivateTest,{row}\n")
    release = read_fer2013(tmp_path, "test")
    assert release.samples[0].labels.category == 6
    assert cv2.imdecode(np.frombuffer(release.packed[release.samples[0].file](), np.uint8), 0)[0, 1] == 2


def test_fer2013_picture_of_one_shade_is_listed(tmp_path: Path) -> None:
    fake_fer2013(tmp_path)
    release = read_fer2013(tmp_path, "val")
    assert len(release.samples) == 7
    assert [s.what for s in release.skipped] == ["PublicTest/fer0000023.png"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "line 1: the columns are a, b"),
        ("emotion,pixels,Usage\n0,1 2 3,Training\n", "line 2: 3 pixels, not 2304"),
        (f"emotion,pixels,Usage\n7,{'0 ' * 2304},Training\n", "line 2: emotion is '7'"),
        (f"emotion,pixels,Usage\n0,{'0 256 ' * 1152},Training\n", "line 2: pixel '256'; it must be 0 to 255"),
        (f"emotion,pixels,Usage\n0,{'0 x ' * 1152},Training\n", "line 2: pixel 'x'; it must be 0 to 255"),
        (f"emotion,pixels,Usage\n0,{'0 1 ' * 1152},PublicTest\n", "no row whose usage is 'Training'"),
    ],
)
def test_fer2013_csv_of_something_else_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(text)
    with pytest.raises(MienError, match=says):
        read_fer2013(tmp_path, "train")


# ── FER+ ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("votes", "wins"),
    [
        ([6, 0, 1, 1, 0, 0, 0, 0, 2, 0], "neutral"),  # 6 of 8: the single votes do not count
        ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], None),  # 4 of 9
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], None),  # a tie
        ([0, 0, 0, 0, 2, 1, 0, 7, 0, 0], "contempt"),
        ([0, 0, 0, 2, 0, 0, 0, 0, 8, 0], "unknown"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], "NF"),
    ],
)
def test_ferplus_majority_is_more_than_half_of_the_votes_that_are_not_alone(votes: list[int], wins: str | None) -> None:
    assert majority(votes) == wins


def test_ferplus_pictures_without_an_emotion_are_listed(tmp_path: Path) -> None:
    fake_ferplus(tmp_path)
    release = read_ferplus(tmp_path, "train")
    assert [s.labels.category for s in release.samples] == list(range(8))
    assert [(s.what, s.reason) for s in release.skipped] == [
        ("fer0000008.png", "the majority says unknown"),
        ("fer0000009.png", "the majority says NF"),
        ("fer0000010.png", "no majority"),
    ]
    assert release.boxes["FER2013Train/fer0000000"][0].xyxy == (0, 0, 48, 48)


def test_ferplus_samples_have_all_votes_that_were_given(tmp_path: Path) -> None:
    fake_ferplus(tmp_path)
    votes = [sample.votes for sample in read_ferplus(tmp_path, "train").samples]
    assert votes[:2] == [{"neutral": 8, "NF": 1}, {"happiness": 8}]


def test_ferplus_reads_folders_as_it_reads_archives(tmp_path: Path) -> None:
    fake_ferplus(tmp_path)
    packed = read_ferplus(tmp_path, "test")
    zipfile.ZipFile(tmp_path / "FER2013Test.zip").extractall(tmp_path / "data")
    (tmp_path / "FER2013Test.zip").unlink()
    unpacked = read_ferplus(tmp_path, "test")
    assert [s.id for s in unpacked.samples] == [s.id for s in packed.samples]
    assert unpacked.samples[0].file == "data/FER2013Test/fer0032220.png"
    assert unpacked.missing(tmp_path) == ()


def test_ferplus_labels_without_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "FER2013Train").mkdir()
    (tmp_path / "FER2013Train/label.csv").write_text("")
    with pytest.raises(MienError, match="labels and no pictures"):
        read_ferplus(tmp_path, "train")


def test_ferplus_row_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "FER2013Train.zip", "w") as archive:
        archive.writestr("FER2013Train/label.csv", "fer0000000.png,4,0,0,1,3,2,0,0,0,0\n")
    with pytest.raises(MienError, match=r"line 1: 'fer0000000\.png,4"):
        read_ferplus(tmp_path, "train")


def test_ferplus_archive_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "FER2013Train.zip").write_bytes(b"PK\3\4")
    with pytest.raises(MienError, match="not whole"):
        read_ferplus(tmp_path, "train")


@pytest.mark.real_data
def test_ferplus_release_has_the_pictures_and_the_majorities_it_should(real_data: Path) -> None:
    """Counts of pictures are the release's; those of labels were counted by the labels' released code's rule."""
    counts = {}
    for split in ("train", "val", "test"):
        release = read_ferplus(real_data / "ferplus", split)
        assert release.missing(real_data / "ferplus") == ()
        counts[split] = (len(release.samples) + len(release.skipped), len(release.samples))
    assert counts == {"train": (28_558, 25_045), "val": (3_579, 3_191), "test": (3_573, 3_137)}
    classes = Counter(CLASSES[s.labels.category or 0] for s in release.samples)
    assert classes["neutral"] == 1083
    assert classes["contempt"] == 15
    assert cv2.imdecode(np.frombuffer(release.packed[release.samples[0].file](), np.uint8), 0).shape == (48, 48)


@pytest.mark.real_data
def test_ferplus_tables_of_votes_disagree_on_53_validation_pictures(real_data: Path) -> None:
    """`fer2013new.csv` has the same pictures and in part other votes; we go by `label.csv`, as the notes say."""
    with (real_data / "ferplus/fer2013new.csv").open(newline="") as file:
        rows = {row["Image name"]: row for row in csv.DictReader(file) if row["Image name"]}
    release = read_ferplus(real_data / "ferplus", "val")
    ours = {f"{s.id}.png": CLASSES[s.labels.category or 0] for s in release.samples}
    ours |= {s.what: s.reason.removeprefix("the majority says ") for s in release.skipped}
    theirs = {name: majority([int(rows[name][vote]) for vote in VOTED]) or "no majority" for name in ours}
    assert {rows[name]["Usage"] for name in ours} == {"PublicTest"}
    assert sum(ours[name] != theirs[name] for name in ours) == 53
    assert sum(label in CLASSES for label in theirs.values()) == 3_199
