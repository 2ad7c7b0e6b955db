"""The loop by itself: its losses do not move, micro-batches train as whole batches do, and its rows say how it went."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import start_joined
from tiny import CONFIG, part_of, random_batch

from mien import distributed
from mien.methods import EmotionClipConfig
from mien.train.metrics import MetricsWriter, NoMetrics, read_metrics
from mien.train.optim import OptimConfig, build_optimizer
from mien.train.throughput import Throughput, peak_memory_gib, peak_tflops
from mien.train.trainer import Trainer, TrainerConfig
from mien.types import ClipBatch

GOLDEN = (2.99184, 3.91099, 3.90207, 2.04285, 2.68999, 1.57614, 1.64470, 1.59768, 1.77144, 1.85241, 1.72531, 1.64698)
"""Losses of the first twelve steps, recorded before the loss was chunked and gradients cached (torch 2.13, CPU)."""


def fit(run: Path, method_config: EmotionClipConfig = CONFIG, *, parts: int = 1, **settings: Any) -> list[dict]:
    """Trains for twelve steps; the rows of the log."""
    torch.manual_seed(0)
    method = method_config.build()
    optim = OptimConfig(lr=1e-3, warmup_steps=2)
    config = TrainerConfig.model_validate(
        {"steps": 12, "batch_size": 8, "log_every": 1, "checkpoint_every": 100, "device": "cpu", "accumulate": parts}
        | settings
    )
    trainer = Trainer(
        method,
        build_optimizer(optim, method),
        config=config,
        optim=optim,
        seed=0,
        run=run,
        device="cpu",
        metadata={"clips": "some"},
    )
    run.mkdir(exist_ok=True)
    metrics = MetricsWriter(run, first_step=0) if distributed.is_main() else NoMetrics()
    trainer.fit(batches(8 // parts), first_step=0, metrics=metrics)
    return read_metrics(run / "metrics.jsonl")


def batches(size: int) -> Generator[ClipBatch, None, None]:
    """This process's parts of random batches."""
    own = distributed.own_rows(size // distributed.world_size())
    return (part_of(random_batch(size, seed=seed), own) for seed in itertools.count())


def losses(rows: list[dict]) -> list[float]:
    return [row["loss"] for row in rows]


def test_loss_curve_has_not_moved(tmp_path: Path) -> None:
    assert losses(fit(tmp_path)) == pytest.approx(GOLDEN, rel=1e-3)


@pytest.mark.parametrize(("micro_batch", "chunk"), [(3, None), (8, 2), (1, 3)])
def test_micro_batches_and_chunks_train_as_whole_batches_do(
    micro_batch: int, chunk: int | None, tmp_path: Path
) -> None:
    rows = fit(tmp_path, CONFIG.model_copy(update={"loss_chunk": chunk}), micro_batch=micro_batch)
    assert losses(rows) == pytest.approx(GOLDEN, rel=1e-3)
    assert rows[0]["grad_norm"] == pytest.approx(118.417, rel=1e-4)


def test_accumulated_parts_may_be_embedded_in_micro_batches_too(tmp_path: Path) -> None:
    plain, cached = fit(tmp_path / "a", parts=2), fit(tmp_path / "b", parts=2, micro_batch=3)
    assert losses(cached) == pytest.approx(losses(plain), rel=1e-3)
    assert abs(losses(plain)[0] - GOLDEN[0]) > 0.01  # negatives within a part only


def fit_in_three_ways(folder: Path) -> None:
    fit(folder / "plain")
    fit(folder / "cached", CONFIG.model_copy(update={"loss_chunk": 1}), micro_batch=1)
    fit(folder / "parts", parts=2, micro_batch=1)


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_with_and_without_micro_batches_have_the_losses_of_one(world_size: int, tmp_path: Path) -> None:
    start_joined(fit_in_three_ways, tmp_path, world_size=world_size)
    rows = {name: read_metrics(tmp_path / name / "metrics.jsonl") for name in ("plain", "cached", "parts")}
    assert losses(rows["plain"]) == pytest.approx(GOLDEN, rel=1e-3)
    assert losses(rows["cached"]) == pytest.approx(GOLDEN, rel=1e-3)
    assert losses(rows["parts"]) == pytest.approx(losses(fit(tmp_path / "one", parts=2)), rel=1e-3)
    one = fit(tmp_path / "again", steps=1)[0]
    of_the_batch = set(one) - {"clips_per_s", "data_wait", "model_tflops_per_s", "peak_memory_gib"}
    for name in of_the_batch:
        assert rows["cached"][0][name] == pytest.approx(one[name], rel=1e-4), name


def test_row_says_how_fast_and_how_well(tmp_path: Path) -> None:
    (row,) = fit(tmp_path, steps=1)
    assert row.keys() == {
        "step", "loss", "grad_norm", "lr", "logit_scale", "batch_accuracy", "negatives_suppressed", "alignment",
        "uniformity_video", "uniformity_text", "clips_per_s", "data_wait", "model_tflops_per_s", "peak_memory_gib",
    }  # fmt: skip
    per_clip = CONFIG.build().flops(random_batch(1))
    assert row["model_tflops_per_s"] == pytest.approx(row["clips_per_s"] * per_clip / 1e12)
    assert 0 < row["data_wait"] < 1
    assert row["peak_memory_gib"] == pytest.approx(peak_memory_gib("cpu"), rel=0.2)


class Clock:
    """Stands in for `time`: its seconds pass when a test says so."""

    now_s = 100.0

    def perf_counter(self) -> float:
        return self.now_s


def test_waiting_counts_and_pauses_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("mien.train.throughput.time", clock)
    throughput = Throughput(device="cpu", precision="float32")
    with throughput.waiting():
        clock.now_s += 3
    with throughput.paused():
        clock.now_s += 50
    clock.now_s += 1
    throughput.count(clips=10, flops=1e12)
    row = throughput.row()
    assert (row["data_wait"], row["clips_per_s"], row["model_tflops_per_s"]) == (3 / 4, 10 / 4, 1 / 4)
    throughput.count(clips=10, flops=0.0)
    clock.now_s += 2
    row = throughput.row()  # counted anew
    assert (row["data_wait"], row["clips_per_s"], row["model_tflops_per_s"]) == (0, 5, 0)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989.0),
        ("NVIDIA A100-SXM4-80GB", 312.0),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA L40S", 362.0),
        ("NVIDIA L40", None),
        ("NVIDIA GeForce RTX 4090", None),
    ],
)
def test_utilisation_is_of_the_devices_own_peak(name: str, peak: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_tflops("cuda:0", precision="bfloat16") == peak
    assert peak_tflops("cuda:0", precision="float32") is None
    assert peak_tflops("cpu", precision="bfloat16") is None
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 2**31)
    throughput = Throughput(device="cuda:0", precision="bfloat16")
    throughput.count(clips=1, flops=1e12)
    row = throughput.row()
    assert row["peak_memory_gib"] == 2
    assert ("mfu" in row) == (peak is not None)
    if peak is not None:
        assert row["mfu"] == pytest.approx(row["model_tflops_per_s"] / peak)


def test_rows_are_json_that_others_can_read(tmp_path: Path) -> None:
    fit(tmp_path, steps=2)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    assert [json.loads(line, parse_constant=refuse)["step"] for line in lines] == [1, 2]
