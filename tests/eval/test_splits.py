"""Drawn splits: everybody who has the files draws the same, class by class, and scores by them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mien.cli import app
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.benchmarks.folders import Folders, folder_benchmark
from mien.eval.benchmarks.splits import Splits, cut, draw_splits, read_splits, with_splits, write_splits
from mien.types import MienError

SHARES = {"train": 70, "val": 10, "test": 20}
SET = folder_benchmark(
    "set", Folders(title="Set", classes=("joy", "anger"), shares={"": SHARES}), licence="", how_to_get=""
)


def write(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def pictures(root: Path, *, joy: str = "joy", anger: str = "anger", number: int = 10) -> Path:
    return write(root, *(f"{folder}/{i}.jpg" for folder in (joy, anger) for i in range(number)))


TEST = ["anger/2.jpg", "anger/6.jpg", "joy/4.jpg", "joy/7.jpg"]
DIGEST = "42e05896894aa1f23153ad8ae8b885a3b2277cb064d208bcd420e21df46e8f83"


# ── the rule ─────────────────────────────────────────────────────────────────────────────────────


def test_rule_is_what_it_says() -> None:
    """By hand: the order of `sha256(seed, line feed, id)`, and 7, 1 and 2 of ten."""
    ids = [f"joy/{i}.jpg" for i in range(10)]
    ordered = sorted(ids, key=lambda name: hashlib.sha256(b"3\n" + name.encode()).hexdigest())
    expected = dict(zip(ordered, ["train"] * 7 + ["val"] + ["test"] * 2, strict=True))
    assert cut(ids, shares=SHARES, seed=3) == expected


def test_splits_of_a_known_set_never_change(tmp_path: Path) -> None:
    """A published file must come out of every later version."""
    splits, _ = draw_splits(SET, pictures(tmp_path), seed=0)
    assert [name for name, split in sorted(splits.of.items()) if split == "test"] == TEST
    assert splits.digest == DIGEST


@given(st.integers(0, 40), st.integers(0, 5))
def test_each_class_is_cut_by_its_shares(number: int, seed: int) -> None:
    of = cut([f"joy/{i}" for i in range(number)], shares=SHARES, seed=seed)
    counts = [list(of.values()).count(split) for split in SHARES]
    assert sum(counts) == number
    for count, share in zip(counts, SHARES.values(), strict=True):
        assert abs(count - number * share / 100) <= 1


@given(st.sets(st.integers(0, 99), min_size=2, max_size=40), st.data())
def test_missing_file_moves_at_most_one_other_across_a_border(numbers: set[int], data: st.DataObject) -> None:
    ids = [f"joy/{n}" for n in numbers]
    lost = data.draw(st.sampled_from(ids))
    whole = cut(ids, shares=SHARES, seed=0)
    part = cut([each for each in ids if each != lost], shares=SHARES, seed=0)
    assert sum(whole[each] != part[each] for each in part) <= 2


# ── the release ──────────────────────────────────────────────────────────────────────────────────


def test_place_spelling_and_sorting_of_the_folders_do_not_matter(tmp_path: Path) -> None:
    plain, _ = draw_splits(SET, pictures(tmp_path / "plain"), seed=0)
    cased, _ = draw_splits(SET, pictures(tmp_path / "elsewhere" / "deep", joy="Joy", anger="ANGRY"), seed=0)
    sorted_by_somebody = write(
        tmp_path / "sorted",
        *(f"{'test' if i > 5 else 'train'}/{c}/{i}.jpg" for c in ("joy", "anger") for i in range(10)),
    )
    assert plain.content == cased.content == draw_splits(SET, sorted_by_somebody, seed=0)[0].content
    assert plain.content != draw_splits(SET, tmp_path / "plain", seed=1)[0].content


def test_accents_written_in_either_way_are_one_name(tmp_path: Path) -> None:
    composed = write(tmp_path / "a", "joy/caf\u00e9.jpg", "anger/0.jpg")
    decomposed = write(tmp_path / "b", "joy/cafe\u0301.jpg", "anger/0.jpg")
    assert draw_splits(SET, composed, seed=0)[0].of == draw_splits(SET, decomposed, seed=0)[0].of


def test_official_test_stays_whole_and_validation_is_taken_from_training(tmp_path: Path) -> None:
    write_fake(load_benchmark("caer_s"), tmp_path / "caer")
    for i in range(9):
        shutil.copy(next((tmp_path / "caer/train").glob("Happy/*")), tmp_path / f"caer/train/Happy/more{i}.png")
    splits, skipped = draw_splits(load_benchmark("caer_s"), tmp_path / "caer", seed=0)
    assert {name.split("/")[0] for name, split in splits.of.items() if split == "test"} == {"test"}
    assert {name.split("/")[0] for name, split in splits.of.items() if split != "test"} == {"train"}
    assert sum(split == "val" for split in splits.of.values()) == 1
    assert len(skipped) == 1  # Thumbs.db


@pytest.mark.parametrize("name", ["emotion6", "fi", "unbiasedemo", "heco", "emo8", "caer_s"])
def test_every_set_without_usable_splits_has_shares_that_make_a_whole(name: str) -> None:
    drawn = load_benchmark(name).drawn
    assert drawn is not None
    assert {split for shares in drawn.shares.values() for split in shares} == {"train", "val", "test"}
    assert all(sum(shares.values()) == 100 for shares in drawn.shares.values())


def test_set_with_splits_of_its_own_is_refused(tmp_path: Path) -> None:
    emoset = load_benchmark("emoset")
    with pytest.raises(MienError, match="emoset has splits of its own, train, val, test: there is none to draw"):
        draw_splits(emoset, tmp_path, seed=0)
    with pytest.raises(MienError, match=r"leave out splits\.csv"):
        with_splits(emoset, Splits(of={}), source="splits.csv")


# ── reading by them ──────────────────────────────────────────────────────────────────────────────


def test_benchmark_reads_by_the_file_wherever_the_pictures_lie(tmp_path: Path) -> None:
    splits, _ = draw_splits(SET, pictures(tmp_path / "one"), seed=0)
    write_splits(splits, tmp_path / "splits.csv")
    assert read_splits(tmp_path / "splits.csv") == splits
    root = pictures(tmp_path / "two", joy="Joy", number=9)
    write(root, "Joy/new.jpg")
    read = with_splits(SET, splits, source="splits.csv")
    releases = {split: read.read(root, split) for split in read.splits}
    found = {sample.id: split for split, release in releases.items() for sample in release.samples}
    assert found == {name: split for name, split in splits.of.items() if not name.endswith("/9.jpg")}
    assert {sample.file.split("/")[0] for sample in releases["train"].samples} == {"Joy", "anger"}
    told = {(each.what, each.reason) for release in releases.values() for each in release.skipped}
    assert ("joy/new.jpg", "in no split of splits.csv") in told
    assert {what for what, reason in told if "and not in" in reason} == {"joy/9.jpg", "anger/9.jpg"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,part\n", "does not begin with the line file,split"),
        ("file,split\na.jpg,rest\n", "line 2: 'a.jpg,rest' is no file and one of train, val, test"),
        ("file,split\na.jpg,val\na.jpg,test\n", "line 3: 'a.jpg' stands there twice"),
    ],
)
def test_file_of_another_kind_is_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text(content)
    with pytest.raises(MienError, match=message):
        read_splits(tmp_path / "splits.csv")


def test_splits_of_another_set_are_refused(tmp_path: Path) -> None:
    read = with_splits(SET, Splits(of={"awe/1.jpg": "test"}), source="other.csv")
    with pytest.raises(MienError, match=r"none of the files that other\.csv names .* it names awe/1\.jpg"):
        read.read(pictures(tmp_path), "test")


def test_command_writes_the_file_and_tells_its_digest(tmp_path: Path) -> None:
    root = pictures(tmp_path / "emotion6")
    for name in ("disgust", "fear", "sadness", "surprise"):
        write(root, f"{name}/0.jpg")
    out = tmp_path / "splits.csv"
    done = CliRunner().invoke(app, ["data", "splits", "emotion6", str(root), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["digest"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert sum(told["files"].values()) == 24
