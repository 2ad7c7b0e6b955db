"""A Ray cluster, started here for the test, makes the very same store."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mien.config import validate
from mien.prepare import Engine, PrepareSettings, prepare
from mien.prepare.engines import OnProgress
from mien.prepare.places import Place
from mien.prepare.ray_cluster import run_ray
from mien.prepare.video import PreparedVideo
from mien.prepare.videos import NamedVideo
from mien.types import Skipped

pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray leaves sockets to the garbage collector


def content(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def give_up(video: NamedVideo, reason: str) -> PreparedVideo:
    return PreparedVideo(name=video.name, failure=Skipped(what=video.name, reason=reason))


def die_at_b(video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    if video.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return PreparedVideo(name=video.name)


def test_ray_makes_the_same_store_as_one_process(tmp_path: Path) -> None:
    from made_videos import write_subtitles, write_video  # Ray's workers, which import this file, cannot find it

    videos = tmp_path / "videos"
    videos.mkdir()
    for name in "abc":
        write_video(videos / f"{name}.mp4", num_frames=60, fps=15, width=160, height=120)
        write_subtitles(videos / f"{name}.srt", [(0.2, 3.4, f"Here is {name}, as you see.")])
    (videos / "broken.mp4").write_bytes(b"not a video")
    settings = validate(PrepareSettings, {"boxes": {"source": "detector", "every": 8}}, source="test")
    here = prepare(videos, tmp_path / "here", settings=settings)
    there = prepare(videos, tmp_path / "there", settings=settings, engine=Engine(kind="ray"))
    assert there == here
    assert [failure.what for failure in there.failed] == ["broken"]
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_a_video_that_kills_its_worker_again_and_again_fails_alone() -> None:
    videos = [NamedVideo(name=name, place=Place.of("/none"), file=f"{name}.mp4", num_bytes=1) for name in "abc"]
    done = run_ray(die_at_b, videos, address=None, give_up=give_up)
    failures = {video.name: video.failure for video in done}
    assert set(failures) == set("abc")
    assert [name for name, failure in failures.items() if failure] == ["b"]


@pytest.mark.real_data
def test_real_people_give_byte_identical_stores(real_data: Path, tmp_path: Path) -> None:
    """Two processes, one process and Ray, over pictures and videos of real people."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in (real_data / "people").iterdir():
        if path.suffix != ".wav":
            (videos / path.name).symlink_to(path)
    settings = validate(PrepareSettings, {"images": True, "boxes": {"every": 8}}, source="test")
    engines = {"one": Engine(), "two": Engine(workers=2), "ray": Engine(kind="ray")}
    for name, engine in engines.items():
        assert prepare(videos, tmp_path / name, settings=settings, engine=engine).failed == ()
    assert content(tmp_path / "one") == content(tmp_path / "two") == content(tmp_path / "ray")
