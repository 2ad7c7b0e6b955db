"""A running mean of a model's weights, which evaluates better than the weights of any one step (Polyak averaging)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

DELAY = 10
"""The decay is (1 + n) / (10 + n) at the n-th step until that exceeds the one asked for: else the mean of a short run
would be made of its untrained weights."""


class RunningMean(nn.Module):
    """`model` is the mean of what was given to `update`; its state travels in checkpoints."""

    num_averaged: Tensor

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        """decay: in (0, 1), the share of the mean that a step leaves as it is."""
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.register_buffer("num_averaged", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, current: nn.Module) -> None:
        """Takes in the weights after a step. The first ones are taken as they are."""
        n = self.num_averaged
        decay = ((1 + n) / (DELAY + n)).clamp(max=self.decay) * (n > 0)
        for mean, own in zip(self.model.parameters(), current.parameters(), strict=True):
            mean.lerp_(own, 1 - decay)
        for kept, buffer in zip(self.model.buffers(), current.buffers(), strict=True):
            kept.copy_(buffer)
        self.num_averaged += 1
