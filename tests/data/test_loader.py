"""The plan of training: every sample once an epoch, whoever reads it."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_store import write_store

from mien.data.clips import ClipDataset, ClipSettings, collate
from mien.data.loader import BatchPlan, epoch_order, load_for_training, load_in_order
from mien.media.transforms import Augment, Preprocess
from mien.text import Tokenizer
from mien.types import ClipBatch, MienError


def names(num_samples: int) -> list[str]:
    return [str(i // 10) for i in range(num_samples)]


def parts(plan: BatchPlan, *, first_step: int, count: int) -> list[list[tuple[int, int]]]:
    return list(itertools.islice(plan.parts(first_step=first_step), count))


@given(num_samples=st.integers(8, 60), seed=st.integers(0, 9), ranks=st.sampled_from([1, 2, 4]))
def test_every_sample_is_read_at_most_once_an_epoch_by_all_ranks_together(
    num_samples: int, seed: int, ranks: int
) -> None:
    plans = [
        BatchPlan(videos=names(num_samples), batch_size=8, seed=seed, rank=r, world_size=ranks) for r in range(ranks)
    ]
    steps = plans[0].steps_per_epoch
    read = [key for plan in plans for part in parts(plan, first_step=0, count=steps) for key in part]
    assert len(read) == len(set(read)) == steps * 8
    assert {epoch for epoch, _ in read} == {0}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_number_of_ranks_changes_who_reads_but_not_what_a_step_is_made_of(accumulate: int) -> None:
    def global_part(ranks: int) -> list[list[tuple[int, int]]]:
        plans = [
            BatchPlan(videos=names(40), batch_size=8, seed=1, accumulate=accumulate, rank=r, world_size=ranks)
            for r in range(ranks)
        ]
        shares = [parts(plan, first_step=3, count=6) for plan in plans]
        return [[key for share in shares for key in share[i]] for i in range(6)]

    assert global_part(1) == global_part(2) == global_part(4)


def test_plan_goes_on_in_the_middle_as_if_it_had_never_stopped() -> None:
    plan = BatchPlan(videos=names(30), batch_size=4, seed=0)
    assert parts(plan, first_step=0, count=20)[9:] == parts(plan, first_step=9, count=11)


def test_batch_that_ranks_cannot_share_is_refused() -> None:
    with pytest.raises(MienError, match="not a multiple"):
        BatchPlan(videos=names(100), batch_size=10, seed=0, world_size=4)


def test_too_few_clips_are_refused_with_the_remedies() -> None:
    with pytest.raises(MienError, match=r"3 clips are too few.*max_neutral"):
        BatchPlan(videos=names(3), batch_size=8, seed=0)


@pytest.mark.slow
def test_workers_change_neither_content_nor_order(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    dataset = ClipDataset(
        store,
        store.clips(),
        settings=ClipSettings(num_frames=3),
        preprocess=Preprocess(image_size=32),
        augment=Augment(crop=0.8),
    )
    collate_batch = functools.partial(collate, tokenizer=Tokenizer.clip(), context_length=32)
    plan = BatchPlan(videos=names(len(dataset)), batch_size=4, seed=0)

    def batches(workers: int) -> list[ClipBatch]:
        loaded = load_for_training(dataset, plan, collate=collate_batch, first_step=1, workers=workers)
        return list(itertools.islice(loaded, 4))

    for a, b in zip(batches(0), batches(2), strict=True):
        assert a.ids == b.ids
        assert torch.equal(a.frames, b.frames)
        assert torch.equal(a.boxes, b.boxes)
    in_order = list(load_in_order(dataset, collate=collate_batch, batch_size=5))
    assert [i for batch in in_order for i in batch.ids] == [clip.id for clip in store.clips()]


@given(num_samples=st.integers(1, 80), neighbours=st.integers(2, 7), seed=st.integers(0, 5))
def test_neighbours_stay_together_and_every_sample_comes_once(num_samples: int, neighbours: int, seed: int) -> None:
    videos = names(num_samples)
    order = epoch_order(videos, neighbours=neighbours, rng=np.random.default_rng(seed)).tolist()
    assert sorted(order) == list(range(num_samples))
    together = sum(b == a + 1 and videos[a] == videos[b] for a, b in itertools.pairwise(order))
    num_videos = len(set(videos))
    assert together >= num_samples - num_samples / neighbours - 2 * num_videos


@pytest.mark.slow
def test_error_in_a_worker_reads_as_if_there_were_no_workers(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    dataset = ClipDataset(
        store, store.clips(), settings=ClipSettings(num_frames=2), preprocess=Preprocess(image_size=32)
    )
    (tmp_path / "store" / "videos" / "train" / "0" / "frames.arrow").unlink()
    collate_batch = functools.partial(collate, tokenizer=Tokenizer.clip(), context_length=32)

    def message(workers: int) -> str:
        with pytest.raises(MienError) as caught:
            list(load_in_order(dataset, collate=collate_batch, batch_size=20, workers=workers))
        return str(caught.value)

    assert message(1) == message(0)
    assert "train/0" in message(0)
