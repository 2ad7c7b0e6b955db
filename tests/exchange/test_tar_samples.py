"""Which files of a tar make a sample, and what is told of tars that end too early."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_tars import write_tar

from mien.exchange.tar_samples import TarSample, find_shards, samples_of
from mien.types import MienError, Skipped


def whole(shard: Path) -> list[TarSample]:
    found = list(samples_of(shard))
    assert all(isinstance(sample, TarSample) for sample in found)
    return [sample for sample in found if isinstance(sample, TarSample)]


def test_files_of_one_key_are_a_sample(tmp_path: Path) -> None:
    files = {"a/0.json": b"{}", "a/0.mp4": b"film", "a/0.txt": b"Hi.", "a/1.seg.WEBM": b"x", "__index__.json": b""}
    first, second = whole(write_tar(tmp_path / "s.tar", files))
    assert (first.name, first.video, second.name, second.video) == ("s/a/0", "mp4", "s/a/1", "seg.webm")
    assert {end: first.read(end) for end in first.files} == {"json": b"{}", "mp4": b"film", "txt": b"Hi."}


def test_a_sample_without_a_video_says_so(tmp_path: Path) -> None:
    (sample,) = whole(write_tar(tmp_path / "s.tar", {"0.jpg": b"x", "0.txt": b"x"}))
    assert sample.video is None
    assert sample.json() == {}


def test_damaged_json_is_an_error(tmp_path: Path) -> None:
    (sample,) = whole(write_tar(tmp_path / "s.tar", {"0.json": b"{"}))
    with pytest.raises(MienError, match="not JSON"):
        sample.json()


@pytest.mark.parametrize("kept", [0, 300, 700, 1200, 1700])
def test_a_tar_that_is_cut_off_gives_what_is_whole(tmp_path: Path, kept: int) -> None:
    path = write_tar(tmp_path / "s.tar", {f"{i}.txt": bytes([i]) * 400 for i in range(4)})  # 1,024 bytes a file
    path.write_bytes(path.read_bytes()[: kept + 1024])
    readable, lines = [], 0
    for sample in samples_of(path):
        if isinstance(sample, Skipped):
            lines += 1
            continue
        try:
            readable.append(sample.read("txt"))
        except MienError:
            lines += 1
    assert readable == [bytes([i]) * 400 for i in range(1 + (kept + 112) // 1024)]
    assert lines >= 1


def test_what_is_no_plain_tar_is_listed(tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(b"\x1f\x8b" + bytes(600))
    (line,) = samples_of(tmp_path / "s.tar")
    assert isinstance(line, Skipped)
    assert "uncompress" in line.reason


def test_a_folder_that_is_called_like_a_tar_is_listed(tmp_path: Path) -> None:
    (tmp_path / "s.tar").mkdir()
    (line,) = samples_of(tmp_path / "s.tar")
    assert isinstance(line, Skipped)
    assert "cannot be read" in line.reason


def test_shards_are_named_by_folder_file_or_pattern(tmp_path: Path) -> None:
    tars = [write_tar(tmp_path / f"{i:05d}.tar", {}) for i in (8, 9, 10)]
    (tmp_path / "00008.parquet").touch()
    assert find_shards(tmp_path) == tars
    assert find_shards(tars[1]) == [tars[1]]
    assert find_shards(f"{tmp_path}/0*.tar") == tars
    assert find_shards(f"{tmp_path}/{{00009..00010}}.tar") == tars[1:]
    with pytest.raises(MienError, match="no shards at"):
        find_shards(tmp_path / "nothing")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9_]{1,8}(/[a-z0-9]{1,4})?", fullmatch=True),
        st.dictionaries(st.sampled_from(["mp4", "json", "txt", "a.bin"]), st.binary(max_size=600), min_size=1),
        max_size=5,
    )
)
def test_every_file_is_found_in_its_sample(tmp_path_factory: pytest.TempPathFactory, samples: dict) -> None:
    samples = {key: files for key, files in samples.items() if not key.rpartition("/")[2].startswith("__")}
    path = tmp_path_factory.mktemp("tar") / "s.tar"
    write_tar(path, {f"{key}.{end}": content for key, files in samples.items() for end, content in files.items()})
    found = {sample.key: {end: sample.read(end) for end in sample.files} for sample in whole(path)}
    assert found == samples


def test_json_is_read_from_where_it_lies(tmp_path: Path) -> None:
    told = {"caption": "Здравствуйте"}
    (sample,) = whole(write_tar(tmp_path / "s.tar", {"0.mp4": bytes(1000), "0.json": json.dumps(told).encode()}))
    assert sample.json() == told
