"""The training loop: knows a method, batches and an optimiser; decides when, never how."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mien import distributed
from mien.checkpoint import PARTIAL, save_checkpoint, save_state
from mien.config import Config
from mien.methods import Method
from mien.train.gradient_cache import cached_backward
from mien.train.metrics import MetricsWriter
from mien.train.nonfinite import stop_if_not_finite
from mien.train.optim import OptimConfig, set_learning_rate
from mien.train.sharding import SHARDS, clip_gradients, is_sharded, save_shards
from mien.train.stop_requests import stop_requests
from mien.train.throughput import Throughput
from mien.types import ClipBatch, MienError, StepOutput


class TrainerConfig(Config):
    """How long, how large, how often."""

    steps: int = Field(1000, ge=0)
    """0 gives the model before training: the untrained baseline of a run."""
    batch_size: int = Field(128, gt=0)
    """Clips a step over all processes."""
    accumulate: int = Field(1, gt=0)
    """Parts in which a batch is computed; a contrastive loss then sees negatives within a part only (for the whole
    batch's, see micro_batch)."""
    micro_batch: int | None = Field(None, gt=0)
    """Clips that a process embeds at a time; all at once by default. Less memory, one more forward pass, and the
    gradients of the whole batch, negatives included (gradient caching)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int = Field(2, ge=0)
    log_every: int = Field(10, gt=0)
    checkpoint_every: int = Field(500, gt=0)
    keep_last: int = Field(2, gt=0)
    evaluate_every: int = Field(0, ge=0)
    """Steps between evaluations on data.validation; 0 for none."""
    fsdp: bool = False
    """Under torchrun: share out weights, gradients and optimiser state over the processes (FSDP2) instead of keeping
    them whole on each (DDP). For models that do not fit otherwise; the numbers are the same."""
    compile: bool = False
    """Have torch.compile make the towers' code: a minute or two before the first step, fewer passes over memory after
    it. Results are the same within rounding."""
    tensorboard: bool = False

    @model_validator(mode="after")
    def _negatives_exist(self) -> TrainerConfig:
        if self.batch_size // self.accumulate < 2:
            raise ValueError(
                f"batch_size {self.batch_size} in {self.accumulate} parts leaves a clip without others to tell it "
                "from; raise batch_size or lower accumulate"
            )
        if self.fsdp and self.compile:
            raise ValueError("fsdp and compile do not go together: sharding breaks the towers' graphs; choose one")
        return self

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
        if distributed.world_size() > 1 and not config.fsdp and config.micro_batch is None:
            self.step_module = DistributedDataParallel(method)

    def fit(
        self,
        batches: Generator[ClipBatch, None, None],
        *,
        first_step: int,
        metrics: MetricsWriter,
        evaluate: Evaluate | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        throughput = Throughput(device=self.device, precision=self.config.precision)
        with contextlib.closing(batches), stop_requests() as stop_requested:  # the loader's workers end with the loop
            for step in range(first_step, self.config.steps):
                with throughput.waiting():
                    parts = [next(batches) for _ in range(self.config.accumulate)]
                logs = self._step(step, parts)
                throughput.count(clips=self.config.batch_size, flops=sum(self.method.flops(part) for part in parts))
                done = step + 1
                is_last = done == self.config.steps
                row: dict[str, float] = {}
                if done % self.config.log_every == 0 or is_last:
                    row = self._reduce(logs) | throughput.row()
                    metrics.write(done, row)
                if on_step:
                    on_step(done, row)
                with throughput.paused():
                    if evaluate and self.config.evaluate_every and (done % self.config.evaluate_every == 0 or is_last):
                        metrics.write(done, self._evaluate(evaluate))
                    stopping = distributed.any_true(stop_requested())
                    if done % self.config.checkpoint_every == 0 or is_last or stopping:
                        path = self._save(done)
                        if stopping and not is_last:
                            raise Interrupted(done, path)

    def _step(self, step: int, parts: list[ClipBatch]) -> dict[str, Tensor]:
        torch.manual_seed(hash((self.seed, step, distributed.rank())) % 2**63)  # so that resuming needs no RNG state
        self.method.train()
        set_learning_rate(self.optimizer, self.optim, step=step, total_steps=self.config.steps)
        outputs = [self._backward(part, share=1 / len(parts), is_last=part is parts[-1]) for part in parts]
        if not isinstance(self.step_module, DistributedDataParallel):
            distributed.average_gradients(p for p in self.method.parameters() if not is_sharded(p))
        norm = clip_gradients(self.method.parameters(), max_norm=self.optim.clip_grad_norm)
        losses = torch.stack([output.loss.detach() for output in outputs])
        stop_if_not_finite(
            self.run,
            step=step + 1,
            losses=losses,
            grad_norm=norm,
            lr=self._learning_rate(),
            ids=[id_ for part in parts for id_ in part.ids],
        )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.method.after_step()
        logs = {name: torch.stack([o.logs[name].float() for o in outputs]).mean() for name in outputs[0].logs}
        return {"loss": losses.mean(), "grad_norm": norm, **logs}

    def _backward(self, part: ClipBatch, *, share: float, is_last: bool) -> StepOutput:
        """Adds the gradients of `share` times the part's loss."""
        if self.config.micro_batch is not None:
            return cached_backward(
                self.method,
                part,
                micro_batch=self.config.micro_batch,
                device=self.device,
                autocast=self._autocast,
                share=share,
            )
        with self._gradients_stay_local(unless=is_last):
            with self._autocast():
                output: StepOutput = self.step_module(part.to(self.device))
            torch.autograd.backward(output.loss * share)
        return output

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
        return row | {"lr": self._learning_rate()}

    def _learning_rate(self) -> float:
        return max(group["lr"] for group in self.optimizer.param_groups)

    def _evaluate(self, evaluate: Evaluate) -> dict[str, float]:
        self.method.eval()
        with torch.inference_mode(), self._autocast():
            return {f"eval/{name}": value for name, value in evaluate(self.method).items()}

    def _save(self, step: int) -> Path:
        """Writes the checkpoint of `step`. Raises MienError on every process if it could not be written."""
        folder = self.run / "checkpoints"
        shards = folder / f"{SHARDS}{PARTIAL}"
        if self.config.fsdp:
            save_shards(shards, self.method, self.optimizer)

        def write(checkpoint: Path) -> None:
            if self.config.fsdp:
                shards.replace(checkpoint / SHARDS)
            else:
                save_state(checkpoint, self.method, self.optimizer)

        failure: MienError | None = None
        if distributed.is_main():
            try:
                save_checkpoint(folder, step=step, write=write, metadata=self.metadata, keep_last=self.config.keep_last)
            except MienError as error:
                failure = error  # raised below: the others wait for news
        if distributed.any_true(failure is not None):
            raise failure or MienError(f"process 0 could not write the checkpoint of step {step}; see its message")
        return folder / f"step-{step:08d}"
