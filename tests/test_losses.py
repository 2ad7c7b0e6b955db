"""The losses against loops written straight from the formulas, at the edges of their inputs, and in parts."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from largest_tensor import LargestTensor
from torch import Tensor

from mien.losses import (
    KL_FLOOR,
    KLDirection,
    info_nce_loss,
    negative_weight,
    row_chunks,
    sentiment_guided_contrastive_loss,
)

DIRECTIONS: tuple[KLDirection, ...] = ("paper", "reference")
SCALE = 1 / 0.07


def embeddings(batch: int = 6, width: int = 5, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    video, text = (F.normalize(torch.randn(batch, width, generator=generator, dtype=dtype), dim=-1) for _ in range(2))
    return video, text, torch.randn(batch, 7, generator=generator, dtype=dtype)


def snce_by_loops(video: Tensor, text: Tensor, logits: Tensor, *, beta: float, direction: KLDirection) -> float:
    """1/2B Σ_i −log(exp(s·v_i·t_i) / Σ_j exp(s·v_i·t_j − w_ij)), both ways; a number at a time."""
    batch = len(video)
    p = [[math.exp(x) / sum(math.exp(y) for y in row) for x in row] for row in logits.tolist()]

    def kl(a: list[float], b: list[float]) -> float:
        return sum(x * math.log(x / y) for x, y in zip(a, b, strict=True))

    def one_way(anchors: Tensor, others: Tensor) -> float:
        total = 0.0
        for i in range(batch):
            denominator = 0.0
            for j in range(batch):
                divergence = kl(p[i], p[j]) if direction == "paper" else kl(p[j], p[i])
                weight = 0.0 if i == j else beta / max(divergence, KL_FLOOR)
                denominator += math.exp(SCALE * float(anchors[i] @ others[j]) - weight)
            total -= math.log(math.exp(SCALE * float(anchors[i] @ others[i])) / denominator)
        return total

    return (one_way(video, text) + one_way(text, video)) / (2 * batch)


def snce(video: Tensor, text: Tensor, logits: Tensor, **options: object) -> Tensor:
    return sentiment_guided_contrastive_loss(video, text, logit_scale=SCALE, sentiment_logits=logits, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("beta", [0.0, 0.1, 1.0, 10.0])
def test_snce_equals_the_formula_computed_in_loops(direction: KLDirection, beta: float) -> None:
    video, text, logits = embeddings()
    expected = snce_by_loops(video, text, logits, beta=beta, direction=direction)
    assert float(snce(video, text, logits, beta=beta, kl_direction=direction)) == pytest.approx(expected, abs=1e-10)


def test_directions_differ() -> None:
    video, text, logits = embeddings()
    losses = [float(snce(video, text, logits, beta=1.0, kl_direction=d)) for d in DIRECTIONS]
    assert abs(losses[0] - losses[1]) > 1e-4


def test_beta_zero_is_info_nce() -> None:
    video, text, logits = embeddings()
    assert torch.equal(snce(video, text, logits, beta=0.0), info_nce_loss(video, text, logit_scale=SCALE))


def test_info_nce_is_clips_loss() -> None:
    video, text, _ = embeddings()
    logits = SCALE * video @ text.T
    target = torch.arange(len(video))
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(info_nce_loss(video, text, logit_scale=SCALE), expected)


def test_equal_sentiments_leave_only_the_positive() -> None:
    video, text, _ = embeddings()
    assert float(snce(video, text, torch.zeros(6, 7, dtype=torch.float64))) == pytest.approx(0.0, abs=1e-12)


def test_opposite_sentiments_are_left_alone() -> None:
    video, text, _ = embeddings(batch=2)
    one_hot = torch.full((2, 7), -torch.inf, dtype=torch.float64)
    one_hot[0, 0] = one_hot[1, 1] = 0
    torch.testing.assert_close(
        snce(video, text, one_hot), info_nce_loss(video, text, logit_scale=SCALE), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradients_are_right(direction: KLDirection) -> None:
    video, text, logits = embeddings(batch=4, width=3)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    def loss(video: Tensor, text: Tensor, scale: Tensor, logits: Tensor) -> Tensor:
        return sentiment_guided_contrastive_loss(
            video, text, logit_scale=scale, sentiment_logits=logits, beta=1.0, kl_direction=direction
        )

    assert torch.autograd.gradcheck(
        loss, (video.requires_grad_(), text.requires_grad_(), scale, logits.requires_grad_())
    )


def one_hot_logits() -> Tensor:
    logits = torch.full((6, 7), -torch.inf)
    logits[torch.arange(6), torch.tensor([0, 1, 2, 0, 1, 6])] = 0.0
    return logits


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    "logits",
    [
        torch.zeros(6, 7),
        torch.full((6, 7), -1e4),
        torch.randn(6, 7, generator=torch.Generator().manual_seed(1)) * 1e4,
        torch.eye(7)[:6] * 1e4,
        one_hot_logits(),
        torch.randn(6, 7, generator=torch.Generator().manual_seed(1)) * 1e-8,
    ],
    ids=["identical", "identical and low", "extreme", "one-hot", "one-hot with -inf", "nearly identical"],
)
def test_loss_and_gradients_are_finite_for_any_sentiment(logits: Tensor, direction: KLDirection) -> None:
    video, text, _ = (x.float() for x in embeddings())
    inputs = [video.requires_grad_(), text.requires_grad_(), logits.clone().requires_grad_()]
    loss = snce(*inputs, kl_direction=direction)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(x.grad is not None and torch.isfinite(x.grad).all() for x in inputs)


def test_identical_embeddings_at_the_largest_scale_are_finite() -> None:
    same = F.normalize(torch.ones(4, 8), dim=-1).requires_grad_()
    loss = sentiment_guided_contrastive_loss(same, same, logit_scale=100.0, sentiment_logits=torch.randn(4, 7))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("beta", [0.0, 10.0])
def test_autocast_does_not_change_the_loss(beta: float) -> None:
    video, text, logits = (x.float() for x in embeddings())
    expected = snce(video, text, logits, beta=beta)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = snce(video, text, logits, beta=beta)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_half_precision_embeddings_are_computed_in_float32() -> None:
    video, text, logits = (x.bfloat16() for x in embeddings())
    loss = snce(video, text, logits)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, snce(video.float(), text.float(), logits.float()))


def test_order_of_the_batch_does_not_matter() -> None:
    video, text, logits = embeddings()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(snce(video[order], text[order], logits[order]), snce(video, text, logits))
    weight = negative_weight(logits, beta=2.0)
    torch.testing.assert_close(negative_weight(logits[order], beta=2.0), weight[order][:, order])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_parts_average_to_the_whole(direction: KLDirection) -> None:
    video, text, logits = embeddings()
    parts = [snce(video, text, logits, kl_direction=direction, anchors=slice(start, start + 2)) for start in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), snce(video, text, logits, kl_direction=direction))


def test_inputs_are_not_changed() -> None:
    inputs = embeddings()
    before = [x.clone() for x in inputs]
    snce(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))


def test_own_weight_is_zero_wherever_the_anchors_lie() -> None:
    _, _, logits = embeddings()
    weight = negative_weight(logits, beta=10.0, anchors=slice(2, 5))
    assert weight.shape == (3, 6)
    assert (weight[torch.arange(3), torch.arange(2, 5)] == 0).all()
    assert (weight > 0).sum() == 15


def test_negative_beta_is_refused() -> None:
    with pytest.raises(ValueError, match="beta = -1"):
        snce(*embeddings(), beta=-1)


def value_and_gradients(
    dtype: torch.dtype, *, chunk: int | None, beta: float, anchors: slice | None, kl_direction: KLDirection = "paper"
) -> list[Tensor]:
    """The loss of a batch of 29, and its gradients with respect to video, text, sentiment and scale."""
    inputs = [x.requires_grad_() for x in embeddings(batch=29, width=8, dtype=dtype)]
    scale = torch.tensor(SCALE, dtype=dtype, requires_grad=True)
    video, text, logits = inputs
    loss = sentiment_guided_contrastive_loss(
        video, text, logit_scale=scale, sentiment_logits=logits, beta=beta, kl_direction=kl_direction, anchors=anchors,
        chunk=chunk,
    )  # fmt: skip
    (3 * loss).backward()
    wanted = [video, text, scale] + ([logits] if beta else [])
    return [loss.detach(), *(x.grad for x in wanted if x.grad is not None)]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("anchors", [None, slice(8, 21)], ids=["all", "a rank's own"])
@pytest.mark.parametrize("beta", [0.0, 10.0])
@pytest.mark.parametrize("chunk", [1, 4, 13, 28, 64])
def test_chunks_give_the_value_and_gradients_of_the_whole(
    chunk: int, beta: float, anchors: slice | None, direction: KLDirection
) -> None:
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        whole = value_and_gradients(dtype, chunk=None, beta=beta, anchors=anchors, kl_direction=direction)
        parts = value_and_gradients(dtype, chunk=chunk, beta=beta, anchors=anchors, kl_direction=direction)
        assert len(parts) == len(whole) == (5 if beta else 4)
        for found, expected in zip(parts, whole, strict=True):
            size = max(1.0, float(expected.abs().max()))
            torch.testing.assert_close(found, expected, atol=tolerance * size, rtol=0)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradients_of_chunks_are_right(direction: KLDirection) -> None:
    video, text, logits = (x.requires_grad_() for x in embeddings(batch=5, width=3))
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    def loss(video: Tensor, text: Tensor, scale: Tensor, logits: Tensor) -> Tensor:
        return sentiment_guided_contrastive_loss(
            video, text, logit_scale=scale, sentiment_logits=logits, beta=1.0, kl_direction=direction, chunk=2
        )

    assert torch.autograd.gradcheck(loss, (video, text, scale, logits))


def test_chunks_in_half_precision_and_under_autocast_are_computed_in_float32() -> None:
    video, text, logits = (x.bfloat16() for x in embeddings())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = snce(video.requires_grad_(), text, logits, chunk=4)
    found.backward()
    assert found.dtype == torch.float32
    assert video.grad is not None
    assert video.grad.dtype == torch.bfloat16
    torch.testing.assert_close(found, snce(video.float(), text.float(), logits.float()))


def test_chunks_without_gradients_give_the_value_alone() -> None:
    video, text, logits = embeddings()
    with torch.no_grad():
        found = snce(video.requires_grad_(), text, logits, chunk=4)
    assert not found.requires_grad
    torch.testing.assert_close(found, snce(video.detach(), text, logits))


def test_largest_matrix_of_a_chunked_loss_is_chunk_by_batch() -> None:
    """Every tensor that is made while the loss and its gradients are computed, whoever makes it."""
    largest = []
    for chunk in (None, 8):
        video, text, logits = (x.requires_grad_() for x in embeddings(batch=64, width=4))
        with LargestTensor() as seen:
            snce(video, text, logits.detach(), chunk=chunk).backward()
        largest.append(seen.size)
    assert largest == [64 * 64, 8 * 64]


def test_anchors_are_cut_into_chunks_that_leave_nobody_out() -> None:
    assert row_chunks(slice(3, 8), batch=10, chunk=2) == [slice(3, 5), slice(5, 7), slice(7, 8)]
    assert row_chunks(None, batch=5, chunk=None) == [slice(0, 5)]
    assert row_chunks(slice(5, 10), batch=10, chunk=9) == [slice(5, 10)]
    with pytest.raises(ValueError, match="chunk = 0"):
        row_chunks(None, batch=5, chunk=0)
