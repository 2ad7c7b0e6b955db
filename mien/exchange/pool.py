"""A pool of processes that share the cores: tasks in, results out as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from mien.types import MienError

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_all(job: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int) -> Iterator[Result]:
    """`job` of every task, in the order in which they are done; with one worker, here and in order.

    Tasks are taken as they are needed, so that they may be many. What a job raises ends all.
    """
    if workers <= 1:
        yield from map(job, tasks)
        return
    context = get_context("spawn")  # a forked copy of a process that has run onnxruntime or torch may hang
    waiting = iter(tasks)
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        running: set[Future[Result]] = {pool.submit(job, task) for task in islice(waiting, 2 * workers)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(job, task) for task in islice(waiting, len(done))}
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise MienError(
                f"one of the {workers} processes was killed, probably for want of memory; run the same command again, "
                "with fewer workers"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
