"""Facial expression sets with names and lists of their own: AffectNet, CK+, acted sets, DFEW, MAFW, FERV39k, SFEW."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.affectnet import AFFECTNET_7, AFFECTNET_8, fake_affectnet
from mien.eval.benchmarks.ckplus import CKPLUS, fake_ckplus
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.folds import FOLD_SPLITS, subjects_of
from mien.eval.benchmarks.frame_folder import video_of_frames
from mien.eval.benchmarks.release import Release
from mien.types import MienError


def write(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def read(name: str, root: Path, split: str) -> Release:
    return load_benchmark(name).read(root, split)


def labels(name: str, release: Release) -> dict[str, str]:
    classes = load_benchmark(name).classes.category
    return {sample.id: classes[sample.labels.category or 0] for sample in release.samples}


# ── folds ────────────────────────────────────────────────────────────────────────────────────────


def test_everybody_is_tested_once_and_never_trained_on_in_that_fold() -> None:
    people = list("gfedcba")
    tested = [subjects_of(split, people, title="a set") for split in FOLD_SPLITS if split.startswith("test")]
    assert tested[1] == {"b", "g"}
    assert sorted(person for fold in tested for person in fold) == sorted(people)
    for fold, test in enumerate(tested, start=1):
        assert subjects_of(f"train{fold}", people, title="a set") == set(people) - test


def test_fewer_people_than_folds_are_refused() -> None:
    with pytest.raises(MienError, match="2 people here, too few"):
        subjects_of("test1", ["a", "b", "a"], title="a set")


# ── AffectNet ────────────────────────────────────────────────────────────────────────────────────


def test_affectnet_lists_pictures_without_annotation(tmp_path: Path) -> None:
    fake_affectnet(tmp_path)
    release = AFFECTNET_8.read(tmp_path, "train")
    assert [s.id for s in release.samples][9:11] == ["train_set/images/9.jpg", "train_set/images/10.jpg"]
    assert [s.what for s in release.skipped] == ["train_set/images/999.jpg"]


def test_affectnet_7_lists_contempt(tmp_path: Path) -> None:
    fake_affectnet(tmp_path)
    release = AFFECTNET_7.read(tmp_path, "val")
    assert [s.labels.category for s in release.samples] == list(range(7))
    assert [s.reason for s in release.skipped] == ["contempt is none of the 7 classes"]


def test_affectnet_annotation_that_is_no_expression_is_refused(tmp_path: Path) -> None:
    fake_affectnet(tmp_path)
    np.save(tmp_path / "val_set/annotations/3_exp.npy", np.array("9"))
    with pytest.raises(MienError, match=r"3_exp\.npy: the expression is '9'"):
        AFFECTNET_8.read(tmp_path, "val")


def test_affectnet_test_split_has_no_labels(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="no labels for 'test'"):
        AFFECTNET_8.read(tmp_path, "test")


def test_affectnet_copy_in_numbered_folders_is_read(tmp_path: Path) -> None:
    write(tmp_path, *(f"val/{number}/image{number}.jpg" for number in range(8)))
    assert [s.labels.category for s in AFFECTNET_8.read(tmp_path, "val").samples] == list(range(8))
    seven = AFFECTNET_7.read(tmp_path, "val")
    assert len(seven.samples) == 7
    assert [s.what for s in seven.skipped] == ["val/7/image7.jpg"]


# ── CK+ ──────────────────────────────────────────────────────────────────────────────────────────


def test_ckplus_sample_is_the_peak_and_unlabelled_sequences_are_listed(tmp_path: Path) -> None:
    fake_ckplus(tmp_path)
    release = CKPLUS.read(tmp_path, "test1")
    assert labels("ckplus", release)["S005_004_00000011"] == "disgust"
    assert release.samples[0].file == "cohn-kanade-images/S005/002/S005_002_00000011.png"
    assert [s.what for s in release.skipped] == ["S005/001"]
    assert {s.group for s in CKPLUS.read(tmp_path, "train1").samples} == {"S010", "S015", "S020", "S025"}
    assert release.missing(tmp_path) == ()


@pytest.mark.parametrize("text", ["neutral", "inf", "3.5"])
def test_ckplus_label_that_is_no_whole_number_is_refused(text: str, tmp_path: Path) -> None:
    fake_ckplus(tmp_path)
    next((tmp_path / "Emotion/S005/002").iterdir()).write_text(text)
    with pytest.raises(MienError, match=f"the emotion is '{text}'"):
        CKPLUS.read(tmp_path, "test1")


def test_ckplus_label_of_a_person_without_pictures_is_a_sample_that_is_missing(tmp_path: Path) -> None:
    fake_ckplus(tmp_path)
    shutil.rmtree(tmp_path / "cohn-kanade-images/S005")
    missing = CKPLUS.read(tmp_path, "test1").missing(tmp_path)
    assert [s.what for s in missing][:2] == ["S005_002_00000011", "S005_003_00000011"]
    assert len(missing) == 7


def test_ckplus_without_its_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cohn-kanade-images").mkdir()
    with pytest.raises(MienError, match="no folder Emotion"):
        CKPLUS.read(tmp_path, "test1")


# ── names that say all ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        (
            "jaffe",
            ["KA.AN1.39.tiff", "KL.FE2.40.tiff", "KM.NE1.1.tiff", "KR.SU3.90.tiff", "YM.HA1.52.tiff"],
            {"KA.AN1.39": "anger"},
        ),
        (
            "ravdess",
            [f"Actor_{n:02d}/01-01-06-01-02-01-{n:02d}.mp4" for n in range(1, 7)],
            {"01-01-06-01-02-01-01": "fearful", "01-01-06-01-02-01-06": "fearful"},
        ),
        ("crema_d", [f"VideoFlash/100{n}_DFA_SAD_X.flv" for n in range(1, 6)], {"1001_DFA_SAD_X": "sadness"}),
        (
            "enterface05",
            [f"subject {n}/sadness/sentence 1/s{n}_sa_1.avi" for n in range(1, 6)],
            {"subject 1/sadness/sentence 1/s1_sa_1": "sadness"},
        ),
    ],
)
def test_file_name_says_who_and_what(name: str, files: list[str], expected: dict[str, str], tmp_path: Path) -> None:
    assert labels(name, read(name, write(tmp_path, *files), "test1")) == expected


def test_enterface05_goes_by_folders_since_files_are_named_wrongly(tmp_path: Path) -> None:
    wrong = ("subject 11/anger/sentence 1/s12_an_1.avi", "subject 16/surprise/sentence 3/s16_su_3avi.avi")
    right = [f"subject {n}/anger/sentence 1/s{n}_an_1.avi" for n in (12, 13, 14)]
    root = write(tmp_path, *wrong, *right, "subject 6/anger/s6_an_1.avi")
    releases = [read("enterface05", root, f"test{fold}") for fold in range(1, 6)]
    assert [[(s.group, s.labels.category) for s in r.samples] for r in releases] == [
        [("11", 0)], [("12", 0)], [("13", 0)], [("14", 0)], [("16", 5)],
    ]  # fmt: skip
    assert all(release.skipped == () for release in releases)


def test_ravdess_songs_and_takes_without_sound_are_no_samples_whose_number_hides_missing_ones(tmp_path: Path) -> None:
    takes = [f"Actor_{n:02d}/01-01-01-01-01-01-{n:02d}.mp4" for n in range(1, 6)]
    write(tmp_path, *takes, "Actor_01/02-01-01-01-01-01-01.mp4", "Actor_01/01-02-01-01-01-01-01.mp4")
    release = read("ravdess", tmp_path, "test1")
    assert [s.id for s in release.samples] == ["01-01-01-01-01-01-01"]
    assert release.skipped == ()


def test_file_that_is_there_twice_counts_once_and_odd_names_are_listed(tmp_path: Path) -> None:
    write(tmp_path, *(f"jaffe/{who}.AN1.1.tiff" for who in ("KA", "KL", "KM", "KR", "MK")), "copy/KA.AN1.1.tiff")
    release = read("jaffe", write(tmp_path, "jaffe/what.tiff"), "test1")
    assert [s.file for s in release.samples] == ["copy/KA.AN1.1.tiff"]
    assert [s.what for s in release.skipped] == ["jaffe/what.tiff", "jaffe/KA.AN1.1.tiff"]
    assert list(release.boxes) == ["copy/KA.AN1.1"]


# ── folds in lists ───────────────────────────────────────────────────────────────────────────────


def dfew(root: Path, *rows: str, header: str = "video_name,label") -> Path:
    folder = root / "EmoLabel_DataSplit/test(single-labeled)"
    folder.mkdir(parents=True)
    (folder / "set_2.csv").write_text("\n".join((header, *rows)) + "\n")
    return root


def test_dfew_finds_videos_by_number_and_prefers_faces(tmp_path: Path) -> None:
    dfew(tmp_path, "7,4", "12,1")
    scenes = read("dfew", write(tmp_path, "Clip/original/part_1/7.mp4", "Clip/original/part_2/12.mp4"), "test2")
    assert [s.file for s in scenes.samples] == ["Clip/original/part_1/7.mp4", "Clip/original/part_2/12.mp4"]
    assert scenes.boxes == {}
    faces = read("dfew", write(tmp_path, "Clip/clip_224x224_avi/00007.avi"), "test2")
    assert labels("dfew", faces) == {"00007": "angry", "00012": "happy"}
    assert list(faces.boxes) == ["Clip/clip_224x224_avi/00007", "Clip/clip_224x224_avi/00012"]
    assert [s.what for s in faces.missing(tmp_path)] == ["00012"]


@pytest.mark.parametrize(
    ("row", "header", "says"),
    [("7,8", "video_name,label", "line 2: '7,8'"), ("7,4", "a,b", "line 1: 'a,b' is not the header")],
)
def test_dfew_list_of_something_else_is_refused(row: str, header: str, says: str, tmp_path: Path) -> None:
    write(dfew(tmp_path, row, header=header), "Clip/original/7.mp4")
    with pytest.raises(MienError, match=says):
        read("dfew", tmp_path, "test2")


def test_dfew_videos_of_one_number_are_not_guessed_between(tmp_path: Path) -> None:
    write(dfew(tmp_path, "7,4"), "Clip/original/part_1/7.mp4", "Clip/original/part_2/00007.mp4")
    with pytest.raises(MienError, match=r"part_1/7\.mp4 and .*part_2/00007\.mp4 are both video 7; keep one"):
        read("dfew", tmp_path, "test2")


def test_dfew_with_frames_alone_is_refused(tmp_path: Path) -> None:
    write(dfew(tmp_path, "7,4"), "Clip/clip_224x224/00007/1.jpg")
    with pytest.raises(MienError, match="has no videos of DFEW"):
        read("dfew", tmp_path, "test2")


def test_mafw_reads_names_of_emotions(tmp_path: Path) -> None:
    folder = tmp_path / "Train & Test Set/single/no_caption/set_5"
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("00001.mp4 helplessness\n00003.mp4 anger\n")
    release = read("mafw", write(tmp_path, "data/clips/00001.mp4"), "train5")
    assert labels("mafw", release) == {"00001": "helplessness", "00003": "anger"}
    assert [s.what for s in release.missing(tmp_path)] == ["00003"]


def test_mafw_compound_reads_emotions_that_go_together(tmp_path: Path) -> None:
    folder = tmp_path / "Train & Test Set/compound/no_caption/set_1"
    folder.mkdir(parents=True)
    (folder / "test.txt").write_text("00001.mp4 anger_disgust_contempt\n00002.mp4 anger\n00003.mp4 fear_surprise\n")
    release = read("mafw_compound", write(tmp_path, "data/clips/00001.mp4"), "test1")
    assert labels("mafw_compound", release) == {
        "00001": "anger, disgust and contempt",
        "00002": "anger",
        "00003": "fear and surprise",
    }


def test_mafw_counts_test_each_video_once() -> None:
    for name, total in (("mafw", 9_172), ("mafw_compound", 8_996)):
        expected = load_benchmark(name).expected
        assert sum(expected[f"test{fold}"] for fold in range(1, 6)) == total
        assert {expected[f"test{fold}"] + expected[f"train{fold}"] for fold in range(1, 6)} == {total}


# ── FERV39k ──────────────────────────────────────────────────────────────────────────────────────


def ferv39k(root: Path, *lines: str) -> Path:
    (root / "4_setups/All_scenes").mkdir(parents=True)
    (root / "4_setups/All_scenes/test_All.csv").write_text("\n".join(lines) + "\n")
    (root / "2_ClipsforFaceCrop").mkdir()
    return root


def test_ferv39k_clips_without_frames_are_skipped_and_without_a_folder_missing(tmp_path: Path) -> None:
    root = ferv39k(tmp_path, "Action/Sad/0010 Sad", "War/Fear/0002 Fear", "War/Happy/0003 Happy")
    write(root, "2_ClipsforFaceCrop/Action/Sad/0010/1.jpg")
    (root / "2_ClipsforFaceCrop/War/Fear/0002").mkdir(parents=True)
    release = read("ferv39k", root, "test")
    assert labels("ferv39k", release) == {"Action/Sad/0010": "sad", "War/Happy/0003": "happy"}
    assert release.samples[0].attributes == {"scene": "Action"}
    assert [s.what for s in release.skipped] == ["War/Fear/0002"]
    assert [s.what for s in release.missing(root)] == ["War/Happy/0003"]


@pytest.mark.parametrize("line", ["Action/Sad/0010,Sad", "Action/Sad/0010 Bored", "../../x Sad"])
def test_ferv39k_list_of_something_else_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"line 2: .* is not a clip's folder and its expression"):
        read("ferv39k", ferv39k(tmp_path, "Action/Sad/0010 Sad", line), "test")


def test_frames_of_a_folder_become_a_video_of_the_same_pictures_in_order_of_number(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        write_face(tmp_path / f"{number}.jpg", seed=number, side=64)
    with av.open(io.BytesIO(video_of_frames(tmp_path))) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 3
    for picture, number in zip(shown, (1, 2, 10), strict=True):
        stored = cv2.imread(str(tmp_path / f"{number}.jpg"))
        # Two decoders differ by some shades at edges of colour; another picture, or range of shades, by far more.
        assert np.abs(picture.astype(int) - stored[:, :, ::-1].astype(int)).mean() < 3


def test_frames_that_are_no_pictures_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "clip/1.jpg")
    with pytest.raises(MienError, match=r"clip/1\.jpg is not a JPEG"):
        video_of_frames(tmp_path / "clip")
    write_face(tmp_path / "half" / "1.jpg", seed=1, side=64)
    write(tmp_path, "half/2.jpg")
    with pytest.raises(MienError, match=r"half/2\.jpg is not a JPEG"):
        video_of_frames(tmp_path / "half")


# ── folders ──────────────────────────────────────────────────────────────────────────────────────


def test_sfew_takes_aligned_faces_where_there_are_any(tmp_path: Path) -> None:
    emotions = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
    write(tmp_path, *(f"Train/{emotion}/a.png" for emotion in emotions))
    assert read("sfew", tmp_path, "train").boxes == {}
    write(tmp_path, *(f"Train_Aligned_Faces_new/{emotion}/a.png" for emotion in emotions))
    release = read("sfew", tmp_path, "train")
    assert release.samples[0].file == "Train_Aligned_Faces_new/Angry/a.png"
    assert len(release.boxes) == 7
