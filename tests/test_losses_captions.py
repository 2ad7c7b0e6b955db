"""The losses of captioned pictures against loops written from the formulas, at the edges of their inputs, in parts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from largest_tensor import LargestTensor
from processes import start_joined
from torch import Tensor

from mien import distributed
from mien.losses import (
    MiningSpace,
    Positives,
    info_nce_loss,
    local_info_nce,
    mine_positives,
    multi_positive_info_nce,
    soft_positives,
)
from mien.losses.positives import GRID, similarity_percentile, unit_rows

SCALE = 1 / 0.07
SPACES: tuple[MiningSpace, ...] = ("none", "text", "image", "both")


def rows(batch: int = 8, width: int = 5, *, seed: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = (torch.randn(batch, width, generator=generator, dtype=torch.float64) for _ in range(2))
    image, text = (F.normalize(x, dim=-1).to(dtype) for x in made)
    return image, text


def weights(batch: int = 8, *, seed: int = 4) -> Tensor:
    """Any non-negative weights, half of them 0, with a positive diagonal."""
    drawn = torch.rand(batch, batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (drawn - 0.5).clamp(min=0) + torch.diag(drawn.diagonal() + 0.1)


def positives_of(matrix: Tensor, anchors: slice | None = None) -> Positives:
    own = anchors or slice(None)
    return Positives(rows=matrix[own], columns=matrix.T[own])


def identity(batch: int) -> Positives:
    return positives_of(torch.eye(batch))


# ── mining ───────────────────────────────────────────────────────────────────────────────────────


def percentile_by_hand(similarity: list[list[float]], percentile: float) -> float:
    pairs = sorted(similarity[i][j] for i in range(len(similarity)) for j in range(i + 1, len(similarity)))
    place = percentile / 100 * (len(pairs) - 1)
    below = math.floor(place)
    above = min(below + 1, len(pairs) - 1)
    return pairs[below] + (place - below) * (pairs[above] - pairs[below])


def mined_by_loops(
    image: Tensor, text: Tensor, *, theta_text: float, theta_image: float, k: int, space: MiningSpace
) -> Tensor:
    """M, a number at a time."""
    batch = len(image)
    of_text, of_image = (text @ text.T).tolist(), (image @ image.T).tolist()
    theta_t, theta_v = percentile_by_hand(of_text, theta_text), percentile_by_hand(of_image, theta_image)
    margin = 1e-8  # the pair on which a percentile falls does not exceed it
    found = torch.eye(batch, dtype=torch.bool)
    for i in range(batch):
        score = {}
        for j in range(batch):
            text_alike, image_alike = of_text[i][j] > theta_t + margin, of_image[i][j] > theta_v + margin
            alike = {
                "none": False, "text": text_alike, "image": image_alike, "both": text_alike and image_alike,
            }[space]  # fmt: skip
            if i != j and alike:
                score[j] = of_text[i][j] * (space in ("text", "both")) + of_image[i][j] * (space in ("image", "both"))
        for j in sorted(score, key=lambda j: (-score[j], j))[:k]:
            found[i, j] = True
    return found


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("theta_text", "theta_image", "k"), [(50, 50, 5), (0, 30, 2), (80, 20, 1), (33.3, 66.6, 20)])
def test_mining_equals_the_rule_applied_in_loops(
    space: MiningSpace, theta_text: float, theta_image: float, k: int
) -> None:
    image, text = rows(batch=12)
    options = {"theta_text": theta_text, "theta_image": theta_image, "k": k, "space": space}
    found = mine_positives(image, text, **options)
    expected = mined_by_loops(image, text, **options)
    assert torch.equal(found.rows, expected)
    assert torch.equal(found.columns, expected.T)


def test_each_modality_confirms_the_other() -> None:
    """0 and 1 say the same and look the same, 2 only says it, 3 only looks it."""
    text = torch.tensor([[1.0, 0], [0.99, 0.141], [0.98, 0.199], [0, 1]])
    image = torch.tensor([[0, 1.0], [0.141, 0.99], [1, 0], [0.199, 0.98]])
    found = {
        space: mine_positives(image, text, theta_text=40, theta_image=40, space=space).rows[0].tolist()
        for space in SPACES
    }
    assert found == {
        "none": [True, False, False, False],
        "text": [True, True, True, False],
        "image": [True, True, False, True],
        "both": [True, True, False, False],
    }


def test_equally_similar_ones_are_taken_in_order_and_never_more_than_k() -> None:
    same = torch.ones(6, 3)
    found = mine_positives(same, same, theta_text=95, theta_image=95, k=2)
    assert [row.nonzero().flatten().tolist() for row in found.rows] == [
        [0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 5],
    ]  # fmt: skip


def test_equal_captions_are_positives_though_the_percentile_is_one() -> None:
    text = torch.eye(4)[[0, 0, 0, 0, 0, 1]]
    found = mine_positives(text, text, theta_text=90, theta_image=90, k=9, space="text").rows
    assert found[:5, :5].all()
    assert found[5].tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("chunk", [None, 1, 3, 50])
@pytest.mark.parametrize("space", SPACES)
def test_anchors_and_chunks_mine_what_the_whole_does(space: MiningSpace, chunk: int | None) -> None:
    image, text = rows(batch=12, dtype=torch.float32)
    text = text[[0, 1, 2, 3, 4, 5] * 2]  # every caption twice: ties
    options = {"theta_text": 60.0, "theta_image": 40.0, "k": 3, "space": space}
    whole = mine_positives(image, text, **options)
    for own in (slice(0, 6), slice(6, 12), slice(4, 5)):
        part = mine_positives(image, text, **options, anchors=own, chunk=chunk)
        assert torch.equal(part.rows, whole.rows[own])
        assert torch.equal(part.columns, whole.rows.T[own])


def test_order_of_the_batch_does_not_matter_to_mining() -> None:
    image, text = rows(batch=12)
    order = torch.randperm(12)
    options = {"theta_text": 50.0, "theta_image": 50.0, "k": 2}
    found = mine_positives(image[order], text[order], **options).rows
    assert torch.equal(found, mine_positives(image, text, **options).rows[order][:, order])


def test_percentiles_of_a_large_batch_are_of_some_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.losses.positives.PERCENTILE_ROWS", 8)
    x = unit_rows(rows(batch=20)[0])
    some = x[[0, 2, 5, 7, 10, 12, 15, 17]]
    found = float(similarity_percentile(x, 40, group=torch.arange(20)))
    assert found * GRID == pytest.approx(percentile_by_hand((some @ some.T).tolist(), 40), abs=GRID)
    assert found * GRID != pytest.approx(percentile_by_hand((x @ x.T).tolist(), 40), abs=1e-4)


def test_memory_of_mining_is_that_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.losses.positives.PERCENTILE_ROWS", 16)
    image, text = rows(batch=128)
    with LargestTensor() as seen:
        mine_positives(image, text, theta_text=90, theta_image=90, k=3, anchors=slice(80, 88), chunk=8)
    assert seen.size == (8 + 1) * 128  # M's columns, and one for what lies elsewhere


def test_mining_takes_no_gradients_and_changes_nothing() -> None:
    image, text = (x.requires_grad_() for x in rows())
    before = image.clone()
    found = mine_positives(image, text, theta_text=50, theta_image=50)
    assert not found.rows.requires_grad
    assert torch.equal(image, before)


@pytest.mark.parametrize("percentile", [-1.0, 100.5, math.nan])
def test_percentile_that_is_none_is_refused(percentile: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        mine_positives(*rows(), theta_text=percentile, theta_image=50)


# ── soft positives ───────────────────────────────────────────────────────────────────────────────


def test_soft_positives_are_the_votes_bhattacharyya_coefficients() -> None:
    votes = torch.tensor([[0.5, 0.5, 0], [1, 0, 0], [0, 0, 1], [0.25, 0.25, 0.5]], dtype=torch.float64)
    found = soft_positives(votes, sharpness=2).rows
    for i in range(4):
        for j in range(4):
            alike = sum(math.sqrt(p * q) for p, q in zip(votes[i].tolist(), votes[j].tolist(), strict=True))
            assert float(found[i, j]) == pytest.approx(1 if i == j else alike**2, abs=1e-12)


def test_soft_positives_below_the_floor_are_none() -> None:
    votes = torch.tensor([[1.0, 0], [0.5, 0.5], [0, 1]])
    assert soft_positives(votes, sharpness=2, floor=0.6).rows.tolist() == torch.eye(3).tolist()
    assert (soft_positives(votes, sharpness=2, floor=0.4).rows > 0).sum() == 7


def test_picture_without_votes_is_its_own_positive_alone() -> None:
    votes = torch.tensor([[0.0, 0], [0, 0], [0, 1]])
    assert torch.equal(soft_positives(votes).rows, torch.eye(3))


def test_soft_positives_of_anchors_are_rows_of_the_whole() -> None:
    votes = torch.rand(7, 8, dtype=torch.float64).softmax(dim=-1)
    part = soft_positives(votes, sharpness=3, anchors=slice(2, 5))
    whole = soft_positives(votes, sharpness=3).rows
    torch.testing.assert_close(part.rows, whole[2:5])
    torch.testing.assert_close(part.columns, whole.T[2:5])


@pytest.mark.parametrize(("option", "value"), [("sharpness", 0.0), ("floor", 1.0), ("floor", -0.1)])
def test_soft_positives_refuse_what_makes_no_sense(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option} = {value}"):
        soft_positives(torch.eye(3), **{option: value})


# ── the global loss ──────────────────────────────────────────────────────────────────────────────


def multi_positive_by_loops(a: Tensor, b: Tensor, matrix: Tensor) -> float:
    """½[MP(a, b, M) + MP(b, a, Mᵀ)], a number at a time."""

    def one_way(a: Tensor, b: Tensor, m: list[list[float]]) -> float:
        total = 0.0
        for i in range(len(a)):
            exps = [math.exp(SCALE * float(a[i] @ b[j])) for j in range(len(b))]
            logs = [math.log(x / sum(exps)) for x in exps]
            total -= sum(m_ij * log for m_ij, log in zip(m[i], logs, strict=True)) / sum(m[i])
        return total / len(a)

    return (one_way(a, b, matrix.tolist()) + one_way(b, a, matrix.T.tolist())) / 2


def test_multi_positive_loss_equals_the_formula_computed_in_loops() -> None:
    image, text = rows()
    for matrix in (weights(), (weights() > 0).double(), torch.ones(8, 8, dtype=torch.float64)):
        found = multi_positive_info_nce(image, text, positives_of(matrix), logit_scale=SCALE)
        assert float(found) == pytest.approx(multi_positive_by_loops(image, text, matrix), abs=1e-10)


@given(batch=st.integers(1, 7), width=st.integers(1, 5), seed=st.integers(0, 99), chunk=st.integers(1, 9))
def test_multi_positive_loss_is_right_for_any_shape(batch: int, width: int, seed: int, chunk: int) -> None:
    image, text = rows(batch, width, seed=seed)
    matrix = weights(batch, seed=seed)
    found = multi_positive_info_nce(image, text, positives_of(matrix), logit_scale=SCALE, chunk=chunk)
    assert float(found) == pytest.approx(multi_positive_by_loops(image, text, matrix), abs=1e-9)


def test_each_its_own_positive_alone_is_info_nce() -> None:
    image, text = rows()
    own_only = mine_positives(image, text, theta_text=90, theta_image=90, space="none")
    for positives in (identity(8), own_only, soft_positives(torch.eye(8))):
        found = multi_positive_info_nce(image, text, positives, logit_scale=SCALE)
        torch.testing.assert_close(found, info_nce_loss(image, text, logit_scale=SCALE), rtol=0, atol=1e-14)


def test_scale_of_the_weights_does_not_matter() -> None:
    image, text = rows()
    losses = [
        multi_positive_info_nce(image, text, positives_of(weights() * factor), logit_scale=SCALE)
        for factor in (1, 1e-6, 1e6)
    ]
    torch.testing.assert_close(losses[1:], [losses[0]] * 2)


def test_order_of_the_batch_does_not_matter_to_the_global_loss() -> None:
    image, text = rows()
    order, matrix = torch.randperm(8), weights()
    found = multi_positive_info_nce(image[order], text[order], positives_of(matrix[order][:, order]), logit_scale=SCALE)
    torch.testing.assert_close(found, multi_positive_info_nce(image, text, positives_of(matrix), logit_scale=SCALE))


@pytest.mark.parametrize("chunk", [None, 2])
def test_gradients_of_the_global_loss_are_right(chunk: int | None) -> None:
    image, text = (x.requires_grad_() for x in rows(batch=5, width=3))
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    def loss(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
        return multi_positive_info_nce(image, text, positives_of(weights(5)), logit_scale=scale, chunk=chunk)

    assert torch.autograd.gradcheck(loss, (image, text, scale))


@pytest.mark.parametrize("chunk", [None, 1, 3])
def test_anchors_average_to_the_whole_global_loss_and_its_gradients(chunk: int | None) -> None:
    def computed(parts: list[slice | None]) -> list[Tensor]:
        image, text = (x.requires_grad_() for x in rows())
        losses = [
            multi_positive_info_nce(
                image, text, positives_of(weights(), part), logit_scale=SCALE, anchors=part, chunk=chunk
            )
            for part in parts
        ]
        torch.stack(losses).mean().backward()
        return [torch.stack(losses).mean().detach(), image.grad, text.grad]  # type: ignore[list-item]

    torch.testing.assert_close(computed([slice(0, 4), slice(4, 8)]), computed([None]))


def test_positives_of_other_anchors_are_refused() -> None:
    with pytest.raises(ValueError, match="positives have 8 anchors, the loss 4"):
        multi_positive_info_nce(*rows(), identity(8), logit_scale=SCALE, anchors=slice(0, 4))


# ── the local loss ───────────────────────────────────────────────────────────────────────────────


def local(batch: int = 5, most: int = 3, width: int = 4, *, seed: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Regions, sentences and which are there: the first picture has none, the second all."""
    generator = torch.Generator().manual_seed(seed)
    made = (torch.randn(batch, most, width, generator=generator, dtype=torch.float64) for _ in range(2))
    regions, sentences = (F.normalize(x, dim=-1) for x in made)
    present = torch.rand(batch, most, generator=generator) < 0.6
    present[0], present[-1] = False, True
    return regions, sentences, present


def local_by_loops(regions: Tensor, sentences: Tensor, present: Tensor, *, theta_text: float) -> float:
    """The mean over sentences of both directions' -log softmax, sentences of other pictures above θ left out."""
    there = [(i, k) for i in range(len(present)) for k in range(present.shape[1]) if present[i, k]]
    if not there:
        return 0.0
    p, t = (torch.stack([x[place] for place in there]) for x in (regions, sentences))
    alike = (t @ t.T).tolist()
    count = range(len(there))
    pairs = sorted(alike[i][j] for i in count for j in count if there[i][0] < there[j][0])
    theta = float(torch.quantile(torch.tensor(pairs, dtype=torch.float64), theta_text / 100)) if pairs else 1.0
    theta = min(theta, 1 - 1e-5) + 1e-8

    def one_way(a: Tensor, b: Tensor) -> float:
        total = 0.0
        for i in count:
            kept = [j for j in count if there[i][0] == there[j][0] or alike[i][j] <= theta]
            total -= math.log(
                math.exp(SCALE * float(a[i] @ b[i])) / sum(math.exp(SCALE * float(a[i] @ b[j])) for j in kept)
            )
        return total / len(there)

    return (one_way(p, t) + one_way(t, p)) / 2


@given(
    batch=st.integers(1, 5), most=st.integers(1, 3), seed=st.integers(0, 99), chunk=st.integers(1, 6),
    theta_text=st.sampled_from([0.0, 50.0, 90.0, 100.0]),
)  # fmt: skip
def test_local_loss_equals_the_formula_computed_in_loops(
    batch: int, most: int, seed: int, chunk: int, theta_text: float
) -> None:
    inputs = local(batch, most, seed=seed)
    expected = local_by_loops(*inputs, theta_text=theta_text)
    for size in (None, chunk):
        found = local_info_nce(*inputs, theta_text=theta_text, logit_scale=SCALE, chunk=size)
        assert float(found) == pytest.approx(expected, abs=1e-9)


def test_local_loss_with_a_sentence_a_picture_is_info_nce() -> None:
    image, text = rows()
    found = local_info_nce(
        image[:, None], text[:, None], torch.ones(8, 1, dtype=torch.bool), theta_text=100, logit_scale=SCALE
    )
    torch.testing.assert_close(found, info_nce_loss(image, text, logit_scale=SCALE))


def test_equal_sentences_of_other_pictures_are_no_negatives_but_those_of_the_same_are() -> None:
    one, two = torch.zeros(2, 1, 4), torch.zeros(1, 2, 4)
    one[..., 0] = two[..., 0] = 1
    everyone = {"theta_text": 95.0, "logit_scale": SCALE}
    assert float(local_info_nce(one, one, torch.ones(2, 1, dtype=torch.bool), **everyone)) == 0
    same_picture = local_info_nce(two, two, torch.ones(1, 2, dtype=torch.bool), **everyone)
    assert float(same_picture) == pytest.approx(math.log(2))


def test_order_of_pictures_and_of_sentences_does_not_matter() -> None:
    regions, sentences, present = local()
    expected = local_info_nce(regions, sentences, present, theta_text=60, logit_scale=SCALE)
    for order in ((torch.tensor([3, 0, 4, 1, 2]), slice(None)), (slice(None), torch.tensor([2, 0, 1]))):
        moved = [x[order[0]][:, order[1]] for x in (regions, sentences, present)]
        torch.testing.assert_close(local_info_nce(*moved, theta_text=60, logit_scale=SCALE), expected)


@pytest.mark.parametrize("chunk", [None, 2])
def test_gradients_of_the_local_loss_are_right(chunk: int | None) -> None:
    regions, sentences, present = local(batch=3, most=2, width=3)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    def loss(regions: Tensor, sentences: Tensor, scale: Tensor) -> Tensor:
        return local_info_nce(regions, sentences, present, theta_text=55, logit_scale=scale, chunk=chunk)

    assert torch.autograd.gradcheck(loss, (regions.requires_grad_(), sentences.requires_grad_(), scale))


@pytest.mark.parametrize("chunk", [None, 1])
def test_anchors_with_unequal_numbers_of_sentences_average_to_the_whole_local_loss(chunk: int | None) -> None:
    def computed(parts: list[slice | None]) -> list[Tensor]:
        regions, sentences, present = local(batch=6)
        present[:2] = False  # the first part has no sentence at all
        inputs = [regions.requires_grad_(), sentences.requires_grad_()]
        losses = [
            local_info_nce(*inputs, present, theta_text=70, logit_scale=SCALE, anchors=part, chunk=chunk)
            for part in parts
        ]
        torch.stack(losses).mean().backward()
        return [torch.stack(losses).mean().detach(), *(x.grad for x in inputs)]  # type: ignore[list-item]

    torch.testing.assert_close(computed([slice(0, 2), slice(2, 4), slice(4, 6)]), computed([None]))


@pytest.mark.parametrize("most", [0, 3])
@pytest.mark.parametrize("chunk", [None, 2])
def test_batch_without_sentences_costs_nothing_and_can_be_differentiated(most: int, chunk: int | None) -> None:
    regions, sentences = torch.randn(4, most, 5, requires_grad=True), torch.zeros(4, most, 5, requires_grad=True)
    loss = local_info_nce(
        regions, sentences, torch.zeros(4, most, dtype=torch.bool), theta_text=90, logit_scale=SCALE, chunk=chunk
    )
    loss.backward()
    assert float(loss.detach()) == 0
    assert regions.grad is not None
    assert not regions.grad.any()


def test_what_stands_where_there_is_no_sentence_is_not_read() -> None:
    regions, sentences, present = local()
    expected = local_info_nce(regions, sentences, present, theta_text=60, logit_scale=SCALE)
    wrong = [x.masked_fill(~present[..., None], math.nan).requires_grad_() for x in (regions, sentences)]
    found = local_info_nce(*wrong, present, theta_text=60, logit_scale=SCALE)
    found.backward()
    torch.testing.assert_close(found, expected)
    assert all(x.grad is not None and torch.isfinite(x.grad).all() for x in wrong)


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("k", [0, 1, 5])
@pytest.mark.parametrize("batch", [1, 2, 6])
@pytest.mark.parametrize("kind", ["identical", "zeros", "random", "opposite"])
def test_losses_and_gradients_are_finite_in_bfloat16(kind: str, batch: int, k: int, chunk: int | None) -> None:
    made = {
        "identical": torch.ones(batch, 8) / math.sqrt(8),
        "zeros": torch.zeros(batch, 8),
        "random": F.normalize(torch.randn(batch, 8), dim=-1),
        "opposite": torch.ones(batch, 8) / math.sqrt(8) * torch.tensor([1.0, -1.0]).repeat(batch)[:batch, None],
    }[kind]
    image, text = (made.bfloat16().requires_grad_() for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        positives = mine_positives(image, text, theta_text=50, theta_image=50, k=k, chunk=chunk)
        loss = multi_positive_info_nce(image, text, positives, logit_scale=100.0, chunk=chunk) + local_info_nce(
            image[:, None], text[:, None], torch.arange(batch)[:, None] != 1, theta_text=90, logit_scale=100.0,
            chunk=chunk,
        )  # fmt: skip
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert all(x.grad is not None and torch.isfinite(x.grad).all() for x in (image, text))


def test_autocast_does_not_change_the_losses() -> None:
    image, text = rows(dtype=torch.float32)
    regions, sentences, present = local()

    def computed() -> list[Tensor]:
        positives = mine_positives(image, text, theta_text=50, theta_image=50)
        soft = soft_positives(text.softmax(dim=-1), sharpness=4)
        return [
            positives.rows,
            soft.rows,
            multi_positive_info_nce(image, text, positives, logit_scale=SCALE),
            local_info_nce(regions.float(), sentences.float(), present, theta_text=50, logit_scale=SCALE),
        ]

    expected = computed()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = computed()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_largest_matrix_of_a_chunked_local_loss_is_chunk_by_batch() -> None:
    largest = []
    for chunk in (None, 8):
        regions, sentences, present = local(batch=64, most=3)
        with LargestTensor() as seen:
            local_info_nce(
                regions.requires_grad_(), sentences, present & (torch.arange(64) < 8)[:, None], theta_text=90,
                logit_scale=SCALE, chunk=chunk,
            ).backward()  # fmt: skip
        largest.append(seen.size)
    assert largest == [(64 * 3) ** 2, (8 * 3) * (64 * 3)]


def compute(world_size: int) -> dict[str, Tensor]:
    """This process's loss of its third or all of six captioned pictures, and the weights' gradients, averaged."""
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 4)
    regions, sentences, present = local(batch=6)
    own = distributed.own_rows(6 // world_size)
    patches = F.normalize(model(regions[own].float()), dim=-1)
    image, text = (F.normalize(x.mean(dim=1) + 0.1, dim=-1) for x in (patches, sentences[own].float()))
    image, text, patches, sentences, present = (
        distributed.gather(x) for x in (image, text, patches, sentences[own].float(), present[own])
    )
    positives = mine_positives(image, text, theta_text=30, theta_image=30, k=2, anchors=own)
    loss = multi_positive_info_nce(image, text, positives, logit_scale=SCALE, anchors=own)
    loss = loss + local_info_nce(patches, sentences, present, theta_text=70, logit_scale=SCALE, anchors=own)
    loss.backward()
    distributed.average_gradients(model.parameters())
    assert model.weight.grad is not None
    return {"loss": torch.tensor(distributed.mean(loss.detach())), "gradient": model.weight.grad}


def compute_into(folder: Path) -> None:
    torch.save(compute(distributed.world_size()), folder / f"{distributed.rank()}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_together_equal_one(world_size: int, tmp_path: Path) -> None:
    start_joined(compute_into, tmp_path, world_size=world_size)
    expected = {name: x.double() for name, x in compute(1).items()}
    for rank in range(world_size):
        found = {name: x.double() for name, x in torch.load(tmp_path / f"{rank}.pt").items()}
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
