"""A training run of seconds, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mien.config import validate
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig

MODEL: dict[str, Any] = {
    "embed_dim": 16,
    "vision": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32},
    "text": {"context_length": 16, "width": 16, "layers": 1, "heads": 2, "mlp_width": 32},
    "temporal": {"num_frames": 2, "layers": 1, "heads": 2, "mlp_width": 32},
    "subject": "sap",
}


def config(
    store: Path, *, seed: int = 0, dropout: float = 0.1, optim: dict[str, object] | None = None, **train: object
) -> RunConfig:
    """Six steps of four clips; `optim` and further settings of `train` over that."""
    settings = {"steps": 6, "batch_size": 4, "workers": 0, "device": "cpu", "log_every": 1, "checkpoint_every": 3}
    model = MODEL | {"temporal": MODEL["temporal"] | {"dropout": dropout}}
    data = {
        "seed": seed,
        "method": {"kind": "emotionclip", "model": model},
        "data": {
            "store": str(store),
            "filter": {"videos": "train/*", "max_neutral": 1.0},
            "validation": {"videos": "test/*", "max_neutral": 1.0},
            "clip": {"num_frames": 2},
        },
        "optim": {"preset": "scratch", "warmup_steps": 2} | (optim or {}),
        "train": settings | train,
    }
    return validate(RunConfig, data, source="the test")


def losses(run: Path) -> list[float]:
    return [row["loss"] for row in read_metrics(run / "metrics.jsonl") if "loss" in row]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def assert_same_weights(a: Path, b: Path) -> None:
    left, right = weights(a), weights(b)
    assert left.keys() == right.keys()
    different = [name for name in left if not torch.equal(left[name], right[name])]
    assert different == []
