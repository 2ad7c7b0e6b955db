"""Who does the work: this process, processes on this machine, or a Ray cluster. All are given one pure function."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from mien.prepare.video import OnProgress, PreparedVideo
from mien.prepare.videos import NamedVideo
from mien.types import MienError, Skipped

Job = Callable[[NamedVideo, OnProgress], PreparedVideo]
"""What is done to one video. Its own failures are in its result; what it raises stops everything."""

MAX_DEATHS = 2  # a video whose process dies so often is given up: it may be what kills them
CONTEXT = get_context("spawn")  # a forked copy of a process that has run onnxruntime or torch may hang


def run_here(job: Job, videos: Sequence[NamedVideo], *, on_progress: OnProgress) -> Iterator[PreparedVideo]:
    """One after another in this process."""
    for video in videos:
        yield job(video, on_progress)


# ── processes on this machine ────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Worker:
    """A process that does one video at a time; `video` is what it is at."""

    process: Any
    pipe: Connection
    video: NamedVideo | None = None


def run_processes(
    job: Job, videos: Sequence[NamedVideo], *, workers: int, on_progress: OnProgress
) -> Iterator[PreparedVideo]:
    """Several at a time, in the order in which they are done.

    A process that dies (killed for want of memory, crashed in a decoder) is replaced, and its video tried once more, at
    the end; if that one's process dies too, the video has failed and the others go on.
    """
    waiting, deaths = deque(videos), Counter[str]()
    crew: list[_Worker] = []
    try:
        while waiting or any(worker.video for worker in crew):
            _employ(crew, waiting, job, workers=workers)
            for pipe in wait([worker.pipe for worker in crew if worker.video]):
                worker = next(worker for worker in crew if worker.pipe is pipe)
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    crew.remove(worker)
                    if failed := _after_death(worker, waiting, deaths):
                        yield failed
                    continue
                match message:
                    case PreparedVideo():
                        worker.video = None
                        yield message
                    case BaseException():
                        raise message
                    case (video, stage, fraction):
                        on_progress(video, stage, fraction)
    finally:
        _dismiss(crew)


def _employ(crew: list[_Worker], waiting: deque[NamedVideo], job: Job, *, workers: int) -> None:
    """Give everyone something to do, and take on more as long as there is."""
    for worker in [w for w in crew if w.video is None]:
        if not waiting:
            return
        worker.video = waiting.popleft()
        try:
            worker.pipe.send(worker.video)
        except OSError:  # it died between two videos
            waiting.appendleft(worker.video)
            crew.remove(worker)
    while waiting and len(crew) < workers:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_work, args=(job, theirs), daemon=True)
        with _deaf_to_interrupts():
            process.start()
        theirs.close()  # so that the pipe ends when the process does
        worker = _Worker(process, ours, waiting.popleft())
        ours.send(worker.video)
        crew.append(worker)


def _after_death(worker: _Worker, waiting: deque[NamedVideo], deaths: Counter[str]) -> PreparedVideo | None:
    """Put the dead worker's video back, or give it up."""
    assert worker.video is not None
    worker.process.join()
    worker.pipe.close()
    name = worker.video.name
    deaths[name] += 1
    if deaths[name] < MAX_DEATHS:
        waiting.append(worker.video)
        return None
    code = worker.process.exitcode
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    reason = (
        f"the process that worked on it {how}, {MAX_DEATHS} times; is there enough memory? Try with fewer workers, or "
        "rewrite the file with ffmpeg"
    )
    return PreparedVideo(name=name, failure=Skipped(what=name, reason=reason))


def _dismiss(crew: list[_Worker]) -> None:
    for worker in crew:
        worker.process.terminate()  # they clean up and go
    for worker in crew:
        worker.process.join(timeout=10)
        if worker.process.is_alive():
            worker.process.kill()
        worker.pipe.close()


def _work(job: Job, pipe: Connection) -> None:
    """The life of a worker: a video in, messages on its progress and the result out, until it is terminated."""
    signal.signal(signal.SIGTERM, _leave)
    last: tuple[str, str, int] | None = None

    def tell(video: str, stage: str, fraction: float) -> None:
        nonlocal last
        if (now := (video, stage, int(100 * fraction))) != last:
            last = now
            pipe.send((video, stage, fraction))

    try:
        while True:
            video = pipe.recv()
            try:
                pipe.send(job(video, tell))
            except MienError as error:  # a full disk, say: no use going on with other videos
                pipe.send(error)
    except (EOFError, BrokenPipeError):  # the one who sent us has died
        return


def _leave(signum: int, frame: Any) -> None:
    raise SystemExit(0)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes begun here do not hear Ctrl-C, which the terminal sends to all: the one who began them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


# ── a Ray cluster ────────────────────────────────────────────────────────────────────────────────


def run_ray(
    job: Job, videos: Sequence[NamedVideo], *, address: str | None, on_progress: OnProgress
) -> Iterator[PreparedVideo]:
    """On the Ray cluster at `address` (`auto` for the one this machine belongs to), or on one started here for it.

    One core a video; scheduling, retries after a worker's or a node's death, and spilling are Ray's own. Inputs and
    outputs must be reachable from every node, and mien installed there.
    """
    ray = _ray()
    ray.init(address=address, include_dashboard=False, logging_level="warning", log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=1, max_retries=MAX_DEATHS)(_quietly)
        waiting = deque(videos)
        running: dict[Any, NamedVideo] = {}
        while waiting or running:
            room = 2 * int(ray.cluster_resources().get("CPU", 1))  # as many wait at the cluster as run there
            while waiting and len(running) < room:
                video = waiting.popleft()
                running[remote.remote(job, video)] = video
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            video = running.pop(done)
            on_progress(video.name, "ray", 1.0)
            yield _result(ray, done, video)
    finally:
        ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MienError("Ray is not installed; pip install 'mien[ray]'") from error
    return ray


def _quietly(job: Job, video: NamedVideo) -> PreparedVideo:
    return job(video, lambda name, stage, fraction: None)


def _result(ray: Any, done: Any, video: NamedVideo) -> PreparedVideo:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MienError):
            raise error.cause from error
        raise MienError(f"Ray cannot run it: {error.cause}; is the same mien installed on every node?") from error
    except ray.exceptions.RayError as error:  # its worker died again and again
        first_line = str(error).strip().splitlines()[0]
        return PreparedVideo(name=video.name, failure=Skipped(what=video.name, reason=f"Ray gave it up: {first_line}"))
