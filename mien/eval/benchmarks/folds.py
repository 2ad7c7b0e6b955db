"""Folds: five pairs of splits, `train1` and `test1` to `train5` and `test5`, of a set that has no others.

Nobody is in both splits of a fold: of the subjects in order of their names, every fifth is tested.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mien.types import MienError

NUM_FOLDS = 5
FOLD_SPLITS = tuple(f"{part}{fold}" for fold in range(1, NUM_FOLDS + 1) for part in ("train", "test"))


def counts_of_folds(tested: Sequence[int]) -> dict[str, int]:
    """How many samples each split has, where each of the set is tested in one fold, and trained on in the others.

    2, 3, 1, 1, 1 → test1 2, train1 6, test2 3, train2 5, …
    """
    tests = {f"test{fold}": count for fold, count in enumerate(tested, start=1)}
    return tests | {f"train{fold}": sum(tested) - count for fold, count in enumerate(tested, start=1)}


def part_and_fold(split: str, *, title: str) -> tuple[str, int]:
    """ "test3" → "test", 3. Raises MienError where there is no such split."""
    if split not in FOLD_SPLITS:
        raise MienError(f"{title} has no split {split!r}; it has {', '.join(FOLD_SPLITS)}")
    return split[:-1], int(split[-1])


def subjects_of(split: str, subjects: Collection[str], *, title: str) -> frozenset[str]:
    """Who of all `subjects` is in the split.

    `test2` of a b c d e f g → b g
    """
    part, fold = part_and_fold(split, title=title)
    if len(set(subjects)) < NUM_FOLDS:
        raise MienError(
            f"{title} has {len(set(subjects))} people here, too few for {NUM_FOLDS} folds; is it all there?"
        )
    tested = frozenset(sorted(set(subjects))[fold - 1 :: NUM_FOLDS])
    return tested if part == "test" else frozenset(subjects) - tested
