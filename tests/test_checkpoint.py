"""Checkpoints appear whole or not at all, and come back bit for bit."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from mien import checkpoint
from mien.checkpoint import (
    checkpoints,
    load_state,
    load_weights,
    read_metadata,
    save_checkpoint,
    save_state,
    whole_folder,
)
from mien.types import MienError


def save(folder: Path, step: int, model: nn.Module, *, keep_last: int = 2) -> Path:
    """After one step of Adam on gradients of `step` thirds."""
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, step / 3)
    optimizer.step()
    write = functools.partial(save_state, model=model, optimizer=optimizer)
    return save_checkpoint(folder, step=step, write=write, metadata={"seed": 1}, keep_last=keep_last)


def load(checkpoint: Path) -> None:
    """Into a linear layer of two by two."""
    model = nn.Linear(2, 2)
    load_state(checkpoint, model, torch.optim.AdamW(model.parameters()))


def fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def test_weights_and_state_come_back_bit_for_bit(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    path = save(tmp_path, 7, model)
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(other.parameters())
    load_state(path, other, optimizer)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())
    average = optimizer.state[other[0].bias]["exp_avg"]
    torch.testing.assert_close(average, torch.full((4,), 0.1 * 7 / 3))
    assert read_metadata(path) == {"step": 7, "seed": 1}


def test_the_latest_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100, 2000):
        save(tmp_path, step, nn.Linear(1, 1), keep_last=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000100", "step-00002000"]


@pytest.mark.parametrize("what", ["save_file", "torch.save"])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
        RuntimeError("PytorchStreamWriter failed writing file"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_full_disk_leaves_the_checkpoint_before(
    what: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Linear(2, 2)
    before = save(tmp_path, 1, model, keep_last=1)
    with monkeypatch.context() as patch:
        patch.setattr(*((checkpoint, what) if what == "save_file" else (torch, "save")), fail_with(error))
        with pytest.raises(MienError, match=r"could not write .*step-00000002.*what was there before is unchanged"):
            save(tmp_path, 2, model, keep_last=1)
    assert [path.name for path in tmp_path.iterdir()] == [before.name]
    assert read_metadata(before)["step"] == 1
    load(before)


def test_interrupted_write_is_neither_found_nor_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = save(tmp_path, 1, nn.Linear(2, 2))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", fail_with(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path, 2, nn.Linear(2, 2))
    (tmp_path / "step-00000003.partial").mkdir()  # as a killed process leaves it
    (tmp_path / "step-00000003.partial" / "state.pt").touch()
    assert checkpoints(tmp_path) == [before]
    after = save(tmp_path, 3, nn.Linear(2, 2))
    assert checkpoints(tmp_path) == [before, after]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_folder_stays_as_it_was_where_its_replacement_fails(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()

    def write() -> None:
        with whole_folder(tmp_path / "model") as partial:
            (partial / "new").touch()
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MienError, match="No space"):
        write()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]


def test_weights_of_another_architecture_are_refused_and_named(tmp_path: Path) -> None:
    path = save(tmp_path, 1, nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3)))
    other = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    before = other[0].weight.clone()
    with pytest.raises(MienError) as caught:
        load_weights(other, path / "model.safetensors")
    for part in (r"missing: 2.weight (1, 4)", "not of this model: 1.bias (3,)", "0.weight: (3, 2) in the file, (4, 2)"):
        assert part in str(caught.value)
    assert torch.equal(other[0].weight, before)


@pytest.mark.parametrize("name", ["model.safetensors", "state.pt", "checkpoint.json"])
def test_damaged_file_is_named_with_the_remedy(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, 1, nn.Linear(2, 2))
    (path / name).write_bytes((path / name).read_bytes()[:10])
    with pytest.raises(MienError, match=rf"{name} cannot be read .*earlier checkpoint"):
        read_metadata(path) if name == "checkpoint.json" else load(path)
