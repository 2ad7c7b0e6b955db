"""Which samples make which batch, and the loaders that read them.

The plan of training is a pure function of numbers; workers and ranks change who reads a sample, never which.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from torch.utils.data import DataLoader

from mien.data.captioned import CaptionedDataset
from mien.data.clips import ClipDataset
from mien.data.mixed import MixedDataset
from mien.data.views import ViewDataset
from mien.types import ClipBatch, MienError

Samples = ClipDataset | CaptionedDataset | ViewDataset | MixedDataset
Collate = Callable[[Sequence[Any]], ClipBatch]
"""A dataset's samples as one batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlan:
    """Which samples make which training batch, for ever: a pure function of these numbers.

    A step's global batch is the next `batch_size` samples of the epoch's permutation; what does not fill a batch at
    the end of an epoch is left for other epochs. It is read in `accumulate` parts, each shared by all ranks, so the
    number of ranks changes who reads a sample but not when it is read.
    """

    videos: Sequence[str]
    """Which video each sample is of, in the order of the dataset."""
    batch_size: int
    seed: int
    neighbours: int = 1
    """So many clips that follow each other in a video go into a batch together: the same people in the same place,
    so that only what they show and say tells them apart. 1 shuffles freely, as published."""
    accumulate: int = 1
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.batch_size % (self.accumulate * self.world_size):
            raise MienError(
                f"the global batch_size {self.batch_size} is not a multiple of accumulate {self.accumulate} × "
                f"{self.world_size} processes"
            )
        if len(self.videos) < self.batch_size:
            raise MienError(
                f"{len(self.videos)} clips are too few for a global batch of {self.batch_size}; lower "
                "train.batch_size, relax data.filter (its max_neutral leaves out neutral utterances), "
                "or prepare more videos"
            )

    @property
    def steps_per_epoch(self) -> int:
        return len(self.videos) // self.batch_size

    def parts(self, *, first_step: int) -> Iterator[list[tuple[int, int]]]:
        """This rank's (epoch, index) lists, `accumulate` a step, from `first_step` on, without end."""
        part_size = self.batch_size // self.accumulate
        local = part_size // self.world_size
        step, order_of = first_step, -1
        while True:
            epoch, in_epoch = divmod(step, self.steps_per_epoch)
            if epoch != order_of:
                rng = np.random.default_rng((self.seed, epoch))
                order, order_of = epoch_order(self.videos, neighbours=self.neighbours, rng=rng), epoch
            for part in range(self.accumulate):
                start = in_epoch * self.batch_size + part * part_size + self.rank * local
                yield [(epoch, int(index)) for index in order[start : start + local]]
            step += 1


def epoch_order(videos: Sequence[str], *, neighbours: int, rng: np.random.Generator) -> Int[np.ndarray, "n"]:
    """All samples in random order, but runs of up to `neighbours` samples of one video stay together.

    Where a video's runs begin differs from epoch to epoch. `videos` lists each video's samples one after the other.
    """
    if neighbours == 1:
        return rng.permutation(len(videos))
    starts = np.flatnonzero([i == 0 or videos[i] != videos[i - 1] for i in range(len(videos))])
    offset = int(rng.integers(neighbours))
    cuts = set(starts.tolist())
    for start, end in itertools.pairwise([*starts.tolist(), len(videos)]):
        cuts |= set(range(start + offset, end, neighbours))
    runs = np.split(np.arange(len(videos)), sorted(cuts - {0}))
    return np.concatenate([runs[i] for i in rng.permutation(len(runs))])


def load_for_training(
    dataset: Samples, plan: BatchPlan, *, collate: Collate, first_step: int, workers: int, pin_memory: bool = False
) -> Generator[ClipBatch, None, None]:
    """The batches of `plan` from `first_step` on; workers change speed only.

    Each worker reads four batches ahead. With `pin_memory`, for a GPU, a thread copies them to memory from which the
    step can go on while they are transferred.
    """
    yield from _plainly(
        DataLoader(
            dataset,
            batch_sampler=plan.parts(first_step=first_step),
            collate_fn=collate,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_leave_signals_to_the_trainer,
            pin_memory=pin_memory,
        )
    )


def _plainly(loader: DataLoader) -> Iterator[ClipBatch]:
    """The loader's batches; a worker's MienError without the traceback that torch puts before its message."""
    try:
        yield from loader
    except MienError as error:
        raise MienError(str(error).rsplit("MienError: ", 1)[-1].strip()) from None


def _leave_signals_to_the_trainer(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, a scheduler's SIGTERM every process of a job; the trainer wants its
    batch before it stops."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def load_in_order(dataset: Samples, *, collate: Collate, batch_size: int = 64, workers: int = 0) -> Iterator[ClipBatch]:
    """Every clip once, in the order of the dataset: for evaluation."""
    indices = [(0, i) for i in range(len(dataset))]
    batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    yield from _plainly(DataLoader(dataset, batch_sampler=batches, collate_fn=collate, num_workers=workers))
