"""Inputs and outputs elsewhere: behind an fsspec URL, here that of a file system in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from made_videos import write_subtitles, write_video
from prepared import content

from mien.config import validate
from mien.data.store import Store
from mien.prepare import Engine, PrepareSettings, prepare
from mien.prepare.places import Place
from mien.prepare.videos import find_videos
from mien.types import MienError

SETTINGS = validate(PrepareSettings, {"boxes": {"source": "none"}}, source="test")


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "series").mkdir(parents=True)
    for name in ("series/a", "b"):
        write_video(folder / f"{name}.mp4", num_frames=40, fps=8)
        write_subtitles(folder / f"{name}.srt", [(0.5, 3.5, "So here we are, at last."), (3.6, 4.9, "Yes.")])
    return folder


def test_videos_and_store_may_be_elsewhere_and_the_store_is_the_same(
    videos: Path, tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    here = prepare(videos, tmp_path / "here", settings=SETTINGS)
    memory.put(str(videos), "/videos", recursive=True)
    there = prepare("memory://videos", "memory://stores/one", settings=SETTINGS)
    assert there == here
    memory.get("/stores/one", str(tmp_path / "fetched"), recursive=True)
    assert content(tmp_path / "fetched") == content(tmp_path / "here")
    assert [clip.id for clip in Store(tmp_path / "fetched").clips()] == ["b#0", "series/a#0"]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket on an S3 server of this machine (moto's), which processes started from here find too."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("corpus")
    yield "s3://corpus"
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of S3's client and its server
def test_a_bucket_takes_the_same_store_from_several_processes_once(videos: Path, tmp_path: Path, bucket: str) -> None:
    here = prepare(videos, tmp_path / "here", settings=SETTINGS)
    s3 = fsspec.filesystem("s3", skip_instance_cache=True)
    s3.put(str(videos), "corpus/videos", recursive=True)
    engine = Engine(workers=2)
    there = prepare(f"{bucket}/videos", f"{bucket}/store", settings=SETTINGS, engine=engine)
    assert there == here
    s3.invalidate_cache()
    s3.get("corpus/store", str(tmp_path / "fetched"), recursive=True)
    assert content(tmp_path / "fetched") == content(tmp_path / "here")
    again = prepare(f"{bucket}/videos", f"{bucket}/store", settings=SETTINGS, engine=engine)
    assert (again.num_new, again.num_clips) == (0, here.num_clips)


def test_what_is_done_elsewhere_is_not_done_again(
    videos: Path, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.put(str(videos), "/videos", recursive=True)
    prepare("memory://videos", "memory://store", settings=SETTINGS)
    fetched: list[str] = []
    fetch = Place.fetch
    monkeypatch.setattr(Place, "fetch", lambda place, name, to: (fetched.append(name), fetch(place, name, to))[1])
    assert prepare("memory://videos", "memory://store", settings=SETTINGS).num_new == 0
    assert not any(name.endswith((".mp4", ".arrow")) for name in fetched)  # neither videos nor pictures travel
    write_subtitles(videos / "b.srt", [(0.5, 3.5, "So there we were.")])
    memory.put(str(videos / "b.srt"), "/videos/b.srt")
    report = prepare("memory://videos", "memory://store", settings=SETTINGS)
    assert (report.num_new, report.num_clips) == (1, 2)
    assert not any(name.endswith(".mp4") for name in fetched)


def test_a_single_video_elsewhere_is_found_with_what_lies_beside(
    videos: Path, memory: fsspec.AbstractFileSystem
) -> None:
    memory.put(str(videos), "/videos", recursive=True)
    (found,) = find_videos("memory://videos/b.mp4").videos
    assert (found.name, found.file, found.beside) == ("b", "b.mp4", ("b.srt",))


def test_an_unknown_protocol_says_what_to_install() -> None:
    with pytest.raises(MienError, match="install the fsspec package of that protocol"):
        find_videos("nosuch://bucket/videos")


def test_file_urls_and_relative_paths_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Place.of(f"file://{tmp_path}/a") == Place.of("a") == Place(str(tmp_path / "a"))
    assert Place.of("s3://bucket/a/").url == "s3://bucket/a"
