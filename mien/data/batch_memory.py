"""The memory that a batch's pictures are read into, once, so that nothing copies them on their way to the device."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import get_worker_info

MAX_KEPT = 3  # the batch a step works on, the next one, and one to spare


class BatchMemory:
    """Blocks of memory for batches of pictures. A block is used again when nothing refers to it any more.

    Fresh memory costs about as much as decoding the pictures that go into it: the system hands it out in pages of
    4 KiB, each emptied first, and takes it back when the batch is gone.
    """

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []

    def take(self, *shape: int) -> UInt8[Tensor, "..."]:
        """Room for uint8 numbers of this shape, filled with anything. In a loader's worker it is shared memory."""
        if get_worker_info() is not None:
            # What a worker sends is moved to shared memory, unless it lies there; torch's own collate does the same.
            storage = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
            return torch.empty(0, dtype=torch.uint8).set_(storage).view(shape)
        for number in range(len(self._blocks)):  # a loop over the blocks would refer to them
            if self._blocks[number].shape == shape and self._is_free(number):
                return torch.from_numpy(self._blocks[number])
        block = np.empty(shape, dtype=np.uint8)
        self._blocks = [*self._blocks, block][-MAX_KEPT:]
        return torch.from_numpy(block)

    def _is_free(self, number: int) -> bool:
        """A tensor made from an array refers to it as long as any tensor or array shares its memory."""
        return sys.getrefcount(self._blocks[number]) == sys.getrefcount(np.empty(0)) + 1  # the list's reference

    def __reduce__(self) -> tuple[type[BatchMemory], tuple[()]]:
        return BatchMemory, ()


def as_one(parts: Sequence[UInt8[Tensor, "..."]]) -> UInt8[Tensor, "b ..."]:
    """The tensors stacked: the block that they fill one after the other, where they do; a copy where they do not."""
    block, size = parts[0].untyped_storage(), parts[0].numel()
    fills_block = block.nbytes() == len(parts) * size and all(
        part.untyped_storage().data_ptr() == block.data_ptr() and part.storage_offset() == i * size
        for i, part in enumerate(parts)
    )
    if not fills_block:
        return torch.stack(list(parts))
    return parts[0].new_empty(0).set_(block).view(len(parts), *parts[0].shape)
