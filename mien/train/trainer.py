"""The training loop: knows a method, batches and an optimiser; decides when, never how."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mien import distributed
from mien.checkpoint import save_checkpoint
from mien.config import Config
from mien.methods import Method
from mien.train.metrics import MetricsWriter
from mien.train.optim import OptimConfig, set_learning_rate
from mien.types import ClipBatch, MienError, StepOutput


class TrainerConfig(Config):
    """How long, how large, how often."""

    steps: int = Field(1000, ge=0)
    """0 gives the model before training: the untrained baseline of a run."""
    batch_size: int = Field(128, gt=0)
    """Clips a step over all processes."""
    accumulate: int = Field(1, gt=0)
    """Parts in which a batch is computed; a contrastive loss then sees negatives within a part only."""
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int = Field(2, ge=0)
    log_every: int = Field(10, gt=0)
    checkpoint_every: int = Field(500, gt=0)
    keep_last: int = Field(2, gt=0)
    evaluate_every: int = Field(0, ge=0)
    """Steps between evaluations on data.validation; 0 for none."""
    tensorboard: bool = False

    def resolve_device(self) -> Literal["cpu", "cuda"]:
        if self.device == "cuda" and not torch.cuda.is_available():
            raise MienError("train.device is cuda, but torch finds no GPU (see `mien doctor`); set train.device=cpu")
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device


Evaluate = Callable[[Method], dict[str, float]]
OnStep = Callable[[int, dict[str, float]], None]


class Interrupted(Exception):
    """The run was told to stop; a checkpoint was written at `step`."""

    def __init__(self, step: int, path: Path) -> None:
        super().__init__(f"stopped after step {step}; the same command goes on from {path}")


class Trainer:
    """One run. `fit` goes from `first_step` to the end; every step is a pure function of (seed, step) and the state."""

    def __init__(
        self,
        method: Method,
        optimizer: torch.optim.Optimizer,
        *,
        config: TrainerConfig,
        optim: OptimConfig,
        seed: int,
        run: Path,
        device: str,
        metadata: dict[str, Any],
    ) -> None:
        self.method = method
        self.optimizer = optimizer
        self.config = config
        self.optim = optim
        self.seed = seed
        self.run = run
        self.device = device
        self.metadata = metadata
        self.step_module: nn.Module = method
        if distributed.world_size() > 1:
            self.step_module = DistributedDataParallel(method)

    def fit(
        self,
        batches: Iterator[ClipBatch],
        *,
        first_step: int,
        metrics: MetricsWriter,
        evaluate: Evaluate | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        with stop_requests() as stop_requested:
            since, wait_s, steps = time.perf_counter(), 0.0, 0
            for step in range(first_step, self.config.steps):
                asked = time.perf_counter()
                parts = [next(batches) for _ in range(self.config.accumulate)]
                wait_s += time.perf_counter() - asked
                logs = self._step(step, parts)
                done, steps = step + 1, steps + 1
                is_last = done == self.config.steps
                if done % self.config.log_every == 0 or is_last:
                    elapsed = time.perf_counter() - since
                    row = self._reduce(logs)
                    row |= {
                        "clips_per_s": steps * self.config.batch_size / elapsed,
                        "data_wait": wait_s / elapsed,
                    }
                    metrics.write(done, row)
                    since, wait_s, steps = time.perf_counter(), 0.0, 0
                    if on_step:
                        on_step(done, row)
                elif on_step:
                    on_step(done, {})
                paused = time.perf_counter()
                if evaluate and self.config.evaluate_every and (done % self.config.evaluate_every == 0 or is_last):
                    metrics.write(done, self._evaluate(evaluate))
                stopping = distributed.any_true(stop_requested())
                if done % self.config.checkpoint_every == 0 or is_last or stopping:
                    path = self._save(done)
                    if stopping and not is_last:
                        raise Interrupted(done, path)
                since += time.perf_counter() - paused

    def _step(self, step: int, parts: list[ClipBatch]) -> dict[str, Tensor]:
        torch.manual_seed(hash((self.seed, step, distributed.rank())) % 2**63)  # so that resuming needs no RNG state
        self.method.train()
        set_learning_rate(self.optimizer, self.optim, step=step, total_steps=self.config.steps)
        outputs: list[StepOutput] = []
        for i, part in enumerate(parts):
            is_last = i == len(parts) - 1
            with self._gradients_stay_local(unless=is_last), self._autocast():
                output: StepOutput = self.step_module(part.to(self.device))
            if not torch.isfinite(output.loss):
                raise MienError(
                    f"the loss is {output.loss.item()} at step {step}; lower optim.lr or look at these clips: "
                    + ", ".join(part.ids[:8])
                )
            with self._gradients_stay_local(unless=is_last):
                torch.autograd.backward(output.loss / len(parts))
            outputs.append(output)
        norm = nn.utils.clip_grad_norm_(self.method.parameters(), self.optim.clip_grad_norm or torch.inf)
        if not torch.isfinite(norm):
            raise MienError(f"the gradient is not finite at step {step}; lower optim.lr or use train.precision=float32")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.method.after_step()
        logs = {name: torch.stack([o.logs[name].float() for o in outputs]).mean() for name in outputs[0].logs}
        return {"loss": torch.stack([o.loss.detach() for o in outputs]).mean(), "grad_norm": norm, **logs}

    def _gradients_stay_local(self, *, unless: bool) -> contextlib.AbstractContextManager:
        """DDP exchanges gradients once a step, with the last part's."""
        if isinstance(self.step_module, DistributedDataParallel) and not unless:
            return self.step_module.no_sync()
        return contextlib.nullcontext()

    def _autocast(self) -> contextlib.AbstractContextManager:
        kind = torch.device(self.device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def _reduce(self, logs: dict[str, Tensor]) -> dict[str, float]:
        row = {name: distributed.mean(value) for name, value in logs.items()}
        return row | {"lr": max(group["lr"] for group in self.optimizer.param_groups)}

    def _evaluate(self, evaluate: Evaluate) -> dict[str, float]:
        self.method.eval()
        with torch.inference_mode(), self._autocast():
            return {f"eval/{name}": value for name, value in evaluate(self.method).items()}

    def _save(self, step: int) -> Path:
        folder = self.run / "checkpoints"
        path = folder / f"step-{step:08d}"
        if distributed.is_main():
            save_checkpoint(
                folder,
                step=step,
                model=self.method,
                state={"optimizer": self.optimizer.state_dict(), "step": step, "clips": self.metadata["clips"]},
                metadata=self.metadata,
                keep_last=self.config.keep_last,
            )
        distributed.barrier()
        return path


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a question the loop asks between steps; the second acts as usual."""
    requested: list[int] = []
    previous: dict[int, Any] = {}

    def remember(number: int, frame: FrameType | None) -> None:
        requested.append(number)
        for n, handler in previous.items():
            signal.signal(n, handler)

    with contextlib.suppress(ValueError):  # not in the main thread: no signals to catch
        for wanted in (signal.SIGINT, signal.SIGTERM):
            previous[wanted] = signal.signal(wanted, remember)
    try:
        yield lambda: bool(requested)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
