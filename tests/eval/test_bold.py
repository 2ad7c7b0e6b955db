import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from mien import Mien
from mien.data.clips import ClipSettings
from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.bold import read_bold
from mien.eval.benchmarks.bold_annotations import COLUMNS, Extents, boxes_of, read_extents, read_rows
from mien.eval.benchmarks.bold_fake import write_fake_bold
from mien.eval.benchmarks.release import stage
from mien.evaluate import evaluate_model, prepare_release
from mien.hub import ModelFolder
from mien.media.transforms import Preprocess
from mien.media.video import frame_rate
from mien.models.video_clip import VideoClip
from mien.prepare.sidecar import SUFFIX, SidecarRow, boxes_at, read_sidecar
from mien.theatre.drawn import write_drawn_video
from mien.types import CATEGORIES, MienError

pytestmark = pytest.mark.slow  # together they take long

VIDEO = "003/IzvOYVMltkI.mp4/0114"
SCORES = [round(c / 26, 3) for c in range(26)]
ROW = [f"{VIDEO}.mp4", 1, 2, 4, *SCORES, 5.5, 6, 2.25, "Female", "Adult", "White", 0.875]


def line(**changes: object) -> str:
    fields = dict(zip(COLUMNS, ROW, strict=True)) | changes
    return ",".join(str(value) for value in fields.values()) + "\n"


def joints_row(frame: int, person: int, *points: tuple[float, float]) -> list[float]:
    """Joints at `points`, the others not detected."""
    joints = np.zeros((18, 3))
    for k, point in enumerate(points):
        joints[k] = (*point, 0.7)
    return [frame, person, *joints.ravel()]


def two_people() -> np.ndarray:
    """Person 0 in source frames 500 to 503, person 1 in 502 (a joint) and 503 (none), by turns; 504 is empty."""
    return np.array([
        joints_row(500, 0, (0.0, 0.5)), joints_row(501, 0, (1, 1)), joints_row(502, 0, (2, 2)),
        joints_row(502, 1, (10.5, 40.0), (30.0, 7.25), (12.0, 9.0)), joints_row(503, 0, (3, 3)), joints_row(503, 1),
        joints_row(505, 1, (8.0, 6.0)),
    ])  # fmt: skip


def write_tree(root: Path, text: str, *, joints: np.ndarray | None = None, fps: int = 10) -> Path:
    """A release of one clip whose train.csv is `text`."""
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "train.csv").write_text(text, encoding="utf-8")
    write_drawn_video(root / "videos" / f"{VIDEO}.mp4", seed=1, num_frames=10, width=64, height=64, fps=fps)
    (root / "joints" / VIDEO).parent.mkdir(parents=True)
    np.save(root / "joints" / f"{VIDEO}.npy", two_people() if joints is None else joints)
    return root


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bold")
    write_fake_bold(root)
    return root


# ── labels ───────────────────────────────────────────────────────────────────────────────────────


def test_columns_without_header_are_read_in_the_released_order(tmp_path):
    (sample,) = read_bold(write_tree(tmp_path, line()), "train").samples
    assert sample.labels.scores == tuple(SCORES)
    assert dict(zip(CATEGORIES, sample.labels.scores, strict=True))["Doubt/Confusion"] == round(11 / 26, 3)
    assert sample.labels.vad == (5.5, 6.0, 2.25)
    assert sample.attributes == {"gender": "Female", "age": "Adult", "ethnicity": "White", "confidence": "0.875"}
    assert (sample.file, sample.subject) == (f"videos/{VIDEO}.mp4", "1")
    assert sample.video == f"videos/{VIDEO}~1"
    assert sample.group == "003/IzvOYVMltkI.mp4"


def test_person_annotated_twice_in_a_clip_is_two_samples(tmp_path):
    samples = read_bold(write_tree(tmp_path, line() + line(min_frame=0)), "train").samples
    assert [sample.id for sample in samples] == [f"{VIDEO}.mp4#1:1", f"{VIDEO}.mp4#1:2"]


def test_attribute_that_was_not_given_is_left_out(tmp_path):
    (sample,) = read_bold(write_tree(tmp_path, line(ethnicity="")), "train").samples
    assert "ethnicity" not in sample.attributes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(Fear="high"), "line 1: Fear is 'high', not a number"),
        (line() + line(Peace=5.2), r"line 2: Peace is 5.2; scores lie in \[0, 1\]"),
        (line(arousal="nan"), "line 1: arousal is 'nan', not a number"),
        (line(person_id="1.5"), "line 1: person_id is '1.5'; it must be a whole number"),
        (line(max_frame=1), "line 1: max_frame 1 is before min_frame 2"),
        (line(video="video"), "line 1: 'video' is no video of BoLD, .* no header"),
        (line(video="../a.mp4"), "line 1: '../a.mp4' is no video of BoLD"),
        (f"{VIDEO}.mp4,1,2,4\n", "line 1: 4 columns and no labels, as in test_meta.csv"),
        ("a,b\n", "line 1: 2 columns where BoLD has 37"),
    ],
)
def test_line_that_makes_no_sense_is_named(tmp_path, text, message):
    path = tmp_path / "train.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MienError, match=message):
        list(read_rows(path))


def test_csv_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "train.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MienError, match=r"train.csv, after line 0"):
        list(read_rows(tmp_path / "train.csv"))


# ── boxes ────────────────────────────────────────────────────────────────────────────────────────


def test_box_is_the_extent_of_the_detected_joints(tmp_path):
    extents = read_extents(npy(tmp_path, two_people()))
    assert extents.xyxy[3].tolist() == [10, 7, 30, 40]
    assert extents.is_detected.tolist() == [True] * 5 + [False, True]


def test_single_joint_is_a_box_of_a_pixel(tmp_path):
    extents = read_extents(npy(tmp_path, two_people()))
    assert extents.xyxy[1].tolist() == [1, 1, 2, 2]


def test_frames_count_from_the_smallest_in_the_clip_whoever_it_is(tmp_path):
    extents = read_extents(npy(tmp_path, two_people()))
    assert extents.frame.tolist() == [0, 1, 2, 2, 3, 3, 5]
    assert read_extents(npy(tmp_path, two_people()[::-1])).frame.tolist() == [5, 3, 3, 2, 2, 1, 0]


def test_boxes_are_of_one_person_and_none_where_no_joint_was_detected(tmp_path):
    release = read_bold(write_tree(tmp_path, line(), fps=10), "train")
    rows = release.boxes[f"videos/{VIDEO}~1"]
    assert [(row.time_s, row.score) for row in rows] == [(0.1, 0), (0.2, 1), (0.3, 0), (0.4, 0), (0.5, 1), (0.6, 0)]
    assert {row.track for row in rows} == {1}
    assert rows[1].xyxy == (10, 7, 30, 40)
    table = boxes_at(list(rows), np.arange(10) / 10, fps=8, width=64, height=64)
    assert table.frame[table.score >= 0.35].tolist() == [2, 5]


def test_person_at_the_first_frame_has_no_box_before_it():
    extents = Extents(
        frame=np.array([0]), person=np.array([4]), xyxy=np.array([[1.0, 2, 3, 4]]), is_detected=np.array([True])
    )
    assert [(row.time_s, row.score) for row in boxes_of(extents, person=4, fps=25.0)] == [(0, 1), (0.04, 0)]


def test_person_without_joints_has_no_boxes_and_stays_a_sample(tmp_path):
    release = read_bold(write_tree(tmp_path, line(person_id=7)), "train")
    assert len(release.samples) == 1
    assert release.boxes == {f"videos/{VIDEO}~7": ()}


def test_clip_without_anybodys_joints_is_read(tmp_path):
    release = read_bold(write_tree(tmp_path, line(), joints=np.zeros((0, 56))), "train")
    assert release.boxes == {f"videos/{VIDEO}~1": ()}


@pytest.mark.parametrize("fps", [10, 25])
def test_times_go_by_the_frame_rate_of_the_video(tmp_path, fps):
    root = write_tree(tmp_path, line(), fps=fps)
    assert frame_rate(root / "videos" / f"{VIDEO}.mp4") == fps
    rows = read_bold(root, "train").boxes[f"videos/{VIDEO}~1"]
    assert [row.time_s for row in rows if row.score] == [2 / fps, 5 / fps]


def test_boxes_are_made_when_asked_for(tmp_path, monkeypatch):
    """All of them at once would take 700 MB of the real set. (Type checks under test look at the first.)"""
    made = list[int]()

    def told(extents: Extents, *, person: int, fps: float) -> tuple[SidecarRow, ...]:
        made.append(person)
        return boxes_of(extents, person=person, fps=fps)

    monkeypatch.setattr("mien.eval.benchmarks.bold.boxes_of", told)
    release = read_bold(write_tree(tmp_path, line() + line(person_id=0)), "train")
    assert list(release.boxes) == [f"videos/{VIDEO}~1", f"videos/{VIDEO}~0"]
    assert 0 not in made
    assert len(release.boxes[f"videos/{VIDEO}~0"]) == 5
    assert 0 in made


def npy(folder: Path, table: np.ndarray) -> Path:
    np.save(folder / "0000.npy", table)
    return folder / "0000.npy"


# ── which frames ─────────────────────────────────────────────────────────────────────────────────


def test_paper_takes_the_whole_clip_and_annotated_the_range(tmp_path):
    root = write_tree(tmp_path, line(), fps=10)
    (whole,), (part,) = (read_bold(root, split).samples for split in ("train", "train_annotated"))
    assert (whole.start_s, whole.end_s) == (0, None)
    assert (part.start_s, part.end_s) == (0.2, 0.5)  # frames 2, 3 and 4
    assert (whole.video, whole.labels) == (part.video, part.labels)


@pytest.mark.parametrize(
    ("protocol", "splits"), [("paper", ("train", "val")), ("annotated", ("train_annotated", "val_annotated"))]
)
def test_protocols_score_val_with_the_published_probes_and_the_challenges_score(protocol, splits):
    bold = load_benchmark("bold")
    scored = bold.protocol(protocol)
    assert (scored.name, scored.train_split, *scored.report) == (protocol, *splits)
    assert {task.name: task.probe.model_dump(mode="json") for task in scored.tasks} == {
        "categories": {"kind": "one_vs_rest", "C": 3.16},
        "vad": {"kind": "ridge", "alpha": 1.0},
    }
    assert scored.tasks[0].positive_at == 0.5
    assert {(term.task, term.metric): term.weight for term in scored.combined[0].terms} == {
        ("vad", "r2"): 0.5,
        ("categories", "macro_map"): 0.25,
        ("categories", "macro_auc"): 0.25,
    }


def test_official_counts_are_known():
    expected = load_benchmark("bold").expected
    assert [expected[split] for split in ("train", "val", "test")] == [9222, 1153, 2864]
    assert expected["train_annotated"] == 9222


# ── what is missing or broken ────────────────────────────────────────────────────────────────────


def test_clip_without_joints_file_is_skipped_with_the_reason(tmp_path):
    root = write_tree(tmp_path, line() + line(video="003/other.mp4/0001.mp4"))
    release = read_bold(root, "train")
    assert len(release.samples) == 1
    assert [each.what for each in release.skipped] == ["003/other.mp4/0001.mp4#1:2"]
    assert "joints/003/other.mp4/0001.npy is missing" in release.skipped[0].reason


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((3, 54)), r"has shape \(3, 54\) where BoLD's joints have \(rows, 56\)"),
        (np.full((3, 56), np.nan), "not finite"),
        (np.array([["a"] * 56]), "not finite"),
    ],
)
def test_joints_of_another_kind_are_told(tmp_path, joints, message):
    with pytest.raises(MienError, match=message):
        read_extents(npy(tmp_path, joints))


def test_broken_joints_or_video_cost_the_samples_of_that_clip(tmp_path):
    root = write_tree(tmp_path, line())
    joints, video = root / "joints" / f"{VIDEO}.npy", root / "videos" / f"{VIDEO}.mp4"
    whole = joints.read_bytes()
    joints.write_bytes(whole[:200])
    assert "cannot be read" in read_bold(root, "train").skipped[0].reason
    joints.write_bytes(whole)
    video.write_bytes(b"not a video")
    assert "cannot be read as a video" in read_bold(root, "train").skipped[0].reason


def test_missing_video_is_told_as_missing_and_has_no_known_range(tmp_path):
    root = write_tree(tmp_path, line())
    (root / "videos" / f"{VIDEO}.mp4").unlink()
    release = read_bold(root, "train")
    assert [each.what for each in release.missing(root)] == [f"{VIDEO}.mp4#1:1"]
    assert (release.skipped, release.boxes) == ((), {})
    (skipped,) = read_bold(root, "train_annotated").skipped
    assert "is missing, by whose frame rate frames 2 to 4 would be found" in skipped.reason


def test_test_split_is_refused_since_it_has_no_labels(fake):
    with pytest.raises(MienError, match=r"labels of BoLD's test split are withheld .*test_meta.csv\); score val"):
        read_bold(fake, "test")


def test_unknown_split_is_refused(fake):
    with pytest.raises(MienError, match="BoLD has no split 'dev'; it has train, val, test"):
        read_bold(fake, "dev")


def test_empty_csv_is_refused(tmp_path):
    with pytest.raises(MienError, match=r"train.csv is empty; extract"):
        read_bold(write_tree(tmp_path, ""), "train")


@pytest.mark.parametrize("folder", ["videos", "joints"])
def test_half_extracted_archive_is_refused(tmp_path, folder):
    root = write_tree(tmp_path, line())
    shutil.rmtree(root / folder)
    with pytest.raises(MienError, match=f"has annotations/train.csv, but no folder {folder}; extract all"):
        read_bold(root, "train")


def test_folder_above_or_below_is_told(tmp_path):
    root = write_tree(tmp_path / "BOLD_public", line())
    with pytest.raises(MienError, match=f"in {tmp_path}; give {root}$"):
        read_bold(tmp_path, "train")
    with pytest.raises(MienError, match=f"which is a part of BoLD; give {root}$"):
        read_bold(root / "joints", "train")


def test_emotic_is_told_from_bold(tmp_path):
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "Annotations.mat").touch()
    with pytest.raises(MienError, match="it is EMOTIC"):
        read_bold(tmp_path, "train")


# ── the fake ─────────────────────────────────────────────────────────────────────────────────────


def test_fake_has_the_released_layout_and_is_small(fake):
    files = {path.relative_to(fake).as_posix(): path for path in fake.rglob("*") if path.is_file()}
    assert {"annotations/train.csv", "annotations/val.csv", "annotations/test_meta.csv"} <= files.keys()
    videos = {name.removeprefix("videos/").removesuffix(".mp4") for name in files if name.startswith("videos/")}
    joints = {name.removeprefix("joints/").removesuffix(".npy") for name in files if name.startswith("joints/")}
    assert videos == joints
    assert all(video.startswith("003/") and ".mp4/" in video for video in videos)
    assert sum(path.stat().st_size for path in files.values()) < 1_000_000
    columns = [len(row.split(",")) for row in files["annotations/test_meta.csv"].read_text().splitlines()]
    assert columns == [4, 4]


def test_fake_has_people_by_turns_and_frames_and_joints_left_out(fake):
    joints = np.load(fake / "joints/003/Drawn-film_1.mp4/0007.npy")
    assert joints[:4, :2].tolist() == [[1312, 0], [1312, 4], [1313, 0], [1313, 4]]
    assert (joints[:, 2:] == 0).all(axis=1).any()
    first = joints[joints[:, 1] == 0, 0]
    assert np.diff(first).max() == 11
    assert read_bold(fake, "train").skipped == ()


def test_fake_boxes_become_sidecars_beside_links(fake, tmp_path):
    releases = [read_bold(fake, split) for split in ("train", "val")]
    assert stage(fake, releases, tmp_path) == 8
    video = "videos/003/Drawn-film_1.mp4/0007~4"
    assert (tmp_path / f"{video}.mp4").is_symlink()
    assert read_sidecar(tmp_path / f"{video}{SUFFIX}") == list(releases[0].boxes[video])


@pytest.mark.slow
def test_both_protocols_score_one_store_and_frames_without_joints_show_nobody(fake, tmp_path):
    bold = load_benchmark("bold")
    prepare_release(bold, root=fake, store=tmp_path / "store", splits=("train", "val"))
    boxes = Store(tmp_path / "store").boxes("videos/003/Drawn-film_1.mp4/0007~0")
    counted = boxes.frame[boxes.score >= 0.35]
    first, last = 40 / 24 * 8, 50 / 24 * 8  # source frames 40 to 49 of 24 a second, in stored frames
    assert not any(first <= frame < last for frame in counted)
    assert {13, 17} <= set(counted.tolist())  # the frames before and after; 13/8 s shows source frame 39

    torch.manual_seed(0)
    folder = ModelFolder(
        architecture=tiny.CONFIG.model, preprocess=Preprocess(image_size=16), clip=ClipSettings(num_frames=3)
    )
    Mien(VideoClip(tiny.CONFIG.model), config=folder, tokenizer=None, device="cpu").save_pretrained(tmp_path / "model")
    for protocol, split in (("paper", "val"), ("annotated", "val_annotated")):
        result = evaluate_model(
            "bold", model=str(tmp_path / "model"), root=fake, store=tmp_path / "store", protocol=protocol
        )
        assert (result.split, result.num_train, result.num_used, result.num_skipped) == (split, 5, 3, 0)
        labels, r2 = result.task("categories").metrics, result.task("vad").metrics["r2"]
        assert r2 is not None
        assert labels["macro_map"] is not None
        assert labels["macro_auc"] is not None
        (ers,) = result.combined
        assert ers.value == pytest.approx(0.5 * (r2 + 0.5 * (labels["macro_map"] + labels["macro_auc"])))
