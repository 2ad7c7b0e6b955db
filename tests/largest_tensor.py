"""How large a computation's largest tensor is: what tells a loss in chunks from one over a full matrix."""

from __future__ import annotations

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class LargestTensor(TorchDispatchMode):
    """`size` is the number of elements of the largest tensor made while it was on, whoever made it."""

    size = 0

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        result = func(*args, **(kwargs or {}))  # type: ignore[operator]
        made = result if isinstance(result, tuple | list) else (result,)
        self.size = max([self.size, *(x.numel() for x in made if isinstance(x, Tensor))])
        return result
