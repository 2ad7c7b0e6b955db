"""Several processes of one job on this machine, as `torchrun` starts them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.multiprocessing as mp

from mien import distributed

Work = Callable[..., None]


def start(work: Work, *args: Any, world_size: int) -> None:
    """Runs `work(*args)` in each of the processes, which are told where to meet; raises what one of them raised."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(_as_rank, args=(world_size, port, work, args), nprocs=world_size)


def start_joined(work: Work, *args: Any, world_size: int) -> None:
    """The same for work that wants the process group to be there."""
    start(_joined, work, args, world_size=world_size)


def _as_rank(rank: int, world_size: int, port: int, work: Work, args: tuple[Any, ...]) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    work(*args)


def _joined(work: Work, args: tuple[Any, ...]) -> None:
    with distributed.process_group("cpu"):
        work(*args)
