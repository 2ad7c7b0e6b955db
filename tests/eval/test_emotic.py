"""EMOTIC as its users have it: the release's own annotations, two conversions of them, and what is wrong with each."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import tiny
import torch
from sklearn.linear_model import Ridge
from torch.nn import functional as F

from mien import Mien
from mien.data.clips import ClipSettings
from mien.data.store import Store
from mien.eval.benchmarks.emotic import DATABASES, EMOTIC, read_emotic
from mien.eval.benchmarks.emotic_fake import cells, struct, write_fake_emotic
from mien.eval.benchmarks.emotic_tables import ALPHABETICAL
from mien.eval.benchmarks.release import Release, labelled_clips, stage
from mien.eval.head import load_head
from mien.evaluate import evaluate_model, prepare_release
from mien.hub import ModelFolder
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip
from mien.prepare.sidecar import SidecarRow, read_sidecar
from mien.types import CATEGORIES, MienError

PICTURE = "mscoco/images/a.jpg"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("emotic")
    write_fake_emotic(root)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pictures without annotations."""
    for name in DATABASES:
        (tmp_path / "emotic" / name / "images").mkdir(parents=True)
    (tmp_path / "emotic" / PICTURE).write_bytes(b"")
    return tmp_path


def continuous(valence: float, arousal: float, dominance: float) -> np.ndarray:
    return struct([{"valence": valence, "arousal": arousal, "dominance": dominance}])


def person(**changes: Any) -> dict[str, Any]:
    """One of the training split."""
    return {
        "body_bbox": np.array([[1, 2, 30, 40]]),
        "annotations_categories": struct([{"categories": cells(["Peace", "Fear"])}]),
        "annotations_continuous": continuous(3.0, 4.0, 5.0),
        "gender": "Male",
        "age": "Adult",
    } | changes


def picture(people: Any, **changes: Any) -> dict[str, Any]:
    size = struct([{"n_col": 64, "n_row": 48}])
    return {"filename": "a.jpg", "folder": "mscoco/images", "image_size": size, "person": people} | changes


def write_mat(root: Path, *pictures: dict[str, Any], split: str = "train") -> None:
    (root / "Annotations").mkdir(exist_ok=True)
    scipy.io.savemat(root / "Annotations" / "Annotations.mat", {split: struct(pictures)})


def read_one(root: Path, people: Any, split: str = "train") -> Release:
    write_mat(root, picture(people), split=split)
    return read_emotic(root, split)


def positive(release: Release, index: int = 0) -> set[str]:
    scores = release.samples[index].labels.scores
    assert scores is not None
    assert set(scores) <= {0.0, 1.0}
    return {name for name, score in zip(CATEGORIES, scores, strict=True) if score}


# ── Annotations.mat ──────────────────────────────────────────────────────────────────────────────


def test_person_is_a_sample_with_labels_by_name_and_their_own_box(root: Path) -> None:
    release = read_one(root, struct([person()]))
    (sample,) = release.samples
    assert (sample.id, sample.file) == ("train/mscoco/images/a.jpg#1", "emotic/mscoco/images/a.jpg")
    assert (sample.video, sample.group) == ("emotic/mscoco/images/a~train-1", PICTURE)
    assert positive(release) == {"Peace", "Fear"}
    assert sample.labels.vad == (3.0, 4.0, 5.0)
    assert sample.attributes == {"gender": "Male", "age": "Adult"}
    assert release.boxes == {sample.video: (SidecarRow(time_s=0.0, track=0, xyxy=(1, 2, 30, 40)),)}
    assert release.skipped == ()


def test_several_persons_of_a_picture_are_numbered_and_have_a_box_each(root: Path) -> None:
    release = read_one(root, struct([person(), person(body_bbox=np.array([[5, 5, 9, 9]]))]))
    assert [sample.subject for sample in release.samples] == ["train-1", "train-2"]
    assert [rows[0].xyxy for rows in release.boxes.values()] == [(1, 2, 30, 40), (5, 5, 9, 9)]


def test_picture_that_is_annotated_twice_goes_on_numbering(root: Path) -> None:
    write_mat(root, picture(struct([person()])), picture(struct([person()])))
    assert [sample.subject for sample in read_emotic(root, "train").samples] == ["train-1", "train-2"]


@pytest.mark.parametrize("one", ["Doubt/Confusion", cells(["Doubt/Confusion"]), cells([" Doubt/Confusion "])])
def test_one_category_comes_as_a_cell_or_as_bare_text(root: Path, one: Any) -> None:
    answer = struct([{"categories": one}])
    assert positive(read_one(root, struct([person(annotations_categories=answer)]))) == {"Doubt/Confusion"}


def test_fields_may_stand_in_any_order(root: Path) -> None:
    turned = dict(reversed(list(person().items())))
    assert positive(read_one(root, struct([turned]))) == {"Peace", "Fear"}


def several(**changes: Any) -> dict[str, Any]:
    """A person of val or test, with two annotators."""
    answers = struct([{"categories": cells(["Peace"])}, {"categories": cells(["Anger", "Fear"])}])
    values = np.concatenate([continuous(1.0, 2.0, 3.0), continuous(2.0, 4.0, 9.0)], axis=1)
    return person(
        annotations_categories=answers,
        combined_categories=cells(["Anger", "Peace"]),
        annotations_continuous=values,
        combined_continuous=continuous(1.5, 3.0, 6.0),
        **changes,
    )


def test_of_several_annotators_what_the_release_combines_counts(root: Path) -> None:
    release = read_one(root, struct([several()]), "test")
    assert positive(release) == {"Anger", "Peace"}
    assert release.samples[0].labels.vad == (1.5, 3.0, 6.0)


def test_test_person_without_combined_category_is_skipped_whatever_annotators_say(root: Path) -> None:
    release = read_one(root, struct([several() | {"combined_categories": np.zeros((0, 0))}, several()]), "test")
    assert [sample.subject for sample in release.samples] == ["test-2"]
    assert release.skipped[0].what == "test/mscoco/images/a.jpg#1"
    assert "no category" in release.skipped[0].reason


@pytest.mark.parametrize("vad", [continuous(np.nan, 5.0, 5.0), continuous(np.nan, np.nan, np.nan), np.zeros((0, 0))])
def test_person_without_all_continuous_values_is_skipped(root: Path, vad: np.ndarray) -> None:
    release = read_one(root, struct([person(annotations_continuous=vad), person()]))
    assert [sample.subject for sample in release.samples] == ["train-2"]
    assert "continuous values are n" in release.skipped[0].reason


def test_boxes_may_leave_the_picture(root: Path) -> None:
    release = read_one(root, struct([person(body_bbox=np.array([[-7, -3, 99, 55]]))]))
    assert release.boxes["emotic/mscoco/images/a~train-1"][0].xyxy == (-7, -3, 99, 55)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([[64, 0, 70, 10]], "misses the picture of 64 48 pixels"),
        ([[-9, 0, 0, 10]], "misses the picture"),
        ([[9, 5, 9, 10]], "is empty"),
        (np.zeros((0, 0)), "not there, not x1 y1 x2 y2"),
        ([[1, 2, 3]], "1 2 3, not x1 y1 x2 y2"),
    ],
)
def test_box_that_shows_nothing_is_skipped(root: Path, box: Any, reason: str) -> None:
    release = read_one(root, struct([person(body_bbox=np.array(box))]))
    assert not release.samples
    assert reason in release.skipped[0].reason


def test_picture_without_a_person_is_listed(root: Path) -> None:
    assert read_one(root, np.zeros((0, 0))).skipped[0].what == PICTURE


def test_unknown_category_names_file_person_and_word(root: Path) -> None:
    answer = struct([{"categories": cells(["Peace", "Joy"])}])
    with pytest.raises(MienError, match=r"Annotations.mat, train\(1\).person\(2\): 'Joy' is none of"):
        read_one(root, struct([person(), person(annotations_categories=answer)]))


def test_fake_has_every_fault_that_is_known(fake: Path) -> None:
    reasons = {split: [s.reason for s in read_emotic(fake, split).skipped] for split in EMOTIC.splits}
    assert [reason.split(":")[0] for reason in reasons["train"]] == [
        "the picture is known to be corrupt",
        "the continuous values are nan 5 nan",
    ]
    assert reasons["val"] == []
    assert reasons["test"] == ["no category is annotated, or combined from several annotators'"]
    boxes = [rows[0].xyxy for rows in read_emotic(fake, "train").boxes.values()]
    assert (-12, -7, 64, 105) in boxes
    assert {sample.file.split("/")[1] for sample in read_emotic(fake, "train").samples} == set(DATABASES)


def test_persons_of_one_picture_are_staged_apart(fake: Path, tmp_path: Path) -> None:
    release = read_emotic(fake, "val")
    assert release.missing(fake) == ()
    assert stage(fake, [release], tmp_path) == len(release.samples)
    for sample in release.samples:
        assert (tmp_path / f"{sample.video}.jpg").resolve() == (fake / sample.file).resolve()
        assert tuple(read_sidecar(tmp_path / f"{sample.video}.boxes.csv")) == release.boxes[sample.video]


# ── its conversions ──────────────────────────────────────────────────────────────────────────────


def write_table(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def converted(**changes: Any) -> dict[str, Any]:
    return {
        "Index": 0, "Folder": "mscoco/images", "Filename": "a.jpg", "Image Size": [64, 48], "BBox": [1, 2, 30, 40],
        "Categorical_Labels": ["Peace", "Fear"], "Continuous_Labels": [3, 4.5, 5], "Gender": "Male", "Age": "Adult",
    } | changes  # fmt: skip


@pytest.mark.parametrize("folder", ["emotic_pre", "."])
def test_converted_table_reads_as_the_release_does(root: Path, folder: str) -> None:
    write_table(root / folder / "val.csv", converted(), converted(Categorical_Labels=["Yearning"]))
    release = read_emotic(root, "val")
    assert [sample.video for sample in release.samples] == [f"emotic/mscoco/images/a~val-{n}" for n in (1, 2)]
    assert (positive(release), positive(release, 1)) == ({"Peace", "Fear"}, {"Yearning"})
    assert release.samples[0].labels.vad == (3.0, 4.5, 5.0)
    assert release.samples[0].attributes == {"gender": "Male", "age": "Adult"}
    assert release.boxes["emotic/mscoco/images/a~val-1"][0].xyxy == (1, 2, 30, 40)


def one_hot(order: tuple[str, ...], *names: str) -> list[float]:
    return [float(name in names) for name in order]


def test_converted_row_of_a_picture_outside_the_root_is_refused(root: Path) -> None:
    write_table(root / "val.csv", converted(Filename="../../../../picture.jpg"))
    with pytest.raises(MienError, match=r"picture\.jpg' is not below the release's root"):
        read_emotic(root, "val")


def test_array_beside_the_table_is_in_alphabetical_order(root: Path) -> None:
    table = write_table(root / "val.csv", converted())
    np.save(root / "val_cat_arr.npy", [one_hot(ALPHABETICAL, "Peace", "Fear")])
    assert ALPHABETICAL[:3] == ("Affection", "Anger", "Annoyance")
    assert positive(read_emotic(root, "val")) == {"Peace", "Fear"}
    np.save(root / "val_cat_arr.npy", [one_hot(CATEGORIES, "Peace", "Fear")])
    with pytest.raises(
        MienError, match=rf"{table}, line 2: the labels are Fear, Peace, but row 0 .* Affection, Surprise"
    ):
        read_emotic(root, "val")
    np.save(root / "val_cat_arr.npy", np.zeros((0, 26)))
    with pytest.raises(MienError, match=r"1 rows, and val_cat_arr\.npy 0"):
        read_emotic(root, "val")


def test_converted_row_without_categories_or_with_nan_is_skipped(root: Path) -> None:
    write_table(root / "test.csv", converted(Categorical_Labels=[]), converted(Continuous_Labels="[nan, 1, 2]"))
    release = read_emotic(root, "test")
    assert not release.samples
    assert [s.reason[:20] for s in release.skipped] == ["no category is annot", "the continuous value"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Categorical_Labels": "Peace"}, "line 2: Categorical_Labels is 'Peace', not a list of words"),
        ({"BBox": "[1, x]"}, r"line 2: BBox is '\[1, x\]', not a list of numbers"),
        ({"Categorical_Labels": ["Doubt"]}, "line 2: 'Doubt' is none of"),
    ],
)
def test_converted_row_that_makes_no_sense_is_named(root: Path, changes: dict[str, Any], message: str) -> None:
    write_table(root / "train.csv", converted(**changes))
    with pytest.raises(MienError, match=message):
        read_emotic(root, "train")


def arrays(**changes: Any) -> dict[str, Any]:
    labels = dict(zip(CATEGORIES, one_hot(CATEGORIES, "Esteem", "Pain"), strict=True))
    return {
        "Filename": "a.jpg", "Width": 64, "Height": 48, "Age": "Adult", "Gender": "Male", "Valence": 3.0,
        "Arousal": 4.0, "Dominance": 5.0, **labels, "X_min": 1, "Y_min": 2, "X_max": 30, "Y_max": 40,
        "Arr_name": "img_arr_train_0.npy", "Crop_name": "crop_arr_train_0.npy",
    } | changes  # fmt: skip


def test_table_of_the_arrays_finds_pictures_by_name(root: Path) -> None:
    write_table(root / "annots_arrs" / "annot_arrs_train.csv", arrays(), arrays(Filename="b.jpg"))
    release = read_emotic(root, "train")
    (sample,) = release.samples
    assert sample.file == "emotic/mscoco/images/a.jpg"
    assert positive(release) == {"Esteem", "Pain"}
    assert sample.labels.vad == (3.0, 4.0, 5.0)
    assert release.boxes[sample.video][0].xyxy == (1, 2, 30, 40)
    assert release.skipped[0].what == "train/b.jpg#1"
    assert "no picture" in release.skipped[0].reason


def test_picture_of_a_name_that_two_databases_have_is_not_guessed(root: Path) -> None:
    (root / "emotic" / "ade20k" / "images" / "a.jpg").write_bytes(b"")
    write_table(root / "annots_arrs" / "annot_arrs_train.csv", arrays(Folder=""), arrays(Folder="ade20k/images"))
    release = read_emotic(root, "train")
    assert [sample.file for sample in release.samples] == ["emotic/ade20k/images/a.jpg"]
    assert "more than one" in release.skipped[0].reason


def test_arrays_without_pictures_are_refused_by_what_is_wanted(tmp_path: Path) -> None:
    write_table(tmp_path / "annots_arrs" / "annot_arrs_train.csv", arrays())
    (tmp_path / "img_arrs").mkdir()
    with pytest.raises(MienError, match=r"no pictures: emotic/ with mscoco.*the arrays in img_arrs, .* are not read"):
        read_emotic(tmp_path, "train")


def test_label_that_is_neither_0_nor_1_is_named(root: Path) -> None:
    write_table(root / "annots_arrs" / "annot_arrs_val.csv", arrays(Anger=0.5))
    with pytest.raises(MienError, match=r"annot_arrs_val.csv, line 2: Anger is '0.5'; it must be 0 or 1"):
        read_emotic(root, "val")


# ── roots that are no such release ───────────────────────────────────────────────────────────────


def test_split_that_is_none_is_refused(fake: Path) -> None:
    with pytest.raises(MienError, match="no split 'dev'; it has train, val, test"):
        read_emotic(fake, "dev")


def test_folder_of_the_pictures_is_told_from_the_root(fake: Path) -> None:
    with pytest.raises(MienError, match=rf"it is the folder of the pictures: name {fake}$"):
        read_emotic(fake / "emotic", "train")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("Annotations/CVPR17_Annotations.mat", "CVPR17_Annotations.mat are the annotations of 2017"),
        ("Annotations.zip", "unpack Annotations.zip"),
        ("emotic_pre/val.csv", "there is emotic_pre/val.csv, so copy the one of 'train' beside it"),
        ("videos/003/x.mp4", "name the folder that holds Annotations and emotic"),
    ],
)
def test_root_without_annotations_is_told_what_it_is(root: Path, file: str, message: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(b"")
    with pytest.raises(MienError, match=message):
        read_emotic(root, "train")


def test_another_sets_table_is_refused_by_its_columns(root: Path) -> None:
    write_table(root / "train.csv", {"Utterance": "hello", "Emotion": "joy"})
    with pytest.raises(MienError, match=r"train.csv, line 1: no column Folder, Filename"):
        read_emotic(root, "train")


def test_half_an_unpacking_is_refused_by_the_database_that_is_missing(root: Path) -> None:
    (root / "emotic" / "framesdb" / "images").rmdir()
    write_mat(root, picture(struct([person()]), folder="framesdb/images"))
    with pytest.raises(MienError, match=r"framesdb/images is not there, and 1 persons are in it; unpack emotic.zip"):
        read_emotic(root, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not matlab's", "cannot be read"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n".ljust(512), "cannot be read"),
    ],
)
def test_file_that_is_not_matlabs_is_refused(root: Path, content: bytes, message: str) -> None:
    (root / "Annotations").mkdir()
    (root / "Annotations" / "Annotations.mat").write_bytes(content)
    with pytest.raises(MienError, match=message):
        read_emotic(root, "train")


def test_file_cut_short_is_refused(fake: Path, root: Path) -> None:
    (root / "Annotations").mkdir()
    whole = (fake / "Annotations" / "Annotations.mat").read_bytes()
    (root / "Annotations" / "Annotations.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MienError, match=r"Annotations.mat"):
        read_emotic(root, "test")


def test_mat_of_something_else_is_refused(root: Path) -> None:
    (root / "Annotations").mkdir()
    scipy.io.savemat(root / "Annotations" / "Annotations.mat", {"x": np.zeros(3), "train": np.zeros(3)})
    with pytest.raises(MienError, match="no struct array"):
        read_emotic(root, "train")
    with pytest.raises(MienError, match="has no 'val'; it has x, train"):
        read_emotic(root, "val")


def test_protocol_asks_for_pictures_features() -> None:
    protocol = EMOTIC.protocol()
    assert (protocol.features, protocol.report) == ("frame", ("val", "test"))
    assert [task.probe.model_dump() for task in protocol.tasks] == [
        {"kind": "one_vs_rest", "C": 2.5},
        {"kind": "ridge", "alpha": 1.0},
    ]


@pytest.mark.slow
def test_evaluation_reads_single_frames_not_clips_of_one(fake: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = tiny.CONFIG.model
    folder = ModelFolder(architecture=config, preprocess=Preprocess(image_size=16), clip=ClipSettings(num_frames=3))
    model = Mien(VideoClip(config), config=folder, tokenizer=None, device="cpu")
    model.save_pretrained(tmp_path / "model")
    store = tmp_path / "store"
    prepare_release(EMOTIC, root=fake, store=store, splits=EMOTIC.splits)
    result = evaluate_model("emotic", model=str(tmp_path / "model"), root=fake, store=store, heads=tmp_path / "heads")
    assert (result.num_train, result.num_used, result.num_skipped, result.boxes) == (14, 14, 2, "sidecar")
    clips, _ = labelled_clips(read_emotic(fake, "train"), opened := Store(store))
    embeddings = [model.embed_first_frames(batch) for batch in model.loader(opened, [c.clip for c in clips])]
    x = F.normalize(torch.cat(embeddings), dim=-1).numpy()
    y = np.array([c.labels.vad for c in clips])
    expected = Ridge(alpha=1.0).fit(x.astype(np.float64), y)
    head = load_head(tmp_path / "heads" / "vad.safetensors").probe
    assert head.weight == pytest.approx(expected.coef_, abs=1e-4)
