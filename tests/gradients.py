"""Gradients by name, and whether two methods have the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradients(method: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


def assert_same_gradients(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Up to rounding, measured by the largest entry of each parameter's."""
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, atol=1e-4 * size + 1e-7, rtol=0, msg=name)
