"""EmotionCLIP as a method: its loss is SNCE of its embeddings, its logs are what they say, training lowers it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from largest_tensor import LargestTensor
from tiny import CONFIG, random_batch

from mien.losses import info_nce_loss, sentiment_guided_contrastive_loss
from mien.methods import EmotionClip, EmotionClipConfig
from mien.models.video_clip import MAX_LOGIT_SCALE


@pytest.fixture
def method() -> EmotionClip:
    return CONFIG.build()


def test_loss_is_snce_of_the_embeddings(method: EmotionClip) -> None:
    batch = random_batch()
    video, text = F.normalize(method.embed(batch), dim=-1), F.normalize(method.embed_text(batch.token_ids), dim=-1)
    expected = sentiment_guided_contrastive_loss(
        video, text, logit_scale=1 / 0.07, sentiment_logits=batch.sentiment_logits, beta=1.0
    )
    torch.testing.assert_close(method(batch).loss, expected)


def test_beta_zero_is_clips_loss() -> None:
    method, batch = EmotionClipConfig(model=CONFIG.model, beta=0.0).build(), random_batch()
    video, text = F.normalize(method.embed(batch), dim=-1), F.normalize(method.embed_text(batch.token_ids), dim=-1)
    output = method(batch)
    torch.testing.assert_close(output.loss, info_nce_loss(video, text, logit_scale=1 / 0.07))
    assert output.logs["negatives_suppressed"] == 0


@pytest.mark.parametrize(("loss_chunk", "largest"), [(None, 64 * 64), (4, 64 * 63 // 2)])
def test_chunked_objective_makes_no_matrix_of_the_batch_with_itself(loss_chunk: int | None, largest: int) -> None:
    """Loss, gradients and logs of 64 clips; what is left is uniformity's pairs, of 1,024 embeddings at most."""
    method = CONFIG.model_copy(update={"loss_chunk": loss_chunk}).build()
    embeddings = {name: x.detach() for name, x in method.embeddings(random_batch(64)).items()}
    embeddings["video"].requires_grad_()
    with LargestTensor() as seen:
        method.objective(embeddings).loss.backward()
    assert seen.size == largest


@pytest.mark.parametrize("loss_chunk", [1, 3, 8])
def test_chunks_change_neither_loss_nor_logs(method: EmotionClip, loss_chunk: int) -> None:
    chunked = CONFIG.model_copy(update={"loss_chunk": loss_chunk}).build()
    chunked.load_state_dict(method.state_dict())
    found, expected = chunked(random_batch()), method(random_batch())
    torch.testing.assert_close(found.loss, expected.loss)
    assert found.logs.keys() == expected.logs.keys()
    for name, value in expected.logs.items():
        torch.testing.assert_close(found.logs[name], value, msg=name)


def test_logs_are_detached_and_within_bounds(method: EmotionClip) -> None:
    logs = method(random_batch()).logs
    assert not any(value.requires_grad for value in logs.values())
    assert float(logs["logit_scale"]) == pytest.approx(1 / 0.07)
    assert 0 <= logs["batch_accuracy"] <= 1
    assert 0 <= logs["negatives_suppressed"] < 1
    assert 0 <= logs["alignment"] <= 4
    assert -8 <= logs["uniformity_video"] <= 0
    assert -8 <= logs["uniformity_text"] <= 0


def test_equal_sentiments_suppress_all_negatives(method: EmotionClip) -> None:
    batch = replace(random_batch(4), sentiment_logits=torch.zeros(4, 7))
    output = method(batch)
    assert float(output.logs["negatives_suppressed"]) == pytest.approx(12 / 16)
    assert float(output.loss.detach()) == pytest.approx(0.0, abs=1e-6)


def test_every_parameter_gets_a_gradient(method: EmotionClip) -> None:
    method(random_batch()).loss.backward()
    assert [name for name, p in method.named_parameters() if p.grad is None] == []


def test_subject_reaches_the_loss(method: EmotionClip) -> None:
    batch = random_batch()
    nobody = replace(batch, boxes=torch.zeros_like(batch.boxes))
    assert not torch.equal(method.embed(batch), method.embed(nobody))


def test_logit_scale_stays_below_a_hundred(method: EmotionClip) -> None:
    with torch.no_grad():
        method.model.logit_scale.fill_(9.0)
    method.after_step()
    assert float(method.model.logit_scale.detach()) == pytest.approx(MAX_LOGIT_SCALE) == math.log(100)


def test_batch_in_bfloat16_gives_nearly_the_same_finite_loss(method: EmotionClip) -> None:
    batch = random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = method(batch)
    output.loss.backward()
    assert output.loss.dtype == torch.float32
    torch.testing.assert_close(output.loss, method(batch).loss, atol=0.1, rtol=0.05)
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_a_batch_can_be_learnt_by_heart(method: EmotionClip) -> None:
    batch = random_batch()
    optimizer = torch.optim.AdamW(method.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = method(batch).loss
        loss.backward()
        optimizer.step()
        method.after_step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    assert method(batch).logs["batch_accuracy"] == 1
