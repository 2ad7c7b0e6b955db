"""Gradient caching: the exact gradients of a batch whose activations do not fit in memory.

A batch-wide loss needs all embeddings at once but not all activations. So the clips are embedded a micro-batch at a
time without a graph, the objective gives the loss and its gradients *at the embeddings*, and each micro-batch is
embedded again, with a graph, to carry its rows of those gradients back to the parameters. Loss and gradients are those
of the whole batch; the price is one more forward pass. Source: Gao et al. 2021, "Scaling Deep Contrastive Learning
Batch Size under Memory Limited Setup".

Dropout draws the same numbers both times: the state of the random generators is kept a micro-batch. A run with
dropout differs from one of the whole batch only as it would with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, replace

import torch
from torch import Tensor

from mien.methods.base import Embeddings, Method
from mien.types import ClipBatch, StepOutput

Autocast = Callable[[], AbstractContextManager]
"""Opens the precision that the model computes in. Opened anew for each part: what it caches without a graph must not
serve a part with one."""


def cached_backward(
    method: Method, batch: ClipBatch, *, micro_batch: int, device: str, autocast: Autocast, share: float = 1.0
) -> StepOutput:
    """Adds `share` times the gradients of the batch's loss to the parameters' `.grad`; the loss and logs, detached.

    micro_batch: clips embedded at a time; only these need be on the device. Under several processes each calls this
    with its own part of the global batch, and the gradients are then to be averaged (`average_gradients`): the method
    must not be wrapped in DDP, which would exchange them after every part.
    """
    rows = [slice(start, start + micro_batch) for start in range(0, len(batch.ids), micro_batch)]

    def embed(part: slice) -> Embeddings:
        with autocast():
            return method.embeddings(clips_of(batch, part).to(device))

    states, parts = [], []
    for part in rows[:-1]:
        states.append(_random_state(device))
        with torch.no_grad():
            parts.append(embed(part))
    last = embed(rows[-1])  # its graph is kept: one micro-batch less to embed again
    whole = {
        name: torch.cat([part[name] for part in [*parts, last]]).detach().requires_grad_(rows_of_last.requires_grad)
        for name, rows_of_last in last.items()
    }
    with autocast():
        output = method.objective(whole)
    torch.autograd.backward(output.loss * share)
    gradients = {name: x.grad for name, x in whole.items() if x.grad is not None}
    _carry_back(last, gradients, rows[-1])
    del last
    with _random_numbers_go_on(device):
        for part, state in zip(rows[:-1], states, strict=True):
            _set_random_state(state, device)
            _carry_back(embed(part), gradients, part)
    return StepOutput(loss=output.loss.detach(), logs=output.logs)


def clips_of(batch: ClipBatch, rows: slice) -> ClipBatch:
    """Some clips of a batch."""
    return replace(batch, **{field.name: getattr(batch, field.name)[rows] for field in fields(batch)})


def _carry_back(embeddings: Embeddings, gradients: dict[str, Tensor], rows: slice) -> None:
    names = [name for name in gradients if embeddings[name].requires_grad]
    torch.autograd.backward([embeddings[name] for name in names], [gradients[name][rows] for name in names])


RandomState = tuple[Tensor, Tensor | None]


def _random_state(device: str) -> RandomState:
    """The generators' states that dropout draws from: the CPU's and the GPU's, if that is where it happens."""
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.startswith("cuda") else None


def _set_random_state(state: RandomState, device: str) -> None:
    on_cpu, on_gpu = state
    torch.set_rng_state(on_cpu)
    if on_gpu is not None:
        torch.cuda.set_rng_state(on_gpu, device)


@contextmanager
def _random_numbers_go_on(device: str) -> Iterator[None]:
    """Whatever the block draws, what follows it draws as if it had not."""
    state = _random_state(device)
    try:
        yield
    finally:
        _set_random_state(state, device)
