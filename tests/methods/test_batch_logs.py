"""What is logged of a batch, against its definitions; in chunks as at once."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mien.losses import negative_weight
from mien.methods.batch_logs import (
    SUPPRESSED,
    UNIFORMITY_ROWS,
    alignment,
    batch_accuracy,
    negatives_suppressed,
    uniformity,
)


@pytest.mark.parametrize("chunk", [None, 1, 4, 100])
def test_chunks_give_the_numbers_of_the_whole(chunk: int | None) -> None:
    a, b, logits = F.normalize(torch.randn(13, 3), dim=1), F.normalize(torch.randn(13, 3), dim=1), torch.randn(13, 7)
    anchors = slice(3, 12)
    hits = sum(int((a[i] @ b.T).argmax()) == i for i in range(3, 12))
    assert 0 < hits < 9
    assert float(batch_accuracy(a, b, anchors=anchors, chunk=chunk)) == pytest.approx(hits / 9)
    expected = (negative_weight(logits, beta=4.0)[anchors] > SUPPRESSED).double().mean()
    found = negatives_suppressed(logits, beta=4.0, kl_direction="paper", anchors=anchors, chunk=chunk)
    assert 0 < float(found) < 1
    assert float(found) == pytest.approx(float(expected))


def test_nothing_is_suppressed_without_sentiment_guidance() -> None:
    assert negatives_suppressed(torch.zeros(4, 7), beta=0.0, kl_direction="paper", anchors=slice(0, 4)) == 0


def test_alignment_is_the_mean_squared_distance_of_pairs() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert float(alignment(a, a)) == 0
    assert float(alignment(a, torch.stack([a[0], -a[1]]))) == pytest.approx((0 + 4) / 2)


def test_uniformity_is_the_log_mean_over_pairs() -> None:
    x = F.normalize(torch.randn(9, 4), dim=1)
    pairs = [math.exp(-2 * float((x[i] - x[j]).square().sum())) for i in range(9) for j in range(i)]
    assert float(uniformity(x)) == pytest.approx(math.log(sum(pairs) / len(pairs)), abs=1e-5)


def test_uniformity_tells_collapse_from_spread() -> None:
    assert float(uniformity(torch.ones(5, 4) / 2)) == 0
    assert float(uniformity(torch.ones(1, 4) / 2)) == 0
    spread = F.normalize(torch.randn(500, 256), dim=1)
    assert float(uniformity(spread)) == pytest.approx(-4, abs=0.1)


def test_uniformity_looks_at_no_more_rows_than_it_says() -> None:
    x = F.normalize(torch.randn(UNIFORMITY_ROWS + 50, 4), dim=1)
    assert torch.equal(uniformity(x), uniformity(x[:UNIFORMITY_ROWS]))
