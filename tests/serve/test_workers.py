"""Working processes do tasks, and whatever happens to one, the next task is done."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import worker_jobs

from mien.errors import MienError
from mien.serve.refusal import Refused
from mien.serve.settings import Limits
from mien.serve.workers import Crew, WorkerDied

LIMITS = Limits(memory_bytes=2 * 1024**3)


def with_crew(use: Callable[[Crew], Awaitable[None]], *, size: int = 1, limits: Limits = LIMITS) -> Crew:
    async def main() -> None:
        crew.start()
        try:
            await use(crew)
        finally:
            crew.close()

    crew = Crew(worker_jobs.do, size=size, limits=limits)
    asyncio.run(main())
    assert crew.pids == []
    return crew


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_task_is_done_its_progress_told_and_its_temporary_files_lie_in_its_folder(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        told = list[tuple[str, int, int]]()
        result = await crew.run(
            "echo x", folder=tmp_path, timeout_s=60, on_progress=lambda *progress: told.append(progress)
        )
        assert result == "x"
        assert told == [("echo", 1, 2)]
        assert Path(await crew.run("temporary", folder=tmp_path, timeout_s=60)).parent == tmp_path

    assert with_crew(use).num_replaced == 0


@pytest.mark.parametrize(
    ("task", "error"), [("crash", WorkerDied), ("sleep", TimeoutError), ("bug", RuntimeError)], ids=lambda x: str(x)
)
def test_process_that_crashes_hangs_or_errs_is_replaced_and_the_next_task_done(
    task: str, error: type[Exception], tmp_path: Path
) -> None:
    async def use(crew: Crew) -> None:
        before = await crew.run("pid", folder=tmp_path, timeout_s=60)
        with pytest.raises(error):
            await crew.run(task, folder=tmp_path, timeout_s=1)
        assert not is_alive(before)
        assert await crew.run("pid", folder=tmp_path, timeout_s=60) != before

    assert with_crew(use).num_replaced == 1


def test_refusal_comes_back_as_it_was_and_names_no_folder_of_the_server(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        with pytest.raises(Refused, match=r"^no$") as refused:
            await crew.run("refused", folder=tmp_path, timeout_s=60)
        assert (refused.value.status, refused.value.headers) == (415, {"X": "y"})
        with pytest.raises(MienError, match=r"^film\.mp4 is bad$"):
            await crew.run(f"named {tmp_path}", folder=tmp_path, timeout_s=60)

    assert with_crew(use).num_replaced == 0


def test_who_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        with pytest.raises(Refused, match="more memory") as refused:
            await crew.run("hungry", folder=tmp_path, timeout_s=60)
        assert refused.value.status == 413

    with_crew(use)


def test_task_called_off_ends_its_process_and_what_that_started(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        noted = tmp_path / "pid"
        running = asyncio.create_task(crew.run(f"child {noted}", folder=tmp_path, timeout_s=60))
        while not noted.exists() or not noted.read_text():
            await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(10):  # it is killed, and a busy machine takes its time to bury it
            while is_alive(int(noted.read_text())):
                await asyncio.sleep(0.05)
        assert await crew.run("echo x", folder=tmp_path, timeout_s=60) == "x"

    with_crew(use)


def test_process_killed_while_idle_is_replaced_before_its_next_task(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        pid = await crew.run("pid", folder=tmp_path, timeout_s=60)
        os.kill(pid, 9)
        while pid in {child.pid for child in multiprocessing.active_children()}:  # until its last thread has ended
            await asyncio.sleep(0.05)
        assert await crew.run("echo x", folder=tmp_path, timeout_s=60) == "x"

    assert with_crew(use).num_replaced == 1


def test_process_is_replaced_after_so_many_tasks(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        pids = [await crew.run("pid", folder=tmp_path, timeout_s=60) for _ in range(4)]
        assert [pids[0] == pids[1], pids[1] == pids[2], pids[2] == pids[3]] == [True, False, True]

    with_crew(use, limits=LIMITS.model_copy(update={"tasks_a_process": 2}))


def test_two_tasks_are_done_by_two_processes_at_a_time_and_a_third_waits(tmp_path: Path) -> None:
    async def use(crew: Crew) -> None:
        sleeping = asyncio.create_task(crew.run("sleep", folder=tmp_path, timeout_s=60))
        await asyncio.sleep(0)
        pids = await asyncio.gather(*(crew.run("pid", folder=tmp_path, timeout_s=60) for _ in range(3)))
        assert len(set(pids)) == 1
        sleeping.cancel()

    with_crew(use, size=2)
