"""Processes and what they exchange: the only file with collectives.

Everything works without a process group too (one process), so nothing else asks how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional  # before there is a group: its defaults would keep it, and gloo's threads, alive
from jaxtyping import Shaped
from torch import Tensor, nn

from mien.errors import MienError

BUCKET = 2**23
"""Numbers exchanged at a time where gradients are averaged (32 MB in float32), as DDP does it."""


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    return rank() == 0


def is_joined() -> bool:
    """Whether this process belongs to a group, be it of one."""
    return dist.is_initialized()


@contextmanager
def process_group(device: str) -> Iterator[str]:
    """Joins the processes that `torchrun` started, if it did; yields this process's own device ("cuda" → "cuda:1")."""
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    own_device = f"cuda:{local_rank}" if device == "cuda" else device
    if device == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise MienError(
                f"process {local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}; "
                "start as many processes (torchrun --nproc-per-node)"
            )
        torch.cuda.set_device(local_rank)
    if "RANK" not in os.environ:
        yield own_device
        return
    _require_fresh_store()
    if device == "cuda":
        dist.init_process_group("nccl", device_id=torch.device(own_device))
    else:
        dist.init_process_group("gloo")
    try:
        yield own_device
    finally:
        dist.destroy_process_group()


def _require_fresh_store() -> None:
    """torchrun's own store, which it shares with its processes by default, keeps where those before a restart were."""
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
    if restarts and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise MienError(
            "torchrun has started the processes anew, but lets them meet where they met before, and they would look "
            "for those that are gone (pytorch issue 135712); start it with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in the "
            "environment. The same command goes on from the last checkpoint"
        )


def gather(x: Shaped[Tensor, "b *d"]) -> Shaped[Tensor, "n *d"]:
    """The processes' tensors of equal shape, one after the other in order of rank; differentiable.

    Its gradient is the sum of all processes' gradients with respect to this process's rows. If every process's loss
    is the mean over its own anchors, averaging parameter gradients over processes (as DDP does) then gives exactly
    the gradient of the mean over all anchors.
    """
    return _Gather.apply(x) if world_size() > 1 else x  # type: ignore[no-untyped-call]


def own_rows(local_batch: int) -> slice:
    """Where this process's rows lie in what `gather` returns."""
    return slice(rank() * local_batch, (rank() + 1) * local_batch)


def mean(value: float | Tensor) -> float:
    """The mean over processes of a number."""
    return _reduced(value, dist.ReduceOp.SUM) / world_size()


def total(x: Shaped[Tensor, ""]) -> Shaped[Tensor, ""]:
    """The sum over processes of a number that stays on its device; not differentiable."""
    if world_size() == 1:
        return x
    summed = x.detach().clone()
    dist.all_reduce(summed)
    return summed


def largest(value: float | Tensor) -> float:
    """The largest of the processes' numbers."""
    return _reduced(value, dist.ReduceOp.MAX)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Puts the processes' mean in place of every gradient, as DDP does, for gradients that were made without it."""
    if world_size() == 1:
        return
    for bucket in _buckets([p.grad for p in parameters if p.grad is not None]):
        flat = torch.cat([grad.flatten() for grad in bucket])
        dist.all_reduce(flat)
        flat /= world_size()
        for grad, part in zip(bucket, torch.split(flat, [grad.numel() for grad in bucket]), strict=True):
            grad.copy_(part.view_as(grad))


def collect(value: Any) -> list[Any]:
    """Every process's value (plain data: it is pickled), in order of rank, on every process."""
    if world_size() == 1:
        return [value]
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, value)
    return found


def any_true(flag: bool) -> bool:
    """Whether the flag is set on any process."""
    return mean(float(flag)) > 0


def barrier() -> None:
    if world_size() > 1:
        dist.barrier()


def _reduced(value: float | Tensor, op: dist.ReduceOp.RedOpType) -> float:
    """One number of the processes' numbers, in float64."""
    if world_size() == 1:
        return float(value)
    found = torch.as_tensor(float(value), dtype=torch.float64, device=_device())
    dist.all_reduce(found, op=op)
    return float(found)


def _buckets(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    """The tensors in order, in lists of one dtype and of `BUCKET` numbers or little more."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or sum(t.numel() for t in bucket) >= BUCKET):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def _device() -> str:
    return f"cuda:{torch.cuda.current_device()}" if dist.get_backend() == "nccl" else "cpu"


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.local_batch = len(x)
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        grad = grads[0].clone(memory_format=torch.contiguous_format)  # autograd's own must not change
        dist.all_reduce(grad)
        return grad[own_rows(ctx.local_batch)]
