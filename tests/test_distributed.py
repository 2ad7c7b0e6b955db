"""One, two and four processes compute the same loss, gradients and logs of one global batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from processes import start, start_joined
from tiny import CONFIG, part_of, random_batch
from torch.nn.parallel import DistributedDataParallel

from mien import distributed
from mien.errors import MienError

GLOBAL_BATCH = 8


def compute(world_size: int) -> dict[str, Any]:
    """This process's loss and logs, and the gradients after DDP's exchange."""
    torch.manual_seed(0)
    method = CONFIG.build()
    module = DistributedDataParallel(method) if world_size > 1 else method
    batch = part_of(random_batch(GLOBAL_BATCH), distributed.own_rows(GLOBAL_BATCH // world_size))
    output = module(batch)
    output.loss.backward()
    return {
        "loss": distributed.mean(output.loss.detach()),
        "logs": {name: distributed.mean(value) for name, value in output.logs.items()},
        "gradients": {name: p.grad for name, p in method.named_parameters()},
    }


def averaged(rank: int) -> list[Any]:
    """Gradients of several shapes and dtypes, some not laid out in rows, in buckets of 8 numbers."""
    distributed.BUCKET = 8
    made: list[tuple[Any, torch.dtype]] = [
        ((5,), torch.float32), ((3, 4), torch.float32), ((), torch.float64), ((2, 2), torch.float32),
    ]  # fmt: skip
    parameters = [torch.nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape, dtype in made]
    for number, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, 10.0 * number + rank)
    parameters[1].grad = (torch.arange(12.0).reshape(4, 3) + rank).T
    untouched = torch.nn.Parameter(torch.zeros(2))
    distributed.average_gradients([*parameters, untouched])
    assert untouched.grad is None
    return [p.grad.tolist() for p in parameters if p.grad is not None]


def exchange(folder: Path) -> None:
    rank, world_size = distributed.rank(), distributed.world_size()
    result = compute(world_size)
    result["any"] = distributed.any_true(rank == world_size - 1), distributed.any_true(False)
    rows = distributed.gather(torch.full((2, 3), float(rank)))
    result["gathered"] = rows[:, 0].tolist()
    result["largest"] = distributed.largest(torch.tensor(float(rank)))
    result["collected"] = distributed.collect({"rank": rank, "names": ["a"] * rank})
    result["averaged"] = averaged(rank)
    result["own"] = rows[distributed.own_rows(2), 0].tolist()
    torch.save(result, folder / f"{rank}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_together_equal_one(world_size: int, tmp_path: Path) -> None:
    start_joined(exchange, tmp_path, world_size=world_size)
    expected = compute(1)
    for rank in range(world_size):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-6)
        assert found["logs"] == pytest.approx(expected["logs"], abs=1e-6)
        assert found["gradients"].keys() == expected["gradients"].keys()
        for name, gradient in expected["gradients"].items():
            largest = max(1.0, float(gradient.abs().max()))
            torch.testing.assert_close(found["gradients"][name], gradient, atol=1e-6 * largest, rtol=0, msg=name)
        assert found["any"] == (True, False)
        assert found["gathered"] == [float(r) for r in range(world_size) for _ in range(2)]
        assert found["largest"] == world_size - 1
        assert found["collected"] == [{"rank": r, "names": ["a"] * r} for r in range(world_size)]
        middle = (world_size - 1) / 2
        assert found["averaged"] == [
            [middle] * 5,
            (torch.arange(12.0).reshape(4, 3) + middle).T.tolist(),
            20 + middle,
            [[30 + middle] * 2] * 2,
        ]
        assert found["own"] == [float(rank)] * 2


def leave(folder: Path) -> None:
    with distributed.process_group("cpu"):
        module = DistributedDataParallel(torch.nn.Linear(2, 2))
        module(torch.ones(1, 2)).sum().backward()
        del module
    threads = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    (folder / f"{distributed.rank()}.txt").write_text("\n".join(threads))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed in /proc on Linux only")
def test_gloos_threads_are_gone_when_the_group_is_left(tmp_path: Path) -> None:
    """One that outlives the interpreter aborts a process whose work is done."""
    start(leave, tmp_path, world_size=2)
    assert "gloo" not in (tmp_path / "0.txt").read_text()


def test_one_process_needs_no_group() -> None:
    x = torch.randn(3, 2)
    assert distributed.gather(x) is x
    assert distributed.own_rows(5) == slice(0, 5)
    assert (distributed.rank(), distributed.world_size(), distributed.is_main()) == (0, 1, True)
    assert distributed.mean(torch.tensor(1.5)) == 1.5
    assert distributed.any_true(True)
    assert distributed.largest(2) == 2.0
    assert distributed.collect("x") == ["x"]
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    distributed.average_gradients([parameter])
    assert parameter.grad.tolist() == [3.0, 3.0]
    distributed.barrier()


def test_process_group_without_torchrun_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with distributed.process_group("cpu") as device:
        assert device == "cpu"
        assert not dist.is_initialized()


def test_restarted_processes_do_not_look_for_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    with pytest.raises(MienError, match="TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"), distributed.process_group("cpu"):
        pass
