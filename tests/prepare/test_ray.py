"""A Ray cluster, started here for the test, makes the very same store."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from mien.config import validate
from mien.prepare import Engine, PrepareSettings, prepare
from mien.prepare.engines import OnProgress
from mien.prepare.places import Place
from mien.prepare.ray_cluster import run_ray
from mien.prepare.video import PreparedVideo
from mien.prepare.videos import NamedVideo

pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray leaves sockets to the garbage collector


def die_at_b(video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    if video.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return PreparedVideo(name=video.name)


def test_ray_makes_the_same_store_as_one_process(tmp_path: Path) -> None:
    from made_videos import write_subtitles, write_video  # Ray's workers, which import this file, cannot find it
    from prepared import content

    videos = tmp_path / "videos"
    videos.mkdir()
    for name in "abc":
        write_video(videos / f"{name}.mp4", num_frames=60, fps=15, width=160, height=120)
        write_subtitles(videos / f"{name}.srt", [(0.2, 3.4, f"Here is {name}, as you see.")])
    (videos / "broken.mp4").write_bytes(b"not a video")
    settings = validate(PrepareSettings, {"boxes": {"source": "detector", "every": 8}}, source="test")
    here = prepare(videos, tmp_path / "here", settings=settings)
    before = signal.getsignal(signal.SIGTERM)
    there = prepare(videos, tmp_path / "there", settings=settings, engine=Engine(kind="ray"))
    assert signal.getsignal(signal.SIGTERM) == before, "Ray's handler would keep a later run from being told to stop"
    assert there == here
    assert [failure.what for failure in there.failed] == ["broken"]
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_a_video_that_kills_its_worker_again_and_again_fails_alone() -> None:
    from prepared import give_up

    videos = [NamedVideo(name=name, place=Place.of("/none"), file=f"{name}.mp4", num_bytes=1) for name in "abc"]
    done = run_ray(die_at_b, videos, address=None, give_up=give_up)
    failures = {video.name: video.failure for video in done}
    assert set(failures) == set("abc")
    assert [name for name, failure in failures.items() if failure] == ["b"]


def stay_on(node: str, folder: Path, video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    """Never comes back from `node`."""
    import ray

    if ray.get_runtime_context().get_node_id() == node:
        (folder / "reached").touch()
        threading.Event().wait()
    return PreparedVideo(name=video.name)


def test_a_node_that_dies_at_work_costs_no_video(tmp_path: Path) -> None:
    from prepared import give_up
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    dying = cluster.add_node(num_cpus=1)

    def kill() -> None:
        while not (tmp_path / "reached").exists():
            time.sleep(0.05)
        cluster.remove_node(dying, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    videos = [NamedVideo(name=str(n), place=Place.of("/none"), file=f"{n}.mp4", num_bytes=1) for n in range(8)]
    try:
        job = partial(stay_on, dying.node_id, tmp_path)
        done = list(run_ray(job, videos, address=cluster.address, give_up=give_up))
        killer.join(timeout=60)
    finally:
        cluster.shutdown()
    assert not killer.is_alive()  # the node was at work, and is gone
    assert sorted((video.name, video.failure) for video in done) == [(str(n), None) for n in range(8)]


@pytest.mark.real_data
def test_real_people_give_byte_identical_stores(real_data: Path, tmp_path: Path) -> None:
    """Two processes, one process and Ray, over pictures and videos of real people."""
    from prepared import content

    videos = tmp_path / "videos"
    videos.mkdir()
    for path in (real_data / "people").iterdir():
        if path.suffix != ".wav" and not path.name.startswith("franck"):  # 200 s of one man add nothing here
            (videos / path.name).symlink_to(path)
    settings = validate(PrepareSettings, {"images": True, "boxes": {"every": 8}}, source="test")
    engines = {"one": Engine(), "two": Engine(workers=2), "ray": Engine(kind="ray")}
    for name, engine in engines.items():
        assert prepare(videos, tmp_path / name, settings=settings, engine=engine).failed == ()
    assert content(tmp_path / "one") == content(tmp_path / "two") == content(tmp_path / "ray")
