"""Requests to stop: signals that the loop asks for between steps, so that it can write a checkpoint first."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from mien import distributed


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turns Ctrl-C and SIGTERM into a question: was a stop asked for?

    A second Ctrl-C stops at once. Not so under several processes, where one request arrives twice (from the terminal
    or the scheduler, and from torchrun), nor a second SIGTERM: who wants to kill has SIGKILL.
    """
    requested: list[int] = []
    previous: dict[int, Any] = {}

    def remember(number: int, frame: FrameType | None) -> None:
        requested.append(number)
        if number == signal.SIGINT and distributed.world_size() == 1:
            signal.signal(signal.SIGINT, previous[signal.SIGINT])

    with contextlib.suppress(ValueError):  # not in the main thread: no signals to catch
        for wanted in (signal.SIGINT, signal.SIGTERM):
            previous[wanted] = signal.signal(wanted, remember)
    try:
        yield lambda: bool(requested)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
