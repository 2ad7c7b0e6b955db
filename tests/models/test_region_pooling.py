"""Region pooling against loops written from its formula."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mien.models.region_pooling import RegionPooling


def pooling(width: int) -> RegionPooling:
    """In float64, its matrices no longer the identity."""
    module = RegionPooling(width=width).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    return module


def pooled_by_loops(module: RegionPooling, patches: Tensor, sentences: Tensor) -> Tensor:
    """p_ik = Σ_l softmax_l(⟨W_q t_ik, W_k P_il⟩/√E) W_v P_il over its length, a sentence at a time."""
    w_q, w_k, w_v = (x.weight.detach() for x in (module.query, module.key, module.value))
    found = torch.zeros_like(sentences)
    for i in range(len(sentences)):
        for k in range(sentences.shape[1]):
            logits = [float((w_q @ sentences[i, k]) @ (w_k @ p)) / math.sqrt(len(w_q)) for p in patches[i]]
            total = sum(math.exp(x) for x in logits)
            for x, p in zip(logits, patches[i], strict=True):
                found[i, k] += math.exp(x) / total * (w_v @ p)
            found[i, k] /= math.sqrt(sum(float(x) ** 2 for x in found[i, k]))
    return found


@given(batch=st.integers(1, 3), num_patches=st.integers(1, 5), most=st.integers(0, 3), width=st.integers(2, 5))
def test_pooling_equals_the_formula_computed_in_loops(batch: int, num_patches: int, most: int, width: int) -> None:
    module = pooling(width)
    patches, sentences = (torch.randn(batch, n, width, dtype=torch.float64) for n in (num_patches, most))
    torch.testing.assert_close(module(patches, sentences).detach(), pooled_by_loops(module, patches, sentences))


def test_gradients_are_right() -> None:
    module = pooling(3)
    patches, sentences = (torch.randn(2, n, 3, dtype=torch.float64, requires_grad=True) for n in (4, 2))
    weights = tuple(x.weight for x in (module.query, module.key, module.value))
    assert torch.autograd.gradcheck(lambda p, t, *_: module(p, t), (patches, sentences, *weights))


def test_untrained_pooling_looks_at_the_patches_most_like_the_sentence() -> None:
    patches = 20 * torch.eye(4)[None]
    sentences = patches[:, [2, 0]]
    module = RegionPooling(width=4)
    assert module.weights(patches, sentences).argmax(dim=-1).tolist() == [[2, 0]]
    torch.testing.assert_close(module(patches, sentences), torch.eye(4)[None, [2, 0]])


def test_order_of_patches_does_not_matter() -> None:
    module, patches, sentences = pooling(4), *(torch.randn(2, n, 4, dtype=torch.float64) for n in (5, 3))
    torch.testing.assert_close(module(patches[:, [3, 1, 4, 0, 2]], sentences), module(patches, sentences))


def test_absent_sentence_gets_the_mean_patch() -> None:
    patches = torch.tensor([[[3.0, 0], [0, 4]]])
    found = RegionPooling(width=2)(patches, torch.zeros(1, 1, 2))
    torch.testing.assert_close(found, torch.tensor([[[0.6, 0.8]]]))


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_half_precision_is_pooled_in_float32_and_stays_finite(scale: float) -> None:
    module = RegionPooling(width=8)
    patches, sentences = (scale * torch.randn(2, n, 8) for n in (5, 3))
    patches, sentences = (x.bfloat16().requires_grad_() for x in (patches, sentences))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, weights = module(patches, sentences), module.weights(patches, sentences)
    torch.testing.assert_close(weights, module.weights(patches.float(), sentences.float()))
    (found * torch.randn_like(found)).sum().backward()
    gradients = [patches.grad, sentences.grad, *(p.grad for p in module.parameters())]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.norm(dim=-1), torch.full((2, 3), float(scale > 0)))
    assert all(x is not None and torch.isfinite(x).all() for x in gradients)
