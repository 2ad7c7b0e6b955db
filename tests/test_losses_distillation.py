"""UniEmoX's losses against loops, their zeros and symmetries, and gradients by differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.losses.distillation import (
    image_distillation_loss,
    patches_of,
    pictures_of,
    profile_distillation_loss,
    reconstruction_losses,
)


@pytest.fixture
def embeddings() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (5, 5, 9))  # type: ignore[return-value]


def test_image_loss_is_one_less_the_mean_cosine(embeddings: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, teacher, _ = embeddings
    cosines = [float(a @ b / (a.norm() * b.norm())) for a, b in zip(fused, teacher, strict=True)]
    assert float(image_distillation_loss(fused, teacher)) == pytest.approx(1 - sum(cosines) / 5)


def test_profile_loss_compares_likenesses_to_every_text(embeddings: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, teacher, text = embeddings
    cosines = []
    for own, others in zip(fused, teacher, strict=True):
        a = torch.stack([own @ each for each in text])
        b = torch.stack([others @ each for each in text])
        cosines.append(float(a @ b / (a.norm() * b.norm())))
    assert float(profile_distillation_loss(fused, teacher, text)) == pytest.approx(1 - sum(cosines) / 5)


def test_student_that_is_its_teacher_has_no_loss(embeddings: tuple[Tensor, Tensor, Tensor]) -> None:
    _, teacher, text = embeddings
    assert float(image_distillation_loss(3 * teacher, teacher)) == pytest.approx(0, abs=1e-12)
    assert float(profile_distillation_loss(teacher, 7 * teacher, text)) == pytest.approx(0, abs=1e-12)


def test_order_of_pictures_and_of_texts_does_not_matter(embeddings: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, teacher, text = embeddings
    order, of_texts = torch.randperm(5), torch.randperm(9)
    assert float(image_distillation_loss(fused[order], teacher[order])) == pytest.approx(
        float(image_distillation_loss(fused, teacher))
    )
    assert float(profile_distillation_loss(fused[order], teacher[order], text[of_texts])) == pytest.approx(
        float(profile_distillation_loss(fused, teacher, text))
    )


def test_parts_of_a_batch_mean_the_whole(embeddings: tuple[Tensor, Tensor, Tensor]) -> None:
    """Processes of one and four pictures, all with the texts of the whole batch."""
    fused, teacher, text = embeddings
    parts = [profile_distillation_loss(fused[rows], teacher[rows], text) for rows in (slice(0, 1), slice(1, 5))]
    assert float(parts[0] + 4 * parts[1]) / 5 == pytest.approx(float(profile_distillation_loss(fused, teacher, text)))


def test_gradients_are_those_of_differences(embeddings: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, teacher, text = embeddings
    fused.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: image_distillation_loss(x, teacher), (fused,))
    assert torch.autograd.gradcheck(lambda x: profile_distillation_loss(x, teacher, text), (fused,))
    is_masked = torch.tensor([[True, False], [True, True]])
    pixels, predicted = (torch.randn(2, 2, 3, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(
        lambda x: reconstruction_losses(x, pixels, is_masked).sum(), (predicted.requires_grad_(),)
    )


def test_reconstruction_counts_masked_patches_only_and_each_picture_by_itself() -> None:
    pixels, predicted = torch.randn(3, 4, 12), torch.randn(3, 4, 12)
    is_masked = torch.tensor([[True, True, False, False], [False, False, False, True], [False] * 4])
    found = reconstruction_losses(predicted, pixels, is_masked)
    assert float(found[0]) == pytest.approx(float(F.mse_loss(predicted[0, :2], pixels[0, :2])), rel=1e-5)
    assert float(found[1]) == pytest.approx(float(F.mse_loss(predicted[1, 3], pixels[1, 3])), rel=1e-5)
    assert found[2] == 0
    seen = predicted.clone()
    seen[~is_masked] += 9
    assert torch.equal(reconstruction_losses(seen, pixels, is_masked), found)


def test_patches_are_cut_row_by_row_and_put_together_again() -> None:
    pictures = torch.randn(2, 3, 6, 6)
    patches = patches_of(pictures, patch=2)
    assert patches.shape == (2, 9, 12)
    torch.testing.assert_close(patches[1, 5].reshape(2, 2, 3), pictures[1, :, 2:4, 4:6].permute(1, 2, 0))
    assert torch.equal(pictures_of(patches, patch=2), pictures)
