"""Fully sharded data parallelism (FSDP2): every process keeps its share of weights, gradients and optimiser state.

A layer's weights are gathered when it computes and dropped again; its gradients are averaged into their shards. So a
model that does not fit on one device trains on many, for half as much more communication than DDP's. Numbers are those
of DDP. Parameters without dimensions (the logit scale) stay whole on every process: there is nothing to divide, and the
objective reads them outside the towers.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from mien import distributed
from mien.methods import Method
from mien.models.transformer import Block
from mien.types import MienError

SHARDS = "shards"
"""The folder of a checkpoint that holds them, in torch.distributed.checkpoint's format."""


def shard(method: Method, *, device: str) -> None:
    """Leaves this process its share of the parameters, on its device: a transformer's layer at a time, then the rest.

    The method may lie on the CPU, so that the device need never hold it whole; what stays whole stays where it is.
    Raises MienError where there is no process group to share them among.
    """
    if not distributed.is_joined():
        raise MienError(
            "train.fsdp=true shards the model over processes; start them: torchrun --nproc-per-node N -m mien train …"
        )
    mesh = init_device_mesh(torch.device(device).type, (distributed.world_size(),))
    for module in list(method.modules()):
        if isinstance(module, Block):
            fully_shard(module, mesh=mesh)
    fully_shard(method, mesh=mesh, ignored_params={p for p in method.parameters() if p.ndim == 0})
    for name in ("embeddings", "embed", "embed_text"):  # called besides `forward`, and needing whole weights as it does
        register_fsdp_forward_method(method, name)


def is_sharded(tensor: Tensor) -> bool:
    return isinstance(tensor, DTensor)


def clip_gradients(parameters: Iterable[nn.Parameter], *, max_norm: float | None) -> Float[Tensor, ""]:
    """Scales the gradients down to `max_norm` in all, if they exceed it; returns their norm before.

    What torch's `clip_grad_norm_` does, for shards and whole gradients together, with one number exchanged.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    shards = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
    whole = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
    norm = nn.utils.get_total_norm(whole)
    if shards:
        norm = (norm.square() + distributed.total(nn.utils.get_total_norm(shards).square())).sqrt()
    if max_norm is not None:
        torch._foreach_mul_([*shards, *whole], torch.clamp(max_norm / (norm + 1e-6), max=1.0))
    return norm


def full_weights(module: nn.Module) -> dict[str, Tensor]:
    """The module's state with every shard put together, on the CPU of the main process; nothing on the others.

    All processes must call this together.
    """
    state = {}
    for name, value in module.state_dict().items():
        whole = value.full_tensor() if isinstance(value, DTensor) else value
        if distributed.is_main():
            state[name] = whole.detach().cpu()
    return state


def save_shards(folder: Path, method: Method, optimizer: torch.optim.Optimizer) -> None:
    """Writes weights and optimiser state into `folder`, each process its own share. All must call this together.

    Raises MienError on every process, and leaves nothing of `folder`, if one of them could not write.
    """
    if distributed.is_main():
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed here
    distributed.barrier()
    try:
        dcp.save(_state(method, optimizer), checkpoint_id=folder)
    except dcp.CheckpointException as error:
        if distributed.is_main():
            shutil.rmtree(folder, ignore_errors=True)
        raise MienError(f"could not write {folder} ({_reasons(error)}); the checkpoint before is unchanged") from error


def load_shards(folder: Path, method: Method, optimizer: torch.optim.Optimizer) -> None:
    """Reads what `save_shards` wrote, under however many processes. All must call this together."""
    state = _state(method, optimizer)
    try:
        dcp.load(state, checkpoint_id=folder)
    except dcp.CheckpointException as error:
        raise MienError(
            f"{folder} cannot be read ({_reasons(error)}); remove the checkpoint to fall back on an earlier one"
        ) from error
    set_state_dict(method, optimizer, model_state_dict=state["method"], optim_state_dict=state["optimizer"])


def _state(method: Method, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    weights, optimizer_state = get_state_dict(method, optimizer)
    return {"method": weights, "optimizer": optimizer_state}


def _reasons(error: dcp.CheckpointException) -> str:
    """What failed on which process; the error's own text is a traceback of each."""
    return "; ".join(f"process {rank}: {reason}" for rank, (reason, _) in error.failures.items())
