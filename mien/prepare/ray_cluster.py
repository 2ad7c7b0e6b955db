"""A Ray cluster at the same work."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mien.prepare.engines import MAX_DEATHS, GiveUp, Job, Result, Task
from mien.types import MienError


def run_ray(
    job: Job[Task, Result],
    tasks: Iterable[Task],
    *,
    address: str | None,
    give_up: GiveUp[Task, Result],
) -> Iterator[Result]:
    """On the Ray cluster at `address` (`auto` for the one this machine belongs to), or on one started here for it.

    One core a task; scheduling, retries after a worker's or a node's death, and spilling are Ray's own. Inputs and
    outputs must be reachable from every node, and mien installed there.
    """
    ray = _ray()
    before = signal.getsignal(signal.SIGTERM)
    ray.init(address=address, include_dashboard=False, logging_level="warning", log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=1, max_retries=MAX_DEATHS - 1)(_quietly)
        waiting = iter(tasks)
        running: dict[Any, Any] = {}
        while True:
            room = 2 * int(ray.cluster_resources().get("CPU", 1))  # as many wait as run; fewer after a node has died
            running |= {remote.remote(job, task): task for task in islice(waiting, max(0, room - len(running)))}
            if not running:
                return
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            yield _result(ray, done, running.pop(done), give_up)
    finally:
        ray.shutdown()
        with contextlib.suppress(ValueError):  # not in the main thread, where Ray leaves SIGTERM alone
            signal.signal(signal.SIGTERM, before)  # Ray's handler would stay


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MienError("Ray is not installed; pip install 'mien[ray]'") from error
    return ray


def _quietly(job: Job, task: Any) -> Any:
    return job(task, lambda name, stage, fraction: None)


def _result(ray: Any, done: Any, task: Any, give_up: GiveUp) -> Any:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MienError):
            raise error.cause from error
        raise MienError(f"Ray cannot run it: {error.cause}; is the same mien installed on every node?") from error
    except ray.exceptions.RayError as error:  # its worker died again and again
        return give_up(task, f"Ray gave it up: {str(error).strip().splitlines()[0]}")
