"""Losses a chunk of anchors at a time, value and gradients together, in float32 or better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

LossOfRows = Callable[..., Tensor]
"""`(rows, *tensors) -> loss`: the mean over the anchors `rows` of a batch that the tensors describe."""


def row_chunks(anchors: slice | None, *, batch: int, chunk: int | None) -> list[slice]:
    """The anchors among `batch` rows (all by default) in stretches of `chunk` (one by default): 5 in 2s → 2, 2, 1."""
    if chunk is not None and chunk < 1:
        raise ValueError(f"a chunk has one anchor or more ({chunk = }); None computes all at once")
    start, stop, _ = (anchors or slice(None)).indices(batch)
    size = chunk or max(1, stop - start)
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]


def mean_over_chunks(
    loss_of: LossOfRows, chunks: Sequence[slice], inputs: Sequence[Tensor | float]
) -> Float[Tensor, ""]:
    """The mean over all anchors of `loss_of`, which gives the mean over a chunk's."""
    if len(chunks) == 1:
        return loss_of(chunks[0], *inputs)
    like = next(x for x in inputs if isinstance(x, Tensor))
    dtypes = [x.dtype if isinstance(x, Tensor) else like.dtype for x in inputs]  # a float is not float32 in float64
    tensors = [torch.as_tensor(x, dtype=d, device=like.device) for x, d in zip(inputs, dtypes, strict=True)]
    return _MeanOverChunks.apply(loss_of, chunks, torch.is_grad_enabled(), *tensors)  # type: ignore[no-untyped-call]


class _MeanOverChunks(torch.autograd.Function):
    """Computes gradients beside the value, a chunk at a time, so that no chunk's matrices outlive it.

    That the gradients are there before backward asks for them is what a scalar allows: backward only multiplies.
    """

    @staticmethod
    def forward(ctx: Any, loss_of: LossOfRows, chunks: Sequence[slice], with_grad: bool, *inputs: Tensor) -> Tensor:
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[3:]) if with_grad and needed]
        gradients = [torch.zeros_like(inputs[i]) for i in wanted]
        num_anchors = sum(rows.stop - rows.start for rows in chunks)
        value = torch.zeros((), dtype=torch.float64, device=inputs[0].device)
        for rows in chunks:
            share = (rows.stop - rows.start) / num_anchors
            leaves = [x.detach().requires_grad_(i in wanted) for i, x in enumerate(inputs)]
            with torch.set_grad_enabled(bool(wanted)):
                loss = loss_of(rows, *leaves) * share
            value += loss.detach()
            if wanted:
                found = torch.autograd.grad(loss, [leaves[i] for i in wanted])
                for total, part in zip(gradients, found, strict=True):
                    total += part
        ctx.wanted = wanted
        ctx.save_for_backward(*gradients)
        return value.to(inputs[0].dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        of_input = dict(zip(ctx.wanted, ctx.saved_tensors, strict=True))
        inputs = range(len(ctx.needs_input_grad) - 3)
        scaled = [of_input[i] * grad.to(of_input[i].dtype) if i in of_input else None for i in inputs]
        return None, None, None, *scaled


def at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
