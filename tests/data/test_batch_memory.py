"""Memory for batches: used again when nothing refers to it, and never before."""

from __future__ import annotations

import gc
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.data.batch_memory import MAX_KEPT, BatchMemory, as_one


def test_block_is_used_again_once_nothing_refers_to_it() -> None:
    memory = BatchMemory()
    block = memory.take(2, 3)
    address = block.data_ptr()
    other = memory.take(2, 3)  # keeps the system from giving out the same address by chance
    assert other.data_ptr() != address
    del block
    assert memory.take(2, 3).data_ptr() == address
    assert memory.take(3, 2).data_ptr() != address


@pytest.mark.parametrize("part", ["row", "array", "stacked"])
def test_block_is_kept_as_long_as_a_part_of_it_is_held(part: str) -> None:
    memory = BatchMemory()
    block = memory.take(4, 5)
    block.fill_(7)
    held = {"row": lambda: block[2], "array": lambda: block[1:].numpy()[1], "stacked": lambda: as_one(list(block))[3]}[
        part
    ]()
    del block
    for _ in range(2 * MAX_KEPT):
        memory.take(4, 5).zero_()
    assert (held == 7).all()


@given(st.lists(st.booleans(), max_size=30))
def test_blocks_in_use_never_share_memory(releases: list[bool]) -> None:
    memory = BatchMemory()
    held: list[torch.Tensor] = []
    for number, release in enumerate(releases):
        if release and held:
            held.pop(0)
            gc.collect(0)
        block = memory.take(3)
        block.fill_(number)
        held.append(block)
        assert len({int(own[0]) for own in held}) == len(held)


def test_memory_travels_to_another_process_empty() -> None:
    memory = BatchMemory()
    memory.take(1000, 1000)
    assert len(pickle.dumps(memory)) < 200


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 1], [0, 0, 1], [0]])
def test_parts_that_do_not_fill_a_block_in_order_are_copied(order: list[int]) -> None:
    block = torch.arange(12, dtype=torch.uint8).view(3, 4)
    found = as_one([block[i] for i in order])
    assert torch.equal(found, block[order])
    assert found.data_ptr() != block.data_ptr()


def test_parts_that_fill_a_block_in_order_are_that_block() -> None:
    block = torch.arange(12, dtype=torch.uint8).view(3, 4)
    found = as_one(list(block))
    assert torch.equal(found, block)
    assert found.data_ptr() == block.data_ptr()
