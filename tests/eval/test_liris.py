"""LIRIS-ACCEDE, continuous: files found by name, seconds as samples, labels and films of unequal length."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.benchmarks.liris import INNER, LIRIS, SPLITS, read_liris
from mien.eval.benchmarks.liris_annotations import Second, read_seconds
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.benchmarks.verify import verify
from mien.eval.features import features_of
from mien.eval.tasks import run_task
from mien.evaluate import prepare_release
from mien.media.sampling import evenly
from mien.types import MienError

pytestmark = pytest.mark.slow  # together they take long

HEADER = "Time\tValence\tArousal\n"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fake") / "liris"
    write_fake(LIRIS, root)
    return root


def write_labels(folder: Path, *numbers: int, rows: int = 1) -> None:
    """Tables of so many seconds, valence 0.5 and arousal −0.25 all the time, without films."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{second}\t0.5\t-0.25\n" for second in range(rows))
    for number in numbers:
        (folder / f"MEDIAEVAL18_{number:02d}_Valence-Arousal.txt").write_text(HEADER + lines)


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "MEDIAEVAL18_00_Valence-Arousal.txt"
    path.write_bytes(text.encode())
    return path


# ── which films and seconds ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("split", "first", "last", "num_films"),
    [("dev", "00", "53", 54), ("test", "54", "65", 12), ("train", "00", "43", 44), ("val", "44", "53", 10)],
)
def test_split_goes_by_the_numbers_of_films(fake: Path, split: str, first: str, last: str, num_films: int) -> None:
    films = list(dict.fromkeys(sample.group for sample in read_liris(fake, split).samples))
    assert (films[0], films[-1], len(films)) == (f"MEDIAEVAL18_{first}", f"MEDIAEVAL18_{last}", num_films)
    assert films == sorted(films)


def test_a_sample_is_a_moment_with_valence_and_arousal(fake: Path) -> None:
    sample = next(s for s in read_liris(fake, "test").samples if s.id == "MEDIAEVAL18_54@3")
    assert sample.file == "MEDIAEVAL18-TestSet-Data/data/MEDIAEVAL18_54.mp4"
    assert (sample.start_s, sample.end_s) == (3.0, 3.0)
    assert sample.labels.vad == pytest.approx((0.5 * np.sin(55), 0.5 * np.cos(108.75)), abs=1e-6)
    assert LIRIS.classes.vad == ("valence", "arousal")


def test_labels_after_the_end_of_the_film_are_skipped_and_told(fake: Path) -> None:
    release = read_liris(fake, "dev")
    assert [s.start_s for s in release.samples if s.group == "MEDIAEVAL18_00"] == [*range(10)]
    late = {s.what: s.reason for s in release.skipped if s.what.startswith("MEDIAEVAL18_00")}
    assert list(late) == ["MEDIAEVAL18_00@10", "MEDIAEVAL18_00@11"]
    assert set(late.values()) == {"labelled after the film's end at 10.000 s"}


def test_film_46_has_labels_of_its_beginning_only_and_results_say_so(fake: Path) -> None:
    assert [s.start_s for s in read_liris(fake, "dev").samples if s.group == "MEDIAEVAL18_46"] == [0, 1, 2]
    assert "Film 46" in LIRIS.notes


def test_second_without_two_numbers_is_skipped(fake: Path) -> None:
    release = read_liris(fake, "dev")
    assert "MEDIAEVAL18_30@5" not in {sample.id for sample in release.samples}
    assert [s.reason for s in release.skipped if s.what == "MEDIAEVAL18_30@5"] == ["no numbers in line 7 of its labels"]


def test_inner_seconds_are_those_the_released_code_fits_on(tmp_path: Path) -> None:
    """Of ten seconds it keeps i with i ≥ 4 and 10 − i ≥ 4."""
    write_labels(tmp_path, *range(53), rows=10)
    write_labels(tmp_path, 53, rows=7)
    inner = read_liris(tmp_path, INNER).samples
    assert [s.start_s for s in inner if s.group == "MEDIAEVAL18_00"] == [4, 5, 6]
    assert [s.start_s for s in inner if s.group == "MEDIAEVAL18_53"] == []
    assert len(read_liris(tmp_path, "dev").samples) == 537


def test_inner_seconds_end_before_the_film_where_that_is_the_shorter(fake: Path) -> None:
    inner = read_liris(fake, INNER)
    assert [s.start_s for s in inner.samples if s.group == "MEDIAEVAL18_00"] == [4, 5, 6]
    assert [s.start_s for s in inner.samples if s.group == "MEDIAEVAL18_30"] == [4]  # 5 has no number


# ── where files are ──────────────────────────────────────────────────────────────────────────────


def test_files_are_found_however_folders_were_merged(fake: Path, tmp_path: Path) -> None:
    for file in fake.rglob("MEDIAEVAL18_*"):
        if file.name.endswith((".mp4", "Arousal.txt")):
            shutil.copy(file, tmp_path)
    merged, apart = read_liris(tmp_path, "test"), read_liris(fake, "test")
    assert [(s.id, s.labels) for s in merged.samples] == [(s.id, s.labels) for s in apart.samples]
    assert merged.samples[0].file == "MEDIAEVAL18_54.mp4"


def test_films_of_the_system_that_packed_them_are_none(fake: Path, tmp_path: Path) -> None:
    write_labels(tmp_path, *SPLITS["test"])
    (tmp_path / "._MEDIAEVAL18_54.mp4").write_bytes(b"Mac OS X")
    release = read_liris(tmp_path, "test")
    assert {each.reason for each in release.missing(tmp_path)} >= {f"MEDIAEVAL18_54.mp4 is not in {tmp_path}"}
    assert len(release.missing(tmp_path)) == len(release.samples) == 12


def test_film_that_cannot_be_read_costs_its_seconds(tmp_path: Path) -> None:
    write_labels(tmp_path, *SPLITS["test"], rows=2)
    (tmp_path / "MEDIAEVAL18_60.mp4").write_bytes(b"cut off")
    release = read_liris(tmp_path, "test")
    assert [each.what for each in release.skipped] == ["MEDIAEVAL18_60@0", "MEDIAEVAL18_60@1"]
    assert len(release.samples) == 22


def test_film_whose_header_tells_no_length_keeps_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.eval.benchmarks.liris.header_duration_s", lambda path: 0.0)
    write_labels(tmp_path, *SPLITS["test"], rows=2)
    (tmp_path / "MEDIAEVAL18_60.mp4").touch()
    assert len(read_liris(tmp_path, "test").samples) == 24


def test_copies_of_labels_must_say_the_same(tmp_path: Path) -> None:
    write_labels(tmp_path / "a", *SPLITS["test"])
    write_labels(tmp_path / "b", 57)
    assert len(read_liris(tmp_path, "test").samples) == 12
    write_labels(tmp_path / "b", 57, rows=2)
    with pytest.raises(MienError, match=r"a/MEDIAEVAL18_57_.* and .*b/MEDIAEVAL18_57_.* differ"):
        read_liris(tmp_path, "test")


def test_copies_of_a_film_must_be_of_one_size(tmp_path: Path) -> None:
    write_labels(tmp_path, *SPLITS["test"])
    for folder, content in (("a", b"1"), ("b", b"22")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "MEDIAEVAL18_54.mp4").write_bytes(content)
    with pytest.raises(MienError, match=r"a/MEDIAEVAL18_54\.mp4 and .*b/MEDIAEVAL18_54\.mp4 differ"):
        read_liris(tmp_path, "test")


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def test_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no split 'train2'; it has dev, test"):
        read_liris(tmp_path, "train2")


def test_release_without_a_films_labels_is_refused(tmp_path: Path) -> None:
    write_labels(tmp_path, *range(50))
    with pytest.raises(MienError, match=r"no labels of films 50, 51, 52, 53 \(4 of the 54 of dev\)"):
        read_liris(tmp_path, "dev")


def test_test_without_labels_is_refused(tmp_path: Path) -> None:
    write_labels(tmp_path, *range(54))
    with pytest.raises(MienError, match=r"the labels of test are an archive of their own"):
        read_liris(tmp_path, "test")


def test_one_part_is_not_the_root(tmp_path: Path) -> None:
    part = tmp_path / "MEDIAEVAL18-DevSet-Part1-Valence_Arousal-annotations"
    write_labels(part / "annotations", *range(14))
    with pytest.raises(MienError, match=rf"one part of the release; give {re.escape(str(tmp_path))},"):
        read_liris(part, "dev")


def test_archives_that_are_left_to_extract_are_named(tmp_path: Path) -> None:
    write_labels(tmp_path, *range(44))
    for part in ("Valence_Arousal-annotations", "Visual_features"):
        (tmp_path / f"MEDIAEVAL18-DevSet-Part3-{part}.zip").touch()
    with pytest.raises(MienError, match=r"archives are: MEDIAEVAL18-DevSet-Part3-Valence_Arousal-annotations\.zip;"):
        read_liris(tmp_path, "dev")


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("annotations/ACCEDEranking.txt", "the discrete LIRIS-ACCEDE, another product"),
        ("annotations/ACCEDEsets.txt", "the discrete LIRIS-ACCEDE"),
        ("ACCEDEdescription.xml", "the discrete LIRIS-ACCEDE"),
        ("data/MEDIAEVAL17_00.mp4", "the challenge of an earlier year"),
    ],
)
def test_what_looks_like_it_is_called_by_its_name(tmp_path: Path, file: str, what: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(MienError, match=what):
        read_liris(tmp_path, "dev")


# ── tables ───────────────────────────────────────────────────────────────────────────────────────


def test_columns_go_by_name_and_nothing_depends_on_marks_or_ends_of_lines(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffArousal\tTime\tValence\r\n-0.25\t0\t0.5\r\nNaN\t1\t0.5\r\n\r\n")
    assert read_seconds(path) == (
        Second(time_s=0.0, label=(0.5, -0.25), line=2),
        Second(time_s=1.0, label=None, line=3),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: the columns are \(none\)"),
        ("Time,Valence,Arousal\n0,1,1\n", r"line 1: the columns are Time,Valence,Arousal; .* with tabs"),
        (HEADER, "has no rows"),
        (HEADER + "0\t0.5\n", r"line 2: 2 of 3 values"),
        (HEADER + "0\t0.5\t0.1\n1\tx\t0.1\n", r"line 3: Valence is 'x', not a number"),
        (HEADER + "0\t0.5\tinf\n", r"line 2: Arousal is 'inf', not a number"),
        (HEADER + "-1\t0.5\t0.1\n", r"line 2: Time is '-1'"),
        (HEADER + "0\t0.5\t0.1\n0\t0.5\t0.1\n", r"line 3: 0 s follows 0 s"),
    ],
)
def test_table_that_makes_no_sense_is_refused_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MienError, match=rf"MEDIAEVAL18_00_Valence-Arousal\.txt.*{message}"):
        read_seconds(table(tmp_path, text))


# ── how it is scored ─────────────────────────────────────────────────────────────────────────────


def test_protocols_differ_in_what_they_fit_on_and_over_what_they_smooth() -> None:
    paper, ours = LIRIS.protocol(), LIRIS.protocol("per_film")
    assert (paper.train_split, ours.train_split, paper.report, ours.report) == (INNER, "dev", ("test",), ("test",))
    smoothings = [protocol.tasks[0].smoothing for protocol in (paper, ours)]
    assert [(s.window, s.order, s.over) for s in smoothings if s] == [(100, 3, "split"), (101, 3, "group")]


def test_release_without_films_cannot_be_faithful(tmp_path: Path) -> None:
    write_labels(tmp_path, *range(66), rows=9)
    assert not verify(LIRIS, tmp_path).is_faithful


@pytest.mark.slow
def test_each_clip_is_the_one_frame_of_its_second_and_both_dimensions_are_scored(fake: Path, tmp_path: Path) -> None:
    few = re.compile(r"MEDIAEVAL18_(00|46|54)\.mp4|.*_Valence-Arousal\.txt")
    root = tmp_path / "root"
    root.mkdir()
    for file in fake.rglob("MEDIAEVAL18_*"):
        if few.fullmatch(file.name):
            shutil.copy(file, root)
    prepare_release(load_benchmark("liris"), root=root, store=tmp_path / "store", splits=("dev", "test"))
    store = Store(tmp_path / "store")
    found = {split: labelled_clips(read_liris(root, split), store)[0] for split in ("dev", "test")}
    assert [(c.clip.start_frame, c.clip.end_frame) for c in found["test"]] == [(8 * t, 8 * t + 1) for t in range(9)]
    assert evenly(found["test"][0].clip.num_frames, count=8).tolist() == [0] * 8
    rng = np.random.default_rng(0)
    features = {
        split: features_of(rng.normal(size=(len(clips), 4)).astype(np.float32), samples=clips)
        for split, clips in found.items()
    }
    assert set(features["test"].groups) == {"MEDIAEVAL18_54"}
    for protocol in (LIRIS.protocol(), LIRIS.protocol("per_film")):
        task = protocol.tasks[0]
        result, _ = run_task(task, classes=LIRIS.classes, train=features["dev"], test=features["test"])
        assert result.classes == ("valence", "arousal")
        assert result.support == (9, 9)
