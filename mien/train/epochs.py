"""Epochs of a supervised run: what is done at the end of each, and the weights of the best in one file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mien.methods import Method
from mien.methods.supervised import Supervised
from mien.types import MienError
from mien.whole_file import whole_file

EPOCH, SCORE = "epoch", "score"


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochDone:
    """An epoch as the user is told of it. `score` is None without a split to choose on, or where it does not exist."""

    task: str
    epoch: int
    epochs: int
    loss: float
    metric: str
    score: float | None


OnEpoch = Callable[[EpochDone], None]
Scores = Callable[[Supervised], dict[str, float]]
"""A method in training → what it scores on the validation samples, by name."""


def say_nothing(done: EpochDone) -> None:
    """What is done where nobody asks to be told."""


class Epochs:
    """Scores the method at the end of each epoch, keeps the best, and tells of it; the trainer calls both functions.

    scores: None where there is nothing to choose on; then no weights are kept either.
    """

    def __init__(
        self, *, task: str, epochs: int, steps_per_epoch: int, metric: str, scores: Scores | None, best: BestEpoch
    ) -> None:
        self.task, self.epochs, self.steps_per_epoch = task, epochs, steps_per_epoch
        self.metric, self.scores, self.best = metric, scores, best
        self.step, self.loss = 0, math.nan

    def on_step(self, step: int, row: dict[str, float]) -> None:
        self.step, self.loss = step, row.get("loss", self.loss)

    def end(self, method: Method, *, on_epoch: OnEpoch) -> dict[str, float]:
        """The scores of the epoch that the last step ended."""
        assert isinstance(method, Supervised)
        epoch, scores = self.step // self.steps_per_epoch, dict[str, float]()
        if self.scores is not None:
            scores = self.scores(method)
            self.best.offer(method.deployed.state_dict(), epoch=epoch, score=scores.get(self.metric, math.nan))
        on_epoch(
            EpochDone(
                task=self.task,
                epoch=epoch,
                epochs=self.epochs,
                loss=self.loss,
                metric=self.metric,
                score=scores.get(self.metric),
            )
        )
        return scores


class BestEpoch:
    """Which epoch scored best so far, the first of equals, and its weights in `path`. Epochs count from 1."""

    def __init__(self, path: Path, *, less_is_better: bool = False) -> None:
        self.path = path
        self.less_is_better = less_is_better
        self.epoch, self.score = _read(path) if path.is_file() else (0, math.nan)

    def offer(self, weights: Mapping[str, Tensor], *, epoch: int, score: float) -> None:
        """Keeps these weights if no epoch scored as well before; a score that is NaN is worse than any number."""
        if self.epoch and not self._is_better(score):
            return
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        with whole_file(self.path) as part:
            save_file(tensors, part, metadata={EPOCH: str(epoch), SCORE: repr(score)})
        self.epoch, self.score = epoch, score

    def _is_better(self, score: float) -> bool:
        if math.isnan(self.score) or math.isnan(score):
            return math.isnan(self.score) and not math.isnan(score)
        return score < self.score if self.less_is_better else score > self.score


def _read(path: Path) -> tuple[int, float]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return int(metadata[EPOCH]), float(metadata[SCORE])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise MienError(f"{path} holds no best epoch ({error}); start the run anew in another folder") from error
