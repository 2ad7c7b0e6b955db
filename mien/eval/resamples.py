"""Resamples: how often each sample is drawn when as many are drawn again as there are, with replacement.

Samples of one group are drawn together: as many groups are drawn as there are, each of them whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int

SEED = 0
BLOCK_DRAWS = 4_000_000  # samples × resamples held in memory at a time (16 MB an array)


def group_numbers(groups: Sequence[str], *, num_samples: int) -> Int[np.ndarray, "n"]:
    """The number of each sample's group; one that hangs together with nothing is a group by itself.

    "a" "" "b" "a" → 0 1 2 0
    """
    names = [(name, -1) if name else ("", i) for i, name in enumerate(groups or [""] * num_samples)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def num_groups_of(group_of: Int[np.ndarray, "n"]) -> int:
    return int(group_of.max()) + 1 if len(group_of) else 0


def can_resample(group_of: Int[np.ndarray, "n"]) -> bool:
    """Samples of a single group say nothing of other groups; a single sample by itself is what it always was."""
    return num_groups_of(group_of) > 1 or len(group_of) == 1


def draws(group_of: Int[np.ndarray, "n"], num_resamples: int) -> Iterator[Int[np.ndarray, "n r"]]:
    """How often each sample is drawn, in blocks of resamples: as often as its group."""
    rng, num_groups = np.random.default_rng(SEED), num_groups_of(group_of)
    block = max(1, BLOCK_DRAWS // len(group_of))
    for start in range(0, num_resamples, block):
        size = min(block, num_resamples - start)
        drawn = [np.bincount(rng.integers(0, num_groups, num_groups), minlength=num_groups) for _ in range(size)]
        yield np.stack(drawn, axis=1).astype(np.int32)[group_of]


def each_once(num_samples: int) -> Int[np.ndarray, "n 1"]:
    """Each sample once: not a resample, but the samples themselves."""
    return np.ones((num_samples, 1), dtype=np.int32)
