"""Analyses that take their time: they wait in line, are worked on, can be called off, and are forgotten in the end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mien.errors import MienError
from mien.serve.refusal import RETRY_JOB_S, Refused, busy
from mien.serve.settings import Limits
from mien.serve.tasks import Analyze
from mien.serve.workers import Crew, WorkerDied

Status = Literal["queued", "running", "done", "failed", "cancelled"]
DIED = "the process that worked on the file crashed, or needed too much memory; rewriting it with ffmpeg may help"
log = logging.getLogger("uvicorn.error")


@dataclass(kw_only=True, slots=True, eq=False)
class Job:
    """One analysis. `folder` has the upload while it is needed, and the results in `out`."""

    id: str
    folder: Path
    status: Status = "queued"
    stage: str = ""
    done: int = 0
    total: int = 0
    error: str | None = None
    ended_s: float | None = None
    task: asyncio.Task[None] | None = None

    @property
    def out(self) -> Path:
        return self.folder / "out"


class JobQueue:
    """All jobs there are, by their ids, which cannot be guessed."""

    def __init__(self, crew: Crew, *, root: Path, limits: Limits) -> None:
        self._crew = crew
        self._root = root
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._coming = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds a place in the line while an upload for it comes. Raises Refused if none is free."""
        waiting = sum(job.status == "queued" for job in self._jobs.values()) + self._coming
        if waiting >= self._limits.queued_jobs:
            raise busy(f"{waiting} analyses are waiting already", retry_s=RETRY_JOB_S)
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def add(self, path: Path, settings: dict[str, Any]) -> Job:
        """Takes the file over, and analyses it when its turn has come."""
        id_ = secrets.token_urlsafe(16)
        job = Job(id=id_, folder=self._root / f"job-{id_}")
        job.out.mkdir(parents=True)
        (job.folder / "temporary").mkdir()
        video = path.rename(job.folder / path.name)
        job.task = asyncio.create_task(self._work(job, video, settings))
        self._jobs[id_] = job
        return job

    def get(self, id_: str) -> Job:
        """Raises Refused where there is no such job (any more)."""
        if id_ not in self._jobs:
            raise Refused(404, f"there is no such job; results are kept for {self._limits.keep_s:g} s")
        return self._jobs[id_]

    async def delete(self, id_: str) -> Job:
        """Calls a job off where it is not over, and deletes all that is left of it; how it ended comes back."""
        job = self.get(id_)
        del self._jobs[id_]
        if job.task is not None and not job.task.done():
            job.status = "cancelled"
            job.task.cancel()
            await asyncio.wait([job.task])
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)
        return job

    async def forget_old(self) -> None:
        """Deletes what is over for longer than it is to be kept; runs until cancelled."""
        while True:
            await asyncio.sleep(min(self._limits.keep_s / 4, 30.0))
            now = time.monotonic()
            old = [job for job in self._jobs.values() if job.ended_s and now - job.ended_s > self._limits.keep_s]
            for job in old:
                if job.id in self._jobs:  # else its client was quicker
                    await self.delete(job.id)

    def counts(self) -> dict[str, int]:
        """How many jobs have each status."""
        counted = Counter(job.status for job in self._jobs.values())
        return {status: counted[status] for status in get_args(Status) if status != "cancelled"}

    def close(self) -> None:
        for job in self._jobs.values():
            if job.task is not None:
                job.task.cancel()

    async def _work(self, job: Job, video: Path, settings: dict[str, Any]) -> None:
        def start() -> None:
            job.status, job.stage = "running", "starting"

        def tell(stage: str, done: int, total: int) -> None:
            job.stage, job.done, job.total = stage, done, total

        try:
            await self._crew.run(
                Analyze(path=video, out=job.out, settings=settings),
                folder=job.folder / "temporary",
                timeout_s=self._limits.job_s,
                on_start=start,
                on_progress=tell,
            )
            job.status = "done"
        except TimeoutError:
            self._fail(job, f"the analysis took longer than {self._limits.job_s:g} s")
        except WorkerDied:
            self._fail(job, DIED)
        except (Refused, MienError) as error:
            self._fail(job, str(error).replace(f"{job.folder}/", ""))
        except Exception:
            log.exception("a job failed")
            self._fail(job, "the server failed at this; its log tells more")
        finally:
            job.ended_s = time.monotonic()
            video.unlink(missing_ok=True)
            shutil.rmtree(job.folder / "temporary", ignore_errors=True)

    def _fail(self, job: Job, why: str) -> None:
        job.status, job.error = "failed", why
        shutil.rmtree(job.out, ignore_errors=True)
