"""Files that lie in an archive or a table are written out for `mien prepare`, once."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

from mien.data.store import Store
from mien.eval.benchmarks.release import WHOLE_PICTURE, Release, Sample, labelled_clips, stage
from mien.types import Labels


def release(content: bytes) -> Release:
    sample = Sample(id="a", file="train/a.png", labels=Labels(category=0))
    return Release(samples=(sample,), packed={"train/a.png": lambda: content}, boxes={"train/a": WHOLE_PICTURE})


def test_packed_file_is_written_out_with_its_boxes_and_not_twice(tmp_path: Path) -> None:
    assert stage(tmp_path / "root", [release(b"first")], tmp_path / "files") == 1
    assert stage(tmp_path / "root", [release(b"second")], tmp_path / "files") == 1
    assert (tmp_path / "files/train/a.png").read_bytes() == b"first"
    assert (tmp_path / "files/train/a.boxes.csv").is_file()


def test_release_that_was_unpacked_since_keeps_what_was_written_out(tmp_path: Path) -> None:
    stage(tmp_path / "root", [release(b"packed")], tmp_path / "files")
    (tmp_path / "root/train").mkdir(parents=True)
    (tmp_path / "root/train/a.png").write_bytes(b"packed")
    unpacked = replace(release(b""), packed={})
    assert stage(tmp_path / "root", [unpacked], tmp_path / "files") == 1
    assert (tmp_path / "files/train/a.png").read_bytes() == b"packed"


def test_packed_file_is_not_missing(tmp_path: Path) -> None:
    assert release(b"").missing(tmp_path) == ()


def test_damaged_packed_file_costs_its_sample_alone_and_is_told_of(tmp_path: Path) -> None:
    def damaged() -> bytes:
        raise zipfile.BadZipFile("Bad CRC-32")

    whole = release(b"picture")
    other = replace(whole.samples[0], id="b", file="train/b.png")
    both = replace(whole, samples=(*whole.samples, other), packed={**whole.packed, "train/b.png": damaged}, boxes={})
    assert stage(tmp_path / "root", [both], tmp_path / "files") == 1
    assert not (tmp_path / "files/train/b.png").exists()
    (tmp_path / "store").mkdir()
    (tmp_path / "store/store.json").write_text("{}")
    lost = {each.what: each.reason for each in labelled_clips(both, Store(tmp_path / "store"))[1]}
    assert "train/b.png is damaged in its archive (Bad CRC-32)" in lost["b"]
    assert "no video 'train/a'" in lost["a"]
