"""Captions of benchmarks' splits, by label, by vote and by a model; which pictures captions lack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mien.caption_release import caption_pictures, derive_captions, missing_pictures
from mien.captions.captioner import Captioner
from mien.captions.record import read_captions
from mien.cli import app
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.benchmarks.ferplus import FERPLUS, fake_ferplus
from mien.eval.benchmarks.rafdb import RAFDB
from mien.eval.benchmarks.release import Release, Sample, stage
from mien.types import Labels, MienError, Skipped

pytestmark = pytest.mark.slow  # together they take long


def run(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["captions", *map(str, words)], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


@pytest.fixture(scope="module")
def ferplus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ferplus")
    fake_ferplus(root)
    return root


class Told:
    """Answers with a caption, and counts."""

    def __init__(self, *, breaks_at: int = 10**9) -> None:
        self.count, self.breaks_at = 0, breaks_at

    def __call__(self, *, text: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        self.count += 1
        if self.count == self.breaks_at:
            raise KeyboardInterrupt
        return [{"generated_text": json.dumps({"global": "A face.", "local": [], "summary": str(self.count)})}]


# ── from labels ──────────────────────────────────────────────────────────────────────────────────


def test_votes_become_shares_of_those_who_named_an_emotion(ferplus: Path) -> None:
    records, skipped = derive_captions(FERPLUS, FERPLUS.read(ferplus, "train"), seed=0, variants=2)
    assert [record.image for record in records[:3]] == ["FER2013Train/fer0000000"] * 2 + ["FER2013Train/fer0000001"]
    assert records[0].votes == {"neutral": 1.0}  # eight of neutral; the one of no face is none of an emotion
    assert records[0].graded
    assert records[0].sentences != records[1].sentences
    assert {record.source for record in records} == {"labels:ferplus"}
    assert [each.reason for each in skipped][-1] == "no majority"


def test_a_label_is_told_without_degree(tmp_path: Path) -> None:
    write_fake(RAFDB, tmp_path)
    records, skipped = derive_captions(RAFDB, RAFDB.read(tmp_path, "train"), seed=0)
    assert (len(records), skipped) == (14, [])
    assert records[0].votes == {"surprise": 1.0}
    assert not any(record.graded for record in records)


def test_captions_are_named_as_the_videos_of_a_store(ferplus: Path, tmp_path: Path) -> None:
    release = FERPLUS.read(ferplus, "train")
    records, _ = derive_captions(FERPLUS, release, seed=0)
    stage(ferplus, [release], tmp_path / "files")
    assert missing_pictures(records, tmp_path / "files") == []
    (tmp_path / "files/FER2013Train/fer0000003.png").unlink()
    gone = Skipped(what="FER2013Train/fer0000003", reason=f"it is not in {tmp_path / 'files'}")
    assert missing_pictures([*records, *records], tmp_path / "files") == [gone]


def test_classes_that_are_no_emotion_of_faces_are_left_out_and_alone_refused() -> None:
    fi = load_benchmark("fi")
    samples = [Sample(id=f"{i}", file=f"{i}.jpg", labels=Labels(category=i)) for i in range(len(fi.classes.category))]
    release = Release(samples=tuple(samples))
    records, skipped = derive_captions(fi, release, seed=0)
    named = {*records[0].votes} if records[0].votes else set()
    assert len(records) + len(skipped) == len(samples)
    assert named <= {"anger", "disgust", "fear", "sadness"}
    assert "amusement is none of neutral, happiness" in " ".join(each.reason for each in skipped)
    amused = fi.classes.category.index("amusement")
    with pytest.raises(MienError, match="fi has no sample of neutral, happiness"):
        derive_captions(fi, Release(samples=(samples[amused],)), seed=0)


def test_several_samples_of_one_video_are_refused(ferplus: Path) -> None:
    release = FERPLUS.read(ferplus, "train")
    twice = replace(release, samples=(*release.samples, replace(release.samples[0], id="again")))
    with pytest.raises(MienError, match="ferplus has 2 samples in FER2013Train/fer0000000"):
        derive_captions(FERPLUS, twice, seed=0)


# ── by a model ───────────────────────────────────────────────────────────────────────────────────


def test_model_looks_at_every_picture_and_goes_on_where_it_stopped(
    ferplus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.caption_release.SAVED_EVERY", 2)
    release, out = FERPLUS.read(ferplus, "train"), tmp_path / "captions.jsonl"
    for told, count in ((Told(breaks_at=6), 4), (Told(), 8)):
        captioner = Captioner(told, name="told")
        try:
            caption_pictures(FERPLUS, release, root=ferplus, captioner=captioner, out=out)
        except KeyboardInterrupt:
            assert count == 4
        assert len(read_captions(out)) == count
    assert told.count == 4
    assert [record.votes for record in read_captions(out)][1] == {"happiness": 1.0}
    assert {record.source for record in read_captions(out)} == {"model:told"}


def test_pictures_that_are_missing_or_broken_are_listed(tmp_path: Path) -> None:
    write_fake(RAFDB, tmp_path)
    release = RAFDB.read(tmp_path, "test")
    (tmp_path / release.samples[0].file).unlink()
    (tmp_path / release.samples[1].file).write_bytes(b"\0")
    captioner = Captioner(Told(), name="told")
    records, skipped = caption_pictures(RAFDB, release, root=tmp_path, captioner=captioner, out=tmp_path / "c.jsonl")
    assert len(records) == 5
    assert [each.what for each in skipped] == ["test_00001.jpg", "test_00002.jpg"]
    assert "cannot be read as a picture" in skipped[1].reason


# ── the verbs ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", ["write", "verify", "stats"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    text = run(verb, "--help")
    assert f"mien captions {verb}" in text
    assert "Example" in text


def test_written_captions_are_verified_and_counted(ferplus: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions.jsonl"
    told = run("write", "ferplus", "--root", ferplus, "--out", out, "--variants", 3)
    assert "24 captions derived from labels; 3 pictures left out" in told
    assert "left out fer0000010.png: no majority" in told
    assert "24 captions of 8 images, 0 bad lines" in run("verify", out)
    assert "derived from labels: 100%" in run("stats", out)
    assert json.loads(run("stats", out, "--json"))["num_images"] == 8
    again = tmp_path / "again.jsonl"
    run("write", "ferplus", "--root", ferplus, "--out", again, "--variants", 3)
    assert again.read_bytes() == out.read_bytes()


def test_verify_fails_on_a_bad_line_or_a_missing_picture(ferplus: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions.jsonl"
    run("write", "ferplus", "--root", ferplus, "--out", out)
    told = run("verify", out, "--images", tmp_path, status=1)
    assert "8 captions of 8 images, 0 bad lines, 8 images missing" in told
    out.write_text(out.read_text() + "{}\n")
    assert f"{out}, line 9: source is missing" in run("verify", out, status=1)
    assert "line 9: source is missing; `mien captions verify` lists all such lines" in run("stats", out, status=1)


def test_verify_says_that_a_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "captions.jsonl").write_text("\n")
    text = run("verify", tmp_path / "captions.jsonl", status=1)
    assert "captions.jsonl is empty; write captions with `mien captions write`" in text


def test_captioner_that_is_no_model_is_refused(ferplus: Path, tmp_path: Path) -> None:
    told = run("write", "ferplus", "--root", ferplus, "--out", tmp_path / "c", "--captioner", tmp_path, status=1)
    assert "is no folder of a transformers model" in told


def test_set_whose_samples_are_no_faces_is_refused(tmp_path: Path) -> None:
    run_data = CliRunner().invoke(app, ["data", "fake", "meld", str(tmp_path / "meld")])
    assert run_data.exit_code == 0
    out = tmp_path / "captions.jsonl"
    told = run("write", "meld", "--root", tmp_path / "meld", "--out", out, status=1)
    assert "meld is a set of dialogues; captions are for sets of faces" in told
    assert not out.exists()


def test_the_first_split_is_captioned_where_none_is_named(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["data", "fake", "dfew", str(tmp_path / "dfew")]).exit_code == 0
    assert "captions" in run("write", "dfew", "--root", tmp_path / "dfew", "--out", tmp_path / "captions.jsonl")


def test_file_without_captions_has_no_statistics(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    assert "empty.jsonl has no captions" in run("stats", tmp_path / "empty.jsonl", status=1)
