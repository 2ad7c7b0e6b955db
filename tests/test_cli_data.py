"""The verbs of `mien data`, on a toy benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_benchmark import write_toy
from typer.testing import CliRunner

from mien.cli import app
from mien.data.store import Store
from mien.eval.benchmarks import BENCHMARKS

VERBS = ("list", "describe", "verify", "prepare", "fake")


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy is the benchmark `toy`."""
    monkeypatch.setitem(BENCHMARKS, "toy", "toy_benchmark:TOY")


def run(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, words)], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    text = run(verb, "--help")
    assert f"mien data {verb}" in text
    assert "Example" in text


def test_list_names_every_benchmark() -> None:
    assert "Theatre (generated scenes)" in run("list")
    assert {"Toy", "Theatre (generated scenes)"} <= {row["title"] for row in json.loads(run("list", "--json"))}


def test_describe_tells_terms_counts_and_protocols() -> None:
    text = run("describe", "toy")
    for words in ("licence: none", "how to get: it is made", "train: 4", "blind: number of samples not known here",
                  "category (2): joy, anger", "protocol paper: fitted on train, scored on test"):  # fmt: skip
        assert words in text
    assert json.loads(run("describe", "toy", "--json"))["splits"] == {"train": 4, "test": 4, "blind": None}
    assert "no benchmark 'nosuch'" in run("describe", "nosuch", status=1)


def test_describe_tells_that_a_protocol_is_of_folds() -> None:
    lines = {line.partition(":")[0]: line for line in run("describe", "dfew").splitlines()}
    told = "fitted on train1, scored on test1, and so on for 5 folds, of which the mean is told; emotion."
    assert told in lines["protocol folds"]
    assert "scored on test1; emotion." in lines["protocol fold1"]


def test_verify_of_an_unknown_protocol_names_the_benchmark_not_whom_it_shares_them_with(tmp_path: Path) -> None:
    text = run("verify", "dfew", tmp_path, "--protocol", "fold9", status=1)
    assert "error dfew has no protocol 'fold9'; it has " in text
    assert "did you mean 'fold" in text


def test_verify_exits_with_status_zero_on_a_whole_release_only(tmp_path: Path) -> None:
    from toy_benchmark import write_toy

    write_toy(tmp_path / "toy")
    text = run("verify", "toy", tmp_path / "toy")
    for words in (
        "train: 3 samples of 4, 1 left out, 0 without their file",
        "the release's own boxes for 1 of 3 videos",
        "joy 2, anger 1",
        "valence from 1 to 6, mean 3",
        "blind: not read: the organisers keep",
        "left out 1: train-d.png has no majority among 10 votes (train-d.png)",
        "faithful to protocol paper",
    ):
        assert words in text
    (tmp_path / "toy" / "pictures" / "test-a.png").unlink()
    assert "not faithful test: the files of 1 of 3" in run("verify", "toy", tmp_path / "toy", status=1)
    found = json.loads(run("verify", "toy", tmp_path / "toy", "--json", status=1))
    assert (found["is_faithful"], found["splits"][1]["num_missing"]) == (False, 1)


def test_protocol_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    text = run("verify", "toy", tmp_path, "--protocol", "zero_shot", status=1)
    assert "no protocol 'zero_shot'" in text
    assert "did you mean 'zeroshot'?" in text


def test_wrong_root_is_said_once_whatever_splits_there_are(tmp_path: Path) -> None:
    for name in ("toy", "mafw"):
        text = run("verify", name, tmp_path, status=1)
        assert len(text.splitlines()) == 1
        assert "not faithful nothing of it can be read: " in text
        assert str(tmp_path) in text
    assert len(json.loads(run("verify", "mafw", tmp_path, "--json", status=1))["splits"]) == 10


def test_fake_is_written_once_and_verify_says_what_it_is(tmp_path: Path) -> None:
    assert "11 files" in run("fake", "toy", tmp_path / "fake")
    assert "generated" in run("verify", "toy", tmp_path / "fake", status=1)
    assert "not an empty folder" in run("fake", "toy", tmp_path / "fake", status=1)


@pytest.mark.slow
def test_prepare_makes_a_store_of_the_splits_named(tmp_path: Path) -> None:
    root, store = tmp_path / "ferplus", tmp_path / "store"
    run("fake", "ferplus", root)
    words = ("prepare", "ferplus", root, "--out", store, "--workers", "1", "--split")
    assert "8 videos in" in run(*words, "train")
    assert len(Store(store).videos) == 8
    assert "(0 worked on now)" in run(*words, "train")
    assert "has no split 'nowhere'" in run(*words, "nowhere", status=1)


@pytest.mark.slow
def test_prepare_names_files_that_cannot_be_read(tmp_path: Path) -> None:
    root = tmp_path / "toy"
    write_toy(root)  # its pictures are none
    text = run("prepare", "toy", root, "--out", tmp_path / "store", "--split", "train", "--workers", "1", status=1)
    assert "a.png" in text
