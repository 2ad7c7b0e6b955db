"""Who does the work on this machine: this process, or several. Each is given one pure function."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from mien.types import MienError

OnProgress = Callable[[str, str, float], None]
"""Called with a video's name, the stage's, and how much of that stage is done, in [0, 1]."""

Task = TypeVar("Task")
Result = TypeVar("Result")

Job = Callable[[Task, OnProgress], Result]
"""What is done to one video (or shard). Its own failures are in its result; what it raises stops everything."""

GiveUp = Callable[[Task, str], Result]
"""The result of a task that was given up, and for what reason."""

MAX_DEATHS = 2  # a video whose process dies so often is given up: it may be what kills them
MAX_STILLBORN = 3  # so many processes in a row that die before they can work: the next would too
CONTEXT = get_context("spawn")  # a forked copy of a process that has run onnxruntime or torch may hang


def run_here(job: Job[Task, Result], tasks: Iterable[Task], *, on_progress: OnProgress) -> Iterator[Result]:
    """One after another in this process."""
    for task in tasks:
        yield job(task, on_progress)


def run_local(
    job: Job[Task, Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    give_up: GiveUp[Task, Result],
    on_progress: OnProgress = lambda video, stage, fraction: None,
) -> Iterator[Result]:
    """On this machine: here if one is at it, else in processes."""
    if workers <= 1:
        return run_here(job, tasks, on_progress=on_progress)
    return run_processes(job, tasks, workers=workers, on_progress=on_progress, give_up=give_up)


# ── processes on this machine ────────────────────────────────────────────────────────────────────


class _Told(Enum):
    """What a worker's message is about."""

    READY = 0
    PROGRESS = 1
    RESULT = 2
    ERROR = 3


@dataclass(slots=True)
class _Worker:
    """A process that does one task at a time; `task` is what it is at. is_ready: it has begun to work at all."""

    process: Any
    pipe: Connection
    task: Any = None
    is_ready: bool = False


def run_processes(
    job: Job[Task, Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    on_progress: OnProgress,
    give_up: GiveUp[Task, Result],
) -> Iterator[Result]:
    """Several at a time, in the order in which they are done. Tasks are taken when there is someone to do them.

    A process that dies (killed for want of memory, crashed in a decoder) is replaced, and its task tried once more
    after all others; if that one's process dies too, `give_up` says what the result is, and the others go on. Raises
    MienError where processes die before they can work.
    """
    waiting, deadly, crew, stillborn = _Waiting(tasks), list[Any](), list[_Worker](), 0
    try:
        while True:
            _employ(crew, waiting, job, workers=workers)
            if not any(worker.task is not None for worker in crew):
                return
            for pipe in wait([worker.pipe for worker in crew if worker.task is not None]):
                worker = next(worker for worker in crew if worker.pipe is pipe)
                try:
                    about, message = worker.pipe.recv()
                except (EOFError, OSError):
                    crew.remove(worker)
                    _let_go(worker)
                    if not worker.is_ready:
                        stillborn += 1
                        _require_births(stillborn, worker.process.exitcode)
                        waiting.put_back(worker.task)
                        continue
                    deadly.append(worker.task)
                    if sum(task is worker.task for task in deadly) >= MAX_DEATHS:
                        yield give_up(worker.task, _why_given_up(worker.process.exitcode))
                    else:
                        waiting.put_back(worker.task)
                    continue
                match about:
                    case _Told.READY:
                        worker.is_ready, stillborn = True, 0
                    case _Told.RESULT:
                        worker.task = None
                        yield message
                    case _Told.ERROR:
                        raise message
                    case _Told.PROGRESS:
                        on_progress(*message)
    finally:
        _dismiss(crew)


class _Waiting:
    """Tasks in order, those put back last."""

    def __init__(self, tasks: Iterable[Any]) -> None:
        self._tasks = iter(tasks)
        self._back: list[Any] = []

    def put_back(self, task: Any) -> None:
        self._back.append(task)

    def take(self) -> Any | None:
        task = next(self._tasks, None)
        return self._back.pop(0) if task is None and self._back else task


def _employ(crew: list[_Worker], waiting: _Waiting, job: Job[Task, Result], *, workers: int) -> None:
    """Give everyone something to do, and take on more as long as there is."""
    for worker in [w for w in crew if w.task is None]:
        if (task := waiting.take()) is None:
            return
        try:
            worker.pipe.send(task)
            worker.task = task
        except OSError:  # it died between two tasks
            waiting.put_back(task)
            crew.remove(worker)
            _let_go(worker)
    while len(crew) < workers and (task := waiting.take()) is not None:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_work, args=(job, theirs), daemon=True)
        with _deaf_to_interrupts():
            process.start()
        theirs.close()  # so that the pipe ends when the process does
        crew.append(_Worker(process, ours, task))
        with suppress(OSError):  # it died at once, which is noticed where it is waited for
            ours.send(task)


def _let_go(worker: _Worker) -> None:
    worker.process.join()
    worker.pipe.close()


def _require_births(stillborn: int, code: int) -> None:
    if stillborn >= MAX_STILLBORN:
        raise MienError(
            f"{stillborn} processes in a row died before they could begin; the last {_end_of(code)}. A script that "
            "calls `prepare` must do so under `if __name__ == '__main__':`; or do without processes, with workers=1"
        )


def _why_given_up(code: int) -> str:
    """What is told of a task, by the exit status of the last process that died at it."""
    return (
        f"the process that worked on it {_end_of(code)}, {MAX_DEATHS} times; is there enough memory? Try with fewer "
        "workers, or rewrite the file with ffmpeg"
    )


def _end_of(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"


def _dismiss(crew: list[_Worker]) -> None:
    for worker in crew:
        worker.process.terminate()  # they clean up and go
    for worker in crew:
        worker.process.join(timeout=10)
        if worker.process.is_alive():
            worker.process.kill()
        worker.pipe.close()


def _work(job: Job, pipe: Connection) -> None:
    """The life of a worker: a task in, messages on its progress and the result out, until it is terminated."""
    signal.signal(signal.SIGTERM, _leave)
    last: tuple[str, str, int] | None = None

    def tell(video: str, stage: str, fraction: float) -> None:
        nonlocal last
        if (now := (video, stage, int(100 * fraction))) != last:
            last = now
            pipe.send((_Told.PROGRESS, (video, stage, fraction)))

    try:
        pipe.send((_Told.READY, None))
        while True:
            task = pipe.recv()
            try:
                pipe.send((_Told.RESULT, job(task, tell)))
            except Exception as error:  # a full disk, say: no use going on with other tasks
                pipe.send((_Told.ERROR, _sendable(error)))
    except (EOFError, BrokenPipeError):  # the one who sent us has died
        return


def _sendable(error: Exception) -> Exception:
    return error if isinstance(error, MienError) else RuntimeError("".join(traceback.format_exception(error)))


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
