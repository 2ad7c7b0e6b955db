"""Working processes: each does one task at a time, and can be ended at any moment without harm to the server.

Media files are hostile until shown otherwise, and decoders are C: what crashes, hangs, or eats memory does so in a
process that is then replaced. (`mien.prepare.engines` is for batches that come to an end; this is for a server, where
a task has a time limit and may be called off.)
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mien.errors import MienError
from mien.serve.refusal import Refused
from mien.serve.settings import Limits

CONTEXT = get_context("spawn")  # a forked copy of a process that has threads may hang
log = logging.getLogger("uvicorn.error")

OnProgress = Callable[[str, int, int], None]
"""Told the stage, and how much of how much of it is done."""

DoTask = Callable[[Any, OnProgress], Any]
"""Does one task, and tells of its progress; sent to each process once."""


class WorkerDied(Exception):
    """A process ended at a task: the file may have been too much for a decoder, or for the memory."""


class _Told(Enum):
    PROGRESS = 0
    RESULT = 1
    REFUSED = 2
    FAILED = 3


@dataclass(slots=True, eq=False)
class _Worker:
    process: Any
    pipe: Connection
    num_tasks: int = 0


class Crew:
    """`size` processes. Who asks while all are busy waits in line."""

    def __init__(self, do: DoTask, *, size: int, limits: Limits) -> None:
        self.num_replaced = 0
        self._is_open = True
        self._do = do
        self._size = size
        self._limits = limits
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._all = set[_Worker]()

    def start(self) -> None:
        for _ in range(self._size):
            self._employ()

    async def run(
        self,
        task: Any,
        *,
        folder: Path,
        timeout_s: float,
        on_start: Callable[[], None] = lambda: None,
        on_progress: OnProgress = lambda stage, done, total: None,
    ) -> Any:
        """What is made of the task.

        folder: temporary files are made there; deleting it is the caller's part. timeout_s: from when the work begins;
        TimeoutError after it. Raises WorkerDied, and whatever MienError or Refused that raised. Whoever is cancelled
        while the work is done ends it, with its process.
        """
        worker = await self._take()
        ends_well = False
        try:
            on_start()
            async with asyncio.timeout(timeout_s):
                result = await self._converse(worker, task, folder=folder, on_progress=on_progress)
            ends_well = True
            return result
        except (Refused, MienError):
            ends_well = True
            raise
        finally:
            worker.num_tasks += 1
            if ends_well and worker.num_tasks < self._limits.tasks_a_process:
                self._idle.put_nowait(worker)
            else:
                self._replace(worker)

    def close(self) -> None:
        """End all processes at once."""
        self._is_open = False
        for worker in list(self._all):
            self._dismiss(worker)

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._all]

    async def _take(self) -> _Worker:
        """The next that is idle, and alive: one may have been killed for want of memory between two tasks."""
        while not (worker := await self._idle.get()).process.is_alive():
            self._replace(worker)
        return worker

    def _replace(self, worker: _Worker) -> None:
        self._dismiss(worker)
        if self._is_open:
            self.num_replaced += 1
            self._employ()

    async def _converse(self, worker: _Worker, task: Any, *, folder: Path, on_progress: OnProgress) -> Any:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(worker.pipe.fileno(), readable.set)
        try:
            worker.pipe.send((task, folder))
            while True:
                await readable.wait()
                readable.clear()
                while worker.pipe.poll():
                    about, *message = worker.pipe.recv()
                    match about:
                        case _Told.PROGRESS:
                            on_progress(*message)
                        case _Told.RESULT:
                            return message[0]
                        case _Told.REFUSED:
                            raise message[0]
                        case _Told.FAILED:
                            log.error("a working process failed at %s:\n%s", type(task).__name__, message[0])
                            raise RuntimeError(f"a working process failed at {type(task).__name__}")
        except (EOFError, OSError) as error:
            worker.process.join(timeout=5)
            log.warning("a working process died at %s, exit code %s", type(task).__name__, worker.process.exitcode)
            raise WorkerDied from error
        finally:
            if not worker.pipe.closed:
                loop.remove_reader(worker.pipe.fileno())

    def _employ(self) -> None:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_work, args=(self._do, theirs, self._limits.memory_bytes), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends when the process does
        worker = _Worker(process, ours)
        self._all.add(worker)
        self._idle.put_nowait(worker)

    def _dismiss(self, worker: _Worker) -> None:
        if worker not in self._all:  # the server is being closed
            return
        self._all.discard(worker)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)  # with what it may have started
        worker.process.kill()  # where it has not yet a group of its own
        worker.process.join()
        worker.process.close()
        worker.pipe.close()


# ── in the working process ───────────────────────────────────────────────────────────────────────


def _work(do: DoTask, pipe: Connection, memory_bytes: int) -> None:
    """The life of a working process: a task in, messages on its progress and the result out, until it is killed."""
    os.setsid()  # Ctrl-C in the server's terminal is the server's business
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError):  # the server has died
        while True:
            task, folder = pipe.recv()
            tempfile.tempdir = str(folder)
            pipe.send(_done(do, task, pipe, folder=folder))


def _done(do: DoTask, task: Any, pipe: Connection, *, folder: Path) -> tuple[_Told, Any]:
    last: tuple[str, int, int] | None = None

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal last
        if (now := (stage, done, total)) != last:
            last = now
            pipe.send((_Told.PROGRESS, *now))

    try:
        return _Told.RESULT, do(task, tell)
    except Refused as error:
        return _Told.REFUSED, error
    except MienError as error:
        return _Told.REFUSED, MienError(
            str(error).replace(f"{folder}/", "")
        )  # where files lie here tells clients nothing
    except MemoryError:
        return _Told.REFUSED, Refused(413, "the file needs more memory than one request may take")
    except Exception as error:
        return _Told.FAILED, "".join(traceback.format_exception(error))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "started by the server"
    parent.join()
    os._exit(1)
