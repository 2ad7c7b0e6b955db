"""What the endpoints share: the working processes, the jobs, the folder, and how many requests are at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request

from mien.errors import MienError
from mien.serve.jobs import DIED, JobQueue
from mien.serve.metrics import Metrics
from mien.serve.refusal import RETRY_REQUEST_S, Refused, busy
from mien.serve.run_folder import run_folder
from mien.serve.settings import Limits, ServeSettings
from mien.serve.tasks import AnalyzeVideo, Hands, ModelName, Task, WarmUp
from mien.serve.workers import Crew, WorkerDied

START_S = 300.0
"""Loading the face model takes seconds, downloading one from the hub longer."""


@dataclass(kw_only=True, slots=True, eq=False)
class Service:
    """A server that runs."""

    settings: ServeSettings
    folder: Path
    quick: Crew
    slow: Crew
    jobs: JobQueue
    metrics: Metrics
    at_work: int = 0

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds one of the places that there are for uploads and requests. Raises Refused if none is free."""
        if self.at_work >= self.limits.requests:
            raise busy(f"{self.at_work} requests are at work already", retry_s=RETRY_REQUEST_S)
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    async def answer(self, request: Request, task: Task, *, folder: Path) -> Any:
        """What a working process makes of the task. Ended, with its process, where the client goes away.

        Raises Refused for all that is wrong with the file, and for what takes too long.
        """
        has_begun = False

        def begin() -> None:
            nonlocal has_begun
            has_begun = True

        limit_s = self.limits.request_s
        try:
            async with asyncio.timeout(limit_s):
                return await _unless_gone(
                    request, self.quick.run(task, folder=folder, timeout_s=limit_s, on_start=begin)
                )
        except TimeoutError:
            if not has_begun:
                raise busy(f"no turn in {limit_s:g} s", retry_s=RETRY_REQUEST_S) from None
            raise Refused(413, f"this took longer than {limit_s:g} s; /v1/analyze has more time") from None
        except WorkerDied:
            raise Refused(422, DIED) from None
        except MienError as error:
            raise Refused(422, str(error)) from None

    def metrics_text(self) -> str:
        """For Prometheus."""
        return self.metrics.text(
            jobs=self.jobs.counts(),
            requests=self.at_work,
            pids={"requests": self.quick.pids, "jobs": self.slow.pids},
            replaced=self.quick.num_replaced + self.slow.num_replaced,
        )


@asynccontextmanager
async def running(settings: ServeSettings, *, metrics: Metrics, analyze: AnalyzeVideo) -> AsyncIterator[Service]:
    """The service with its processes started and the face model loaded; all of it ends when the block is left."""
    limits = settings.limits
    models: dict[ModelName, str] = {"face": settings.face_model}
    if settings.model is not None:
        models["video"] = settings.model
    hands = Hands(limits=limits, models=models, threads=settings.threads, analyze=analyze)
    with run_folder(settings.folder) as folder:
        quick = Crew(hands, size=settings.requests_at_once, limits=limits)
        slow = Crew(hands, size=settings.jobs_at_once, limits=limits)
        jobs = JobQueue(slow, root=folder, limits=limits)
        forgetting = asyncio.create_task(jobs.forget_old())
        try:
            quick.start()
            slow.start()
            warm_ups = (quick.run(WarmUp(), folder=folder, timeout_s=START_S) for _ in range(settings.requests_at_once))
            try:
                await asyncio.gather(*warm_ups)
            except (WorkerDied, TimeoutError):
                raise MienError(
                    f"the working processes do not start; is limits.memory_bytes = {limits.memory_bytes:,} enough?"
                ) from None
            yield Service(settings=settings, folder=folder, quick=quick, slow=slow, jobs=jobs, metrics=metrics)
        finally:  # nothing is waited for: whoever ends the server may cancel whatever waits
            forgetting.cancel()
            jobs.close()
            quick.close()
            slow.close()


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refused(400, "the client went away")
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Returns when the client has closed the connection; its body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
