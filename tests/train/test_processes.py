"""Runs of several processes, whole models on each or shards: the losses of one, resumed by any number of them."""

from __future__ import annotations

import functools
import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from processes import start
from tiny_run import assert_same_weights, config, losses, weights
from tiny_store import write_store

from mien.checkpoint import checkpoints, read_metadata
from mien.config import dump_yaml
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig, train
from mien.train.trainer import Interrupted
from mien.types import MienError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("data") / "store", num_videos=4).path


@pytest.fixture(scope="module")
def one_process(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty undisturbed steps in one process, without dropout, whose random numbers differ between ranks."""
    run = tmp_path_factory.mktemp("runs") / "one"
    train(twenty_steps(store), run)
    return run


def twenty_steps(store: Path, **settings: object) -> RunConfig:
    return config(store, dropout=0.0, steps=20, checkpoint_every=5, evaluate_every=10, **settings)


def assert_close(run: Path, other: Path) -> None:
    assert len(losses(run)) == 20
    assert losses(run) == pytest.approx(losses(other), rel=1e-3)
    for name, tensor in weights(run).items():
        torch.testing.assert_close(tensor, weights(other)[name], rtol=0, atol=2e-3, msg=name)


def interrupt_at(step: int, settings: RunConfig, run: Path) -> None:
    """Trains until a request to stop, which the main process gets after `step`."""

    def ask(done: int, row: dict[str, float]) -> None:
        if done == step:
            signal.raise_signal(signal.SIGTERM)

    with suppress(Interrupted):
        train(settings, run, on_step=ask)


@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_have_the_losses_of_one(
    world_size: int, fsdp: bool, store: Path, one_process: Path, tmp_path: Path
) -> None:
    start(train, twenty_steps(store, fsdp=fsdp), tmp_path / "run", world_size=world_size)
    assert_close(tmp_path / "run", one_process)


@pytest.mark.parametrize(
    "settings", [{"micro_batch": 1}, {"accumulate": 2}, {"optim": {"train": "gains_and_biases"}}], ids=str
)
def test_shards_go_with_every_way_to_make_a_step(settings: dict, store: Path, tmp_path: Path) -> None:
    train(twenty_steps(store, **settings), tmp_path / "one")
    start(train, twenty_steps(store, fsdp=True, **settings), tmp_path / "two", world_size=2)
    assert_close(tmp_path / "two", tmp_path / "one")


def test_two_processes_train_gains_and_biases_as_one_does(store: Path, tmp_path: Path) -> None:
    settings = twenty_steps(store, optim={"train": "gains_and_biases"})
    train(settings, tmp_path / "one")
    start(train, settings, tmp_path / "two", world_size=2)
    assert_close(tmp_path / "two", tmp_path / "one")


@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 1)])
def test_run_goes_on_under_another_number_of_processes(
    before: int, after: int, fsdp: bool, store: Path, one_process: Path, tmp_path: Path
) -> None:
    settings = twenty_steps(store, fsdp=fsdp)
    start(interrupt_at, 7, settings, tmp_path / "run", world_size=before)
    assert read_metadata(checkpoints(tmp_path / "run" / "checkpoints")[-1])["step"] == 7
    start(train, settings, tmp_path / "run", world_size=after)
    assert_close(tmp_path / "run", one_process)


def test_sharded_run_resumes_bitwise_under_as_many_processes(store: Path, tmp_path: Path) -> None:
    settings = config(store, fsdp=True)
    start(train, settings, tmp_path / "whole", world_size=2)
    start(interrupt_at, 2, settings, tmp_path / "cut", world_size=2)
    start(train, settings, tmp_path / "cut", world_size=2)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert_same_weights(tmp_path / "cut", tmp_path / "whole")


def train_until_it_dies(settings: RunConfig, run: Path, *, room: int | None = None) -> None:
    """Trains, process 1 writing files of at most `room` bytes; what it died of goes beside the run."""
    rank = os.environ["RANK"]
    if room is not None and rank == "1":
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    died = ""
    try:
        train(settings, run)
    except MienError as error:
        died = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.with_name(f"died-{rank}").write_text(died, encoding="utf-8")


def died_of(run: Path) -> list[str]:
    return [run.with_name(f"died-{rank}").read_text(encoding="utf-8") for rank in range(2)]


def test_shard_that_cannot_be_written_leaves_the_checkpoint_before(store: Path, tmp_path: Path) -> None:
    settings, run = config(store, fsdp=True), tmp_path / "run"
    start(interrupt_at, 2, settings, run, world_size=2)
    start(functools.partial(train_until_it_dies, room=1_000), settings, run, world_size=2)
    for message in died_of(run):
        assert re.fullmatch(r"could not write \S+ \(process 1: .*File too large.*\); the checkpoint before.*", message)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000002"]


def test_damaged_shards_are_named_with_the_remedy(store: Path, tmp_path: Path) -> None:
    settings, run = config(store, fsdp=True), tmp_path / "run"
    start(interrupt_at, 2, settings, run, world_size=2)
    (run / "checkpoints" / "step-00000002" / "shards" / "__1_0.distcp").unlink()
    start(train_until_it_dies, settings, run, world_size=2)
    for message in died_of(run):
        assert re.fullmatch(r"\S+shards cannot be read \(process \d: .*__1_0.*\); remove the checkpoint .*", message)


DYING_SCRIPT = """
import os, signal, sys
from pathlib import Path
from mien.config import load_config
from mien.train.run import RunConfig, train

settings, run, dead = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])

def die_once(step, row):
    if step == 13 and not dead.exists():
        dead.touch()
        os.kill(os.getpid(), signal.SIGKILL)

train(load_config(RunConfig, settings), run, on_step=die_once)
"""


@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
def test_rank_that_is_killed_costs_only_the_steps_since_the_checkpoint(fsdp: bool, store: Path, tmp_path: Path) -> None:
    """torchrun's elastic launcher starts all ranks anew; the run ends bitwise where the undisturbed one ends."""
    settings = config(store, fsdp=fsdp, steps=20, checkpoint_every=5)
    start(train, settings, tmp_path / "whole", world_size=2)
    (tmp_path / "settings.yaml").write_text(dump_yaml(settings), encoding="utf-8")
    (tmp_path / "dying.py").write_text(DYING_SCRIPT, encoding="utf-8")
    launched = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1",
         str(tmp_path / "dying.py"), str(tmp_path / "settings.yaml"), str(tmp_path / "run"), str(tmp_path / "dead")],
        env=os.environ | {"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr
    assert (tmp_path / "dead").exists()
    assert [row["step"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")] == list(range(1, 21))
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    assert_same_weights(tmp_path / "run", tmp_path / "whole")
