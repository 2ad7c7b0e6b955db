"""Who does the work changes nothing; who dies at it costs one video at most."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from prepared import content, give_up

from mien.prepare.engines import OnProgress, run_here, run_processes
from mien.prepare.places import Place
from mien.prepare.video import PreparedVideo
from mien.prepare.videos import NamedVideo
from mien.types import MienError, Skipped
from mien.whole_file import DiskFullError

VIDEOS = [NamedVideo(name=name, place=Place.of("/none"), file=f"{name}.mp4", num_bytes=1) for name in "abcde"]


def succeed(video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    on_progress(video.name, "frames", 0.5)
    return PreparedVideo(name=video.name, stages_run=("frames",))


def die_at_b(video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    if video.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return succeed(video, on_progress)


def exit_at_d(video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    if video.name == "d":
        os._exit(3)
    return succeed(video, on_progress)


def fill_the_disk(video: NamedVideo, on_progress: OnProgress) -> PreparedVideo:
    raise DiskFullError("no room left")


def no_progress(video: str, stage: str, fraction: float) -> None:
    return None


def by_name(done: list[PreparedVideo]) -> dict[str, Skipped | None]:
    return {video.name: video.failure for video in done}


@pytest.mark.slow
def test_processes_do_every_video_once_and_tell_of_it() -> None:
    told: list[tuple[str, str, float]] = []
    done = list(
        run_processes(succeed, VIDEOS, workers=2, on_progress=lambda *message: told.append(message), give_up=give_up)
    )
    assert sorted(video.name for video in done) == list("abcde")
    assert sorted(told) == [(name, "frames", 0.5) for name in "abcde"]
    assert list(run_here(succeed, VIDEOS, on_progress=no_progress)) == sorted(done, key=lambda video: video.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "bad", "how"), [(die_at_b, "b", "was killed by signal 9"), (exit_at_d, "d", "ended with status 3")]
)
def test_a_video_that_kills_its_process_fails_alone(
    job: Callable[[NamedVideo, OnProgress], PreparedVideo], bad: str, how: str
) -> None:
    failures = by_name(list(run_processes(job, VIDEOS, workers=2, on_progress=no_progress, give_up=give_up)))
    assert set(failures) == set("abcde")
    assert {name for name, failure in failures.items() if failure} == {bad}
    assert how in (failures[bad] or Skipped(what="", reason="")).reason


class DiesOnArrival:
    """A part of a job that ends every process it is sent to."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (3,)


def measure(extra: object, task: bytes, on_progress: OnProgress) -> str:
    return f"{len(task)} bytes"


@pytest.mark.slow
def test_processes_that_die_at_their_start_end_the_run() -> None:
    """Nor can a task that does not fit into the pipe be sent to a process that never reads."""
    job = partial(measure, DiesOnArrival())
    with pytest.raises(MienError, match=r"3 processes in a row died .* the last ended with status 3.*workers=1"):
        list(run_processes(job, [bytes(10_000_000)] * 5, workers=1, on_progress=no_progress, give_up=give_up))


@pytest.mark.slow
def test_a_full_disk_stops_everyone() -> None:
    with pytest.raises(DiskFullError, match="no room left"):
        list(run_processes(fill_the_disk, VIDEOS, workers=2, on_progress=no_progress, give_up=give_up))


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def start_prepare(videos: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mien", "prepare", str(videos), "--out", str(out), "--boxes", "none"]
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen([*command, "--workers", "2"], stderr=log)


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that within 30 s")


@pytest.fixture(scope="module")
def long_videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of videos, two of which take a while, and the store of them."""
    from made_videos import write_subtitles, write_video

    videos, whole = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("stores") / "whole"
    for k in range(4):
        write_video(videos / f"{k}.mp4", num_frames=900 if k < 2 else 90, fps=30, width=480, height=360)
        write_subtitles(videos / f"{k}.srt", [(1.0, 4.0, f"This is video number {k}."), (5.0, 8.5, "And it goes on.")])
    assert start_prepare(videos, whole).wait() == 0
    return videos, whole


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
@pytest.mark.parametrize("victim", ["worker", "all", "interrupt"])
def test_killed_at_any_moment_the_same_command_finishes_the_rest(
    long_videos: tuple[Path, Path], tmp_path: Path, victim: str
) -> None:
    """A worker, everyone (as when a machine goes down), or Ctrl-C: in the end the store is as if nothing had been."""
    (videos, whole), broken = long_videos, tmp_path / "broken"
    run = start_prepare(videos, broken)
    wait_for(lambda: any(broken.glob("videos/*/.frames.arrow.*.part")))
    if victim == "worker":
        os.kill(max(children(run.pid)), signal.SIGKILL)
        assert run.wait() == 0
    else:
        parts = list(broken.glob("videos/*/.frames.arrow.*.part"))
        family = children(run.pid)
        os.kill(run.pid, signal.SIGINT if victim == "interrupt" else signal.SIGKILL)
        for child in family if victim == "all" else []:
            os.kill(child, signal.SIGKILL)
        assert run.wait() == (130 if victim == "interrupt" else -signal.SIGKILL)
        assert "Traceback" not in broken.with_suffix(".log").read_text()
        wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in family))
        assert any(part.exists() for part in parts) == (victim == "all")
        assert not (broken / "index.parquet").exists()
        again = start_prepare(videos, broken)
        assert again.wait() == 0
    assert content(broken) == content(whole)
