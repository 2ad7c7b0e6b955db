"""What the three subject strategies promise: SAP's token, SAAM's matrices, vanilla's indifference."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange

from mien.models.subject import (
    SAAM_INITIAL_SHARE,
    SubjectAttentionMask,
    SubjectKind,
    SubjectPrompt,
    SubjectShift,
    hidden_from_subject,
)
from mien.models.transformer import SOFTMAX
from mien.models.video_clip import VideoClip, VideoClipConfig

GRID = 3
PATCHES = GRID**2


def model_with(subject: SubjectKind, **changes: object) -> VideoClip:
    data = {
        "embed_dim": 16,
        "vision": {"image_size": 24, "patch_size": 8, "width": 16, "layers": 3, "heads": 2, "mlp_width": 32},
        "text": {"context_length": 8, "vocab_size": 20, "width": 16, "layers": 1, "heads": 2, "mlp_width": 32},
        "temporal": {"kind": "mean"},
        "subject": subject,
    }
    return VideoClip(VideoClipConfig.model_validate(data | changes)).eval()


def test_sap_token_is_the_covered_patches_positions_weighted_by_coverage() -> None:
    tokens, positions, coverage = torch.randn(2, 1 + PATCHES, 8), torch.randn(1 + PATCHES, 8), torch.rand(2, GRID, GRID)
    found, attend = SubjectPrompt()(tokens, coverage=coverage, position_embedding=positions)
    assert attend is SOFTMAX
    assert torch.equal(found[:, :-1], tokens)
    for b in range(2):
        expected = torch.zeros(8)
        for row in range(GRID):
            for column in range(GRID):
                expected += coverage[b, row, column] * positions[1 + row * GRID + column]
        torch.testing.assert_close(found[b, -1], expected)


def test_sap_token_is_zero_where_nobody_is() -> None:
    tokens, positions = torch.randn(2, 1 + PATCHES, 8), torch.randn(1 + PATCHES, 8)
    found, _ = SubjectPrompt()(tokens, coverage=torch.zeros(2, GRID, GRID), position_embedding=positions)
    assert (found[:, -1] == 0).all()


def test_sap_has_no_parameters_and_gradients_reach_the_positions() -> None:
    model = model_with("sap")
    assert not list(model.subject.parameters())
    model.encode_frames(torch.randn(1, 3, 24, 24), torch.ones(1, GRID, GRID)).sum().backward()
    assert model.vision.position_embedding.grad is not None


def test_vanilla_ignores_the_mask_and_the_others_do_not() -> None:
    frames = torch.randn(2, 3, 24, 24)
    masks = torch.zeros(2, GRID, GRID), torch.eye(GRID).expand(2, GRID, GRID)
    for kind, is_ignored in (("vanilla", True), ("sap", False), ("saam", False)):
        model = model_with(kind)  # type: ignore[arg-type]
        a, b = (model.encode_frames(frames, mask) for mask in masks)
        assert torch.equal(a, b) == is_ignored


def shift(*, is_subject: torch.Tensor) -> SubjectShift:
    n = PATCHES + 2
    return SubjectShift(share=torch.rand(n, n), hidden=hidden_from_subject(is_subject))


def queries(count: int = 3) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(2, 2, PATCHES + 2, 4) for _ in range(count))


@pytest.mark.parametrize("present", ["nobody", "some", "everywhere"])
def test_saam_rows_sum_to_one(present: str) -> None:
    is_subject = {
        "nobody": torch.zeros(2, PATCHES),
        "some": torch.randint(0, 2, (2, PATCHES)),
        "everywhere": torch.ones(2, PATCHES),
    }
    q, k = queries(2)
    weights = shift(is_subject=is_subject[present].bool()).weights(q, k)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 2, PATCHES + 2))


def test_saam_equals_its_formula() -> None:
    q, k, v = queries()
    attend = shift(is_subject=torch.randint(0, 2, (2, PATCHES)).bool())
    logits = q @ k.mT / 2  # √4
    m = torch.zeros(2, 1, PATCHES + 2, PATCHES + 2).masked_fill(attend.hidden, -torch.inf)
    s, u, a = logits.softmax(-1), (logits + m).softmax(-1), attend.share
    torch.testing.assert_close(attend(q, k, v), (s * (1 - a)) @ v + (s * a) @ u @ v)
    torch.testing.assert_close(attend(q, k, v), attend.weights(q, k) @ v)


def test_under_u_the_human_token_sees_only_the_subject_and_itself() -> None:
    is_subject = torch.zeros(2, PATCHES, dtype=torch.bool)
    is_subject[:, [1, 4]] = True
    q, k = queries(2)
    n = PATCHES + 2
    all_shifted = SubjectShift(share=torch.ones(n, n), hidden=hidden_from_subject(is_subject))
    _, u = all_shifted._two(q, k)
    sees = (u > 0)[0, 0]
    assert sees[-1].nonzero().flatten().tolist() == [2, 5, n - 1]  # hmn: patches 1 and 4, and hmn
    assert sees[:, -1].nonzero().flatten().tolist() == [0, 2, 5, n - 1]  # hmn is seen by cls, them and itself
    assert sees[:-1, :-1].all()  # all else as ever


def test_saam_begins_at_nearly_plain_attention() -> None:
    model = model_with("saam")
    assert isinstance(model.subject, SubjectAttentionMask)
    share = model.subject.share_logit.sigmoid()
    torch.testing.assert_close(share, torch.full((3, PATCHES + 2, PATCHES + 2), SAAM_INITIAL_SHARE))


def test_saam_masks_the_first_layers_only() -> None:
    model = model_with("saam", saam_layers=2)
    tokens = torch.randn(1, 1 + PATCHES, 16)
    _, attend = model.subject(
        tokens, coverage=torch.ones(1, GRID, GRID), position_embedding=model.vision.position_embedding
    )
    assert [isinstance(how, SubjectShift) for how in attend] == [True, True, False]


def test_saam_learns_its_token_and_its_share() -> None:
    model = model_with("saam")
    model.encode_frames(torch.randn(2, 3, 24, 24), torch.rand(2, GRID, GRID).round()).sum().backward()
    for name, parameter in model.subject.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("subject", ["vanilla", "sap", "saam"])
def test_recorded_attention_is_what_the_model_does(subject: SubjectKind) -> None:
    model = model_with(subject)
    frames, coverage = torch.randn(2, 3, 24, 24), torch.rand(2, GRID, GRID).round()
    weights = model.attention(frames, coverage)
    n = PATCHES + (1 if subject == "vanilla" else 2)
    assert weights.shape == (3, 2, 2, n, n)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 2, 2, n))
    with torch.no_grad():
        tokens, _ = model._tokens(frames, coverage)
        tokens = model.vision.pre_norm(tokens)
        for block, recorded in zip(model.vision.transformer.blocks, weights, strict=True):
            qkv = block.attention.qkv(block.norm1(tokens))
            v = rearrange(qkv, "b n (three h d) -> three b h n d", three=3, h=2)[2]
            tokens = tokens + block.attention.out(rearrange(recorded @ v, "b h n d -> b n (h d)"))
            tokens = tokens + block.mlp(block.norm2(tokens))
        found = model.vision.pool(tokens)
        torch.testing.assert_close(found, model.encode_frames(frames, coverage), atol=1e-5, rtol=1e-5)
