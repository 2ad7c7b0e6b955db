"""The record of a step whose loss or gradient is not a number: what was computed, from which clips."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mien import distributed
from mien.types import MienError
from mien.whole_file import whole_file


def stop_if_not_finite(
    run: Path, *, step: int, losses: Float[Tensor, "parts"], grad_norm: Float[Tensor, ""], lr: float, ids: list[str]
) -> None:
    """Raises MienError on every process if a loss or the gradient is not finite on any of them.

    Before that the main process writes `nonfinite-step-N.json` into the run folder: every process's losses (one a part
    of the batch), gradient norm and clips. losses, grad_norm, ids: this process's own.
    """
    is_finite = torch.isfinite(torch.cat([losses, grad_norm[None]])).all()
    if not distributed.any_true(not bool(is_finite)):
        return
    own = {"loss": [repr(x) for x in losses.tolist()], "grad_norm": repr(float(grad_norm)), "clips": ids}
    everyone = distributed.collect(own)
    path = run / f"nonfinite-step-{step}.json"
    if distributed.is_main():
        record = {"step": step, "lr": lr, "processes": everyone}  # numbers as text: JSON knows neither nan nor inf
        with whole_file(path) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    found = next(x for x in everyone if not _is_finite(x["loss"] + [x["grad_norm"]]))
    raise MienError(
        f"step {step} is not finite (loss {', '.join(found['loss'])}; gradient norm {found['grad_norm']}); nothing was "
        f"changed by it. Its {sum(len(x['clips']) for x in everyone)} clips are listed in {path}. Lower optim.lr, use "
        "train.precision=float32 or leave out bad clips, in a new run (--out); the same command goes on from the last "
        "checkpoint and, unless the device erred, comes here again"
    )


def _is_finite(numbers: list[str]) -> bool:
    return all(math.isfinite(float(x)) for x in numbers)
