"""UniEmoX as a method: its loss is its parts' sum, exact in micro-batches and processes; its teacher stays apart."""

from __future__ import annotations

import contextlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import released
import torch
import torch.nn.functional as F
from gradients import assert_same_gradients, gradients
from processes import start_joined
from pydantic import ValidationError
from tiny_views import TEACHER, build, teacher, views_batch, views_config
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mien import distributed
from mien.convert import convert
from mien.losses import (
    image_distillation_loss,
    patches_of,
    profile_distillation_loss,
    reconstruction_losses,
)
from mien.media.transforms import NORMALIZATION, Preprocess
from mien.methods.teacher import Teacher
from mien.models.fusion import Fusion
from mien.models.mae import encode_seen, masked_of
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.train.gradient_cache import cached_backward, clips_of
from mien.types import ClipBatch, MienError


def test_loss_is_the_weighted_sum_of_losses_called_by_hand() -> None:
    method, batch = build(profile_weight=0.5, image_weight=2.0), views_batch()
    pixels = method.config.preprocess.normalize(batch.frames[:, 0])
    order = batch.patch_order[:, 0]
    scene = encode_seen(method.model.vision, pixels, order, num_seen=4)
    person = encode_seen(
        method.model.vision, method.config.preprocess.normalize(batch.person), batch.patch_order[:, 1], num_seen=4
    )
    assert method.fusion is not None
    fused = method.fusion(method.decoder.from_encoder(scene[:, 0]), method.decoder.from_encoder(person[:, 0]))
    assert method.teacher is not None
    image = method.teacher.of_pictures(batch.frames[:, 0], batch.boxes[:, 0])
    text = method.teacher.of_texts(batch.token_ids)
    rebuilt = method.decoder(scene, order)
    parts = {
        "loss_profile": profile_distillation_loss(fused, image, text),
        "loss_image": image_distillation_loss(fused, image),
        "loss_reconstruction": reconstruction_losses(
            rebuilt, patches_of(pixels, patch=4), masked_of(order, num_seen=4)
        ).mean(),
    }
    output = method(batch)
    for name, part in parts.items():
        torch.testing.assert_close(output.logs[name], part.detach(), msg=name)
    expected = 0.5 * parts["loss_profile"] + 2.0 * parts["loss_image"] + parts["loss_reconstruction"]
    torch.testing.assert_close(output.loss, expected)
    assert output.logs["has_person"] == pytest.approx(float(batch.has_person.float().mean()))


def test_student_that_is_its_teacher_loses_nothing() -> None:
    method, batch = build(reconstruction_weight=0), views_batch()
    embeddings = method.embeddings(batch)
    output = method.objective(embeddings | {"fused": 3 * embeddings["teacher"]})
    assert float(output.loss) == pytest.approx(0, abs=1e-6)


def test_order_of_the_batch_does_not_matter() -> None:
    method, batch = build(), views_batch()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved: dict[str, Any] = {
        f.name: value[order] for f in fields(batch) if isinstance(value := getattr(batch, f.name), Tensor)
    }
    turned = replace(batch, **moved, ids=tuple(batch.ids[i] for i in order))
    torch.testing.assert_close(method(turned).loss, method(batch).loss)


@pytest.mark.parametrize(
    ("changes", "losses"),
    [
        ({"profile_weight": 0}, {"loss_image", "loss_reconstruction"}),
        ({"image_weight": 0}, {"loss_profile", "loss_reconstruction"}),
        ({"reconstruction_weight": 0}, {"loss_profile", "loss_image"}),
        ({"profile_weight": 0, "image_weight": 0, "teacher": None}, {"loss_reconstruction"}),
    ],
)
def test_terms_can_be_left_out(changes: dict[str, Any], losses: set[str]) -> None:
    method, batch = build(**changes), views_batch()
    output = method(batch)
    assert {name for name in output.logs if name.startswith("loss_")} == losses
    output.loss.backward()
    idle = [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []  # DDP waits for every gradient


def test_teacher_sees_clips_normalisation_and_its_own_size() -> None:
    frames = views_batch().frames[:, 0]
    small, seen = teacher(image_size=8), list[Tensor]()
    encode = small.model.encode_frames
    small.model.encode_frames = lambda pixels, covered: seen.append(pixels) or encode(pixels, covered)  # type: ignore[func-returns-value]
    small.of_pictures(frames, torch.zeros(len(frames), 1, 4))
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in NORMALIZATION["clip"])
    expected = F.interpolate((frames / 255 - mean) / std, size=(8, 8), mode="bilinear", antialias=True)
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-5)


def test_any_clip_that_is_converted_teaches(tmp_path: Path) -> None:
    sizes = released.Sizes(vocabulary=49408)  # CLIP's tokenizer comes with it
    state = released.random_clip_state(sizes)
    torch.save(state, tmp_path / "clip.pt")
    convert(tmp_path / "clip.pt", tmp_path / "clip")
    told = Teacher.load(str(tmp_path / "clip"))
    assert told.tokenizer is not None
    token_ids = told.tokenizer.encode(["a happy man", "rain"], context_length=sizes.context)
    expected = F.normalize(released.encode_text(state, token_ids, heads=1), dim=-1)
    torch.testing.assert_close(told.of_texts(token_ids), expected, rtol=0, atol=1e-4)
    assert told.of_pictures(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.zeros(2, 1, 4)).shape == (
        2,
        sizes.embed,
    )


def test_teacher_that_reads_subjects_is_told_of_the_person() -> None:
    """In its own pixels; where the scene's cut lost the person, the whole picture is the subject."""
    config = VideoClipConfig.model_validate({**TEACHER, "subject": "sap"})
    told = Teacher(VideoClip(config), preprocess=Preprocess(image_size=16), tokenizer=None)
    seen = list[Tensor]()
    encode = told.model.encode_frames
    told.model.encode_frames = lambda pixels, covered: seen.append(covered) or encode(pixels, covered)  # type: ignore[func-returns-value]
    frames = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    boxes = torch.tensor([[0.0, 0, 16, 32], [-9, 0, -1, 32], [0, 0, 0, 0]])[:, None]
    embedded = told.of_pictures(frames, boxes)
    assert seen[0].tolist() == [[[1, 0], [1, 0]], [[1, 1], [1, 1]], [[1, 1], [1, 1]]]
    whole = told.of_pictures(frames, torch.zeros_like(boxes))
    torch.testing.assert_close(embedded[1:], whole[1:])
    assert not torch.allclose(embedded[0], whole[0])


def test_teacher_is_no_part_of_the_method() -> None:
    method = build()
    assert not [name for name in method.state_dict() if name.startswith("teacher")]
    assert [name for name in method.state_dict() if name.startswith("fusion.")]  # the released checkpoints lack it
    assert method.teacher is not None
    before = {name: w.clone() for name, w in method.teacher.model.state_dict().items()}
    optimizer = torch.optim.SGD(method.parameters(), lr=1.0)
    method(views_batch()).loss.backward()
    optimizer.step()
    assert all(torch.equal(before[name], w) for name, w in method.teacher.model.state_dict().items())


def test_person_is_looked_at_through_the_same_encoder_by_a_mask_of_its_own() -> None:
    method, batch = build(reconstruction_weight=0), views_batch()
    fused = method.embeddings(batch)["fused"]
    other = method.embeddings(replace(batch, person=255 - batch.person))["fused"]
    assert not torch.allclose(fused, other)
    alone, none = build(fusion="none"), replace(batch, person=255 - batch.person)
    assert torch.equal(alone.embeddings(batch)["fused"], alone.embeddings(none)["fused"])


# ── fusion ───────────────────────────────────────────────────────────────────────────────────────


def test_fusions_are_their_formulas() -> None:
    torch.manual_seed(0)
    alpha, beta = torch.randn(3, 8), torch.randn(3, 8)
    a, b = F.layer_norm(alpha, (8,)), F.layer_norm(beta, (8,))
    for kind in ("figure", "elu", "none"):
        fusion = Fusion(kind, width=8, embed_dim=5)
        nn.init.normal_(fusion.bias)
        weight, bias = fusion.to_teacher.weight, fusion.bias
        found = fusion(alpha, None if kind == "none" else beta)
        if kind == "figure":
            assert fusion.prior is not None
            assert torch.equal(fusion.prior, torch.ones(8))
            nn.init.normal_(fusion.prior)
            torch.testing.assert_close(fusion(alpha, beta), (fusion.prior * a + b) @ weight.T + bias)
        elif kind == "elu":
            torch.testing.assert_close(found, F.elu((a + b) @ weight.T + bias))
            assert fusion.person_norm is fusion.scene_norm
        else:
            torch.testing.assert_close(found, alpha @ weight.T + bias)


# ── gradients in parts ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("micro_batch", [1, 4])
def test_micro_batches_give_loss_and_gradients_of_the_whole(micro_batch: int) -> None:
    """Which patches are masked travels with the batch, so that parts mask as the whole does."""
    whole, parts = build(), build()
    expected = whole(views_batch())
    expected.loss.backward()
    found = cached_backward(
        parts, views_batch(), micro_batch=micro_batch, device="cpu", autocast=contextlib.nullcontext
    )
    torch.testing.assert_close(found.loss, expected.loss.detach(), rtol=1e-5, atol=0)
    assert_same_gradients(gradients(parts), gradients(whole))


def test_accumulated_parts_scale_every_term_alike() -> None:
    """Without texts, by which pictures of a batch meet, the mean of two halves' gradients is the whole's."""
    whole, halves, batch = build(profile_weight=0), build(profile_weight=0), views_batch()
    whole(batch).loss.backward()
    for rows in (slice(0, 3), slice(3, 6)):
        (halves(clips_of(batch, rows)).loss / 2).backward()
    assert_same_gradients(gradients(halves), gradients(whole))


def backward(folder: Path) -> None:
    method = build()
    output = method(clips_of(views_batch(), distributed.own_rows(6 // distributed.world_size())))
    output.loss.backward()
    distributed.average_gradients(method.parameters())
    result = {"loss": distributed.mean(output.loss.detach()), "gradients": gradients(method)}
    torch.save(result, folder / f"{distributed.rank()}.pt")


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    start_joined(backward, tmp_path, world_size=2)
    whole = build()
    expected = whole(views_batch())
    expected.loss.backward()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["loss"] == pytest.approx(float(expected.loss.detach()), rel=1e-5)
        assert_same_gradients(found["gradients"], gradients(whole))


# ── settings and arithmetic ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": None}, "need a teacher: give method.teacher a model folder"),
        ({"profile_weight": 0, "image_weight": 0}, "nobody asks the teacher a teacher"),
        ({"profile_weight": 0, "image_weight": 0, "reconstruction_weight": 0}, "nothing is learnt"),
        ({"mask_ratio": 0.99}, "mask_ratio 0.99 leaves none of 16 patches to see"),
        ({"model": {"preset": "ViT-B/32"}}, r"wants model\.vision\.layout mae"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        views_config(**changes)


def test_batch_without_views_is_refused() -> None:
    batch = views_batch()
    plain = ClipBatch(**{f.name: getattr(batch, f.name) for f in fields(ClipBatch)})
    with pytest.raises(MienError, match=r"set data\.views"):
        build()(plain)


def test_encoder_reads_no_texts() -> None:
    with pytest.raises(MienError, match="reads no texts"):
        build().embed_text(torch.zeros(1, 3, dtype=torch.int64))


@pytest.mark.parametrize("changes", [{}, {"fusion": "none"}, {"reconstruction_weight": 0}])
def test_step_costs_what_torch_counts(changes: dict[str, Any]) -> None:
    method, batch = build(**changes), views_batch()
    with FlopCounterMode(display=False) as whole, sdpa_kernel(SDPBackend.MATH):
        method.embeddings(batch)
    assert method.teacher is not None
    with FlopCounterMode(display=False) as asked, sdpa_kernel(SDPBackend.MATH):
        method.teacher.of_pictures(batch.frames[:, 0], batch.boxes[:, 0])
        method.teacher.of_texts(batch.token_ids)
    trained = whole.get_total_flops() - asked.get_total_flops()
    counted = method.flops(batch)
    assert counted == pytest.approx(3 * trained + asked.get_total_flops(), rel=0.02)
