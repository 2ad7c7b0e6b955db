"""Shards by themselves: how much a process keeps, how their gradients are clipped, what they come to together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from processes import start_joined
from tiny import CONFIG, part_of, random_batch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from mien import distributed
from mien.methods import EmotionClip
from mien.train.sharding import clip_gradients, full_weights, is_sharded, shard
from mien.types import MienError

GLOBAL_BATCH, MAX_NORM = 8, 0.5


def build(*, checkpointing: bool = False) -> EmotionClip:
    torch.manual_seed(0)
    return CONFIG.model_copy(update={"checkpointing": checkpointing}).build()


def whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def keep_a_share(folder: Path) -> None:
    method = build()
    shard(method, device="cpu")
    kept = sum(p.to_local().numel() if isinstance(p, DTensor) else p.numel() for p in method.parameters())
    (folder / f"{distributed.rank()}.txt").write_text(str(kept), encoding="utf-8")


@pytest.mark.slow
def test_a_process_keeps_its_share_of_the_parameters(tmp_path: Path) -> None:
    start_joined(keep_a_share, tmp_path, world_size=4)
    every = sum(p.numel() for p in build().parameters())
    kept = [int(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.txt")]
    assert sum(kept) == every + 3  # the logit scale is whole on all four
    assert max(kept) < 0.3 * every


def test_shards_need_processes() -> None:
    with pytest.raises(MienError, match=r"torchrun --nproc-per-node"):
        shard(build(), device="cpu")


@pytest.mark.parametrize("max_norm", [MAX_NORM, 1e6, None])
def test_gradients_are_clipped_as_torch_clips_them(max_norm: float | None) -> None:
    found, expected = build(), build()
    for method in (found, expected):
        method(random_batch()).loss.backward()
    norm = nn.utils.clip_grad_norm_(expected.parameters(), torch.inf if max_norm is None else max_norm)
    torch.testing.assert_close(clip_gradients(found.parameters(), max_norm=max_norm), norm)
    for a, b in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def clip_shards(folder: Path, checkpointing: bool) -> None:
    method = build(checkpointing=checkpointing)
    shard(method, device="cpu")
    weights = full_weights(method)
    own = distributed.own_rows(GLOBAL_BATCH // distributed.world_size())
    method(part_of(random_batch(GLOBAL_BATCH), own)).loss.backward()
    distributed.average_gradients(p for p in method.parameters() if not is_sharded(p))
    norm = clip_gradients(method.parameters(), max_norm=MAX_NORM)
    gradients = {name: whole(p.grad) for name, p in method.named_parameters() if p.grad is not None}
    result = {"norm": norm, "gradients": gradients, "weights": weights}
    torch.save(result, folder / f"{distributed.rank()}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True], ids=["activations kept", "activations twice"])
def test_shards_come_to_the_clipped_gradients_and_the_weights_of_one_process(
    checkpointing: bool, tmp_path: Path
) -> None:
    start_joined(clip_shards, tmp_path, checkpointing, world_size=2)
    method = build()
    method(random_batch(GLOBAL_BATCH)).loss.backward()
    norm = nn.utils.clip_grad_norm_(method.parameters(), MAX_NORM)
    assert norm > 2 * MAX_NORM
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(found["norm"], norm, rtol=1e-4, atol=0)
        assert found["gradients"].keys() == dict(method.named_parameters()).keys()
        for name, parameter in method.named_parameters():
            torch.testing.assert_close(found["gradients"][name], parameter.grad, atol=1e-5, rtol=0, msg=name)
        expected = method.state_dict() if rank == 0 else {}
        assert found["weights"].keys() == expected.keys()
        assert all(torch.equal(found["weights"][name], value) for name, value in expected.items())
