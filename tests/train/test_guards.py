"""What ends a run early ends it on every process, with the checkpoint before intact and the reason on disk."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import start_joined
from tiny import CONFIG, part_of, random_batch
from tiny_run import config
from tiny_store import write_store

from mien import distributed
from mien.checkpoint import checkpoints, read_metadata
from mien.config import dump_yaml
from mien.methods import EmotionClip
from mien.train.metrics import MetricsWriter, NoMetrics, read_metrics
from mien.train.optim import OptimConfig, build_optimizer
from mien.train.stop_requests import stop_requests
from mien.train.trainer import Trainer, TrainerConfig
from mien.types import ClipBatch, MienError, StepOutput

STEPS = 6


def trainer(run: Path, method: EmotionClip | None = None, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    method = method or CONFIG.build()
    trainer_config = TrainerConfig.model_validate(
        {"steps": STEPS, "batch_size": 8, "log_every": 1, "checkpoint_every": 2, "device": "cpu"} | settings
    )
    optim = OptimConfig(lr=1e-3, warmup_steps=2)
    optimizer = build_optimizer(optim, method)
    run.mkdir(exist_ok=True, parents=True)
    return Trainer(
        method, optimizer, config=trainer_config, optim=optim, seed=0, run=run, device="cpu", metadata={"clips": "some"}
    )


def batches(*, spoilt_step: int | None = None) -> Generator[ClipBatch, None, None]:
    """This process's parts of batches of eight; the clips of `spoilt_step` (from 1) have sentiments that are nan."""
    own = distributed.own_rows(8 // distributed.world_size())
    for step in itertools.count(1):
        batch = random_batch(8, seed=step)
        if step == spoilt_step:
            batch = replace(batch, sentiment_logits=torch.full((8, 7), math.nan))
        yield part_of(batch, own)


def fit(trained: Trainer, **options: Any) -> None:
    metrics = MetricsWriter(trained.run, first_step=0) if distributed.is_main() else NoMetrics()
    trained.fit(batches(**options), first_step=0, metrics=metrics)


# ── numbers that are none ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 3}], ids=["whole", "micro-batches"])
def test_loss_that_is_not_finite_stops_the_run_and_lists_the_clips(settings: dict[str, int], tmp_path: Path) -> None:
    trained = trainer(tmp_path, **settings)
    before = {}

    def remember(step: int, row: dict[str, float]) -> None:
        before.update({name: p.detach().clone() for name, p in trained.method.named_parameters()})

    with pytest.raises(
        MienError, match=r"step 4 is not finite \(loss nan; .*8 clips are listed in .*step-4\.json\. Lower"
    ):
        trained.fit(
            batches(spoilt_step=4), first_step=0, metrics=MetricsWriter(tmp_path, first_step=0), on_step=remember
        )
    record = json.loads((tmp_path / "nonfinite-step-4.json").read_text(encoding="utf-8"))
    assert record["step"] == 4
    assert record["processes"] == [{"loss": ["nan"], "grad_norm": "nan", "clips": [f"clip {i}" for i in range(8)]}]
    assert all(torch.equal(p, before[name]) for name, p in trained.method.named_parameters())
    assert [path.name for path in checkpoints(tmp_path / "checkpoints")] == ["step-00000002"]


def test_gradient_that_is_not_finite_stops_the_run_though_the_loss_is(tmp_path: Path) -> None:
    trained = trainer(tmp_path)
    weight = trained.method.get_parameter("model.vision.projection")
    weight.register_hook(lambda grad: grad * math.inf)
    with pytest.raises(MienError, match=r"step 1 is not finite \(loss \d.*gradient norm (nan|inf)\)"):
        fit(trained)
    assert (tmp_path / "nonfinite-step-1.json").is_file()


class InfiniteOnOneRank(EmotionClip):
    """Its loss is infinite on process 1 alone, and no gradient shows it."""

    def objective(self, embeddings: dict[str, torch.Tensor]) -> StepOutput:
        output = super().objective(embeddings)
        worse = math.inf if distributed.rank() == 1 else 0.0
        return StepOutput(loss=output.loss + worse, logs=output.logs)


def as_ranks(work: Callable[[Path], None], folder: Path, *, world_size: int = 2) -> list[str]:
    """What each of the processes died of ("" where it did not), each having run `work`."""
    start_joined(_until_it_dies, work, folder, world_size=world_size)
    return [(folder / f"died-{rank}").read_text(encoding="utf-8") for rank in range(world_size)]


def _until_it_dies(work: Callable[[Path], None], folder: Path) -> None:
    died = ""
    try:
        work(folder)
    except MienError as error:
        died = str(error)
    (folder / f"died-{distributed.rank()}").write_text(died, encoding="utf-8")
    distributed.barrier()  # an error on one process alone would leave the other waiting in another collective


def _fit_to_infinity(folder: Path) -> None:
    fit(trainer(folder / "run", InfiniteOnOneRank(CONFIG)))


@pytest.mark.slow
def test_every_process_stops_where_one_is_not_finite(tmp_path: Path) -> None:
    died = as_ranks(_fit_to_infinity, tmp_path)
    assert len(set(died)) == 1
    assert "loss inf" in died[0]
    assert "8 clips are listed in" in died[0]
    record = json.loads((tmp_path / "run" / "nonfinite-step-1.json").read_text(encoding="utf-8"))
    assert [len(process["clips"]) for process in record["processes"]] == [4, 4]
    assert record["processes"][1]["clips"] == [f"clip {i}" for i in range(4, 8)]
    assert record["processes"][1]["loss"] == ["inf"]
    assert record["processes"][0]["loss"] != ["inf"]


# ── a full disk ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("room", [0, 1_000, 30_000, 90_000])
def test_disk_that_fills_up_leaves_the_checkpoint_before(room: int, tmp_path: Path) -> None:
    """The kernel refuses to let any file grow beyond `room` bytes, whoever writes it and how."""
    trained = trainer(tmp_path)

    def fill(step: int, row: dict[str, float]) -> None:
        if step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(MienError, match=r"could not write .*step-00000004.*what was there before is unchanged"):
            trained.fit(batches(), first_step=0, metrics=NoMetrics(), on_step=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (left,) = checkpoints(tmp_path / "checkpoints")
    assert read_metadata(left)["step"] == 2
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-00000002"]


def _fit_on_a_full_disk(folder: Path) -> None:
    if distributed.is_main():
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
    try:
        fit(trainer(folder / "run"))
    finally:
        if distributed.is_main():
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.slow
def test_every_process_stops_where_the_checkpoint_cannot_be_written(tmp_path: Path) -> None:
    died = as_ranks(_fit_on_a_full_disk, tmp_path)
    assert "could not write" in died[0]
    assert "process 0 could not write the checkpoint of step 2" in died[1]


# ── too few ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settings", [{"batch_size": 1}, {"batch_size": 8, "accumulate": 8}])
def test_clip_without_others_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="without others to tell it"):
        TrainerConfig.model_validate(settings)


# ── preemption ───────────────────────────────────────────────────────────────────────────────────


def torchrun(folder: Path, *, steps: int) -> subprocess.Popen[str]:
    settings = folder / "settings.yaml"
    settings.write_text(dump_yaml(config(folder / "store", steps=steps, checkpoint_every=100_000)), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "mien"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "train", str(settings), "--out", str(folder / "run")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )  # fmt: skip


def children(pid: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds torchrun's processes in /proc")
@pytest.mark.parametrize("who", ["torchrun", "everybody", "one process"])
def test_sigterm_under_torchrun_leaves_a_checkpoint_that_the_same_command_goes_on_from(
    who: str, tmp_path: Path
) -> None:
    """A scheduler may tell torchrun alone, or every process of the job; then torchrun tells them a second time."""
    write_store(tmp_path / "store", num_videos=4)
    started = torchrun(tmp_path, steps=80)
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while len(read_metrics(metrics)) < 3:
        assert started.poll() is None, started.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = children(started.pid)
    assert len(workers) == 2
    for pid in {"torchrun": [started.pid], "everybody": [*workers, started.pid], "one process": workers[:1]}[who]:
        os.kill(pid, signal.SIGTERM)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 1  # torchrun's own; a `mien train` by itself ends with 130
    assert re.search(r"stopped after step \d+; the same command goes on", output)
    (left,) = checkpoints(tmp_path / "run" / "checkpoints")
    stopped_at = read_metadata(left)["step"]
    assert 3 <= stopped_at < 80
    assert [row["step"] for row in read_metrics(metrics)] == list(range(1, stopped_at + 1))
    if who == "torchrun":
        again = torchrun(tmp_path, steps=80)
        output, _ = again.communicate(timeout=120)
        assert again.returncode == 0, output
        assert [row["step"] for row in read_metrics(metrics)] == list(range(1, 81))
        assert (tmp_path / "run" / "model" / "model.safetensors").is_file()


def test_request_that_arrives_twice_does_not_kill_who_is_writing_a_checkpoint() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests() as stop_requested:
        assert not stop_requested()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop_requested()
    assert signal.getsignal(signal.SIGTERM) == before


def test_second_ctrl_c_stops_at_once_where_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with stop_requests() as stop_requested:
        signal.raise_signal(signal.SIGINT)
        assert stop_requested()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with stop_requests() as stop_requested:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stop_requested()


@pytest.mark.slow
def test_process_whose_step_fails_ends_though_its_loader_has_workers(tmp_path: Path) -> None:
    """Workers leave SIGTERM to the trainer, so it must end them itself: an interpreter waits for its children."""
    script = tmp_path / "failing.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from tiny_run import config\n"
        "from tiny_store import write_store\n"
        "from mien.train.run import train\n"
        "def fail(step, row):\n"
        "    raise RuntimeError('out of memory')\n"
        "if __name__ == '__main__':\n"
        "    folder = Path(sys.argv[1])\n"
        "    store = write_store(folder / 'store', num_videos=6).path\n"
        "    settings = config(store, workers=1)\n"
        "    train(settings, folder / 'run', on_step=fail)\n"
    )
    env = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script, tmp_path], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "out of memory" in done.stderr
