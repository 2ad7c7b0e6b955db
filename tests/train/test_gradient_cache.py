"""Micro-batches give the loss and gradients of the whole batch: with dropout, chunks, bfloat16 and processes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import start_joined
from tiny import CONFIG, part_of, random_batch
from torch import Tensor, nn

from mien import distributed
from mien.methods import EmotionClip, EmotionClipConfig
from mien.train.gradient_cache import Autocast, cached_backward, clips_of
from mien.types import StepOutput


def with_dropout(share: float) -> EmotionClipConfig:
    model = CONFIG.model.model_copy(update={"temporal": CONFIG.model.temporal.model_copy(update={"dropout": share})})
    return CONFIG.model_copy(update={"model": model})


def build(config: EmotionClipConfig = CONFIG) -> EmotionClip:
    torch.manual_seed(0)
    return config.build().train()


def float32() -> contextlib.AbstractContextManager:
    return contextlib.nullcontext()


def bfloat16() -> contextlib.AbstractContextManager:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def cached(
    method: EmotionClip, *, micro_batch: int, size: int = 8, autocast: Autocast = float32, share: float = 1.0
) -> StepOutput:
    torch.manual_seed(1)
    return cached_backward(
        method, random_batch(size), micro_batch=micro_batch, device="cpu", autocast=autocast, share=share
    )


def gradients(method: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


def assert_same_gradients(found: dict[str, Tensor], expected: dict[str, Tensor], *, tolerance: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(found[name], gradient, atol=tolerance * size, rtol=0, msg=name)


@pytest.mark.slow
@settings(deadline=None, max_examples=12)
@given(micro_batch=st.integers(1, 9), chunk=st.sampled_from([None, 1, 3]))
def test_micro_batches_give_loss_logs_and_gradients_of_the_whole(micro_batch: int, chunk: int | None) -> None:
    whole = build()
    expected = whole(random_batch())
    expected.loss.backward()
    method = build(CONFIG.model_copy(update={"loss_chunk": chunk}))
    found = cached(method, micro_batch=micro_batch)
    assert float(found.loss) == pytest.approx(float(expected.loss.detach()), abs=1e-5)
    assert {k: float(v) for k, v in found.logs.items()} == pytest.approx(
        {k: float(v) for k, v in expected.logs.items()}, abs=1e-5
    )
    assert_same_gradients(gradients(method), gradients(whole))
    assert "model.logit_scale" in gradients(method)
    assert not found.loss.requires_grad


def test_without_the_other_micro_batches_negatives_the_gradients_would_be_others() -> None:
    """What `accumulate` computes: it must differ, or the tests above show nothing."""
    whole, parts = build(), build()
    whole(random_batch()).loss.backward()
    for rows in (slice(0, 4), slice(4, 8)):
        (parts(part_of(random_batch(), rows)).loss / 2).backward()
    difference = gradients(whole)["model.vision.projection"] - gradients(parts)["model.vision.projection"]
    assert float(difference.abs().max()) > 0.1


def test_dropout_draws_the_same_numbers_in_both_passes() -> None:
    """The reference keeps every micro-batch's graph, so it draws once."""
    reference = build(with_dropout(0.5))
    torch.manual_seed(1)
    batch = random_batch()
    parts = [reference.embeddings(part_of(batch, slice(i, i + 3))) for i in (0, 3, 6)]
    expected = reference.objective({name: torch.cat([part[name] for part in parts]) for name in parts[0]})
    expected.loss.backward()
    after = torch.rand(3)
    method = build(with_dropout(0.5))
    found = cached(method, micro_batch=3)
    assert torch.equal(found.loss, expected.loss.detach())
    assert_same_gradients(gradients(method), gradients(reference))
    assert torch.equal(torch.rand(3), after)  # what follows draws as if nothing had been drawn twice


def test_dropout_drawn_anew_would_give_other_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    method, forgetful = build(with_dropout(0.5)), build(with_dropout(0.5))
    cached(method, micro_batch=3)
    monkeypatch.setattr("mien.train.gradient_cache._set_random_state", lambda state, device: None)
    cached(forgetful, micro_batch=3)
    name = "model.vision.projection"
    assert not torch.allclose(gradients(method)[name], gradients(forgetful)[name], atol=1e-3)


def test_bfloat16_computes_both_passes_alike() -> None:
    reference, method = build(), build()
    with bfloat16():
        parts = [reference.embeddings(part_of(random_batch(), slice(i, i + 4))) for i in (0, 4)]
        expected = reference.objective({name: torch.cat([part[name] for part in parts]) for name in parts[0]})
    expected.loss.backward()
    found = cached(method, micro_batch=4, autocast=bfloat16)
    assert torch.equal(found.loss, expected.loss.detach())
    assert_same_gradients(gradients(method), gradients(reference), tolerance=0.02)


def test_gradients_are_added_by_their_share() -> None:
    once, twice = build(), build()
    cached(once, micro_batch=3)
    for _ in range(2):
        cached(twice, micro_batch=3, share=0.5)
    assert_same_gradients(gradients(twice), gradients(once))


def test_frozen_parameters_get_no_gradient() -> None:
    method = build()
    method.model.text.requires_grad_(False)
    cached(method, micro_batch=3)
    found = gradients(method)
    assert not [name for name in found if name.startswith("model.text.")]
    assert "model.vision.projection" in found


def test_no_graph_holds_more_than_a_micro_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    method, with_graph = build(), []
    embeddings = method.embeddings

    def counted(batch):  # type: ignore[no-untyped-def]
        assert len(batch.ids) <= 3
        with_graph.append(torch.is_grad_enabled())
        return embeddings(batch)

    monkeypatch.setattr(method, "embeddings", counted)
    cached(method, micro_batch=3)
    assert with_graph == [False, False, True, True, True]


def test_some_clips_of_a_batch_are_cut_from_every_field() -> None:
    batch = random_batch()
    part = clips_of(batch, slice(2, 5))
    assert part.ids == batch.ids[2:5]
    assert torch.equal(part.frames, batch.frames[2:5])
    assert torch.equal(part.sentiment_logits, batch.sentiment_logits[2:5])


GLOBAL_BATCH = 8


def backward_with_cache(folder: Path) -> None:
    own = distributed.own_rows(GLOBAL_BATCH // distributed.world_size())
    method = build(CONFIG.model_copy(update={"loss_chunk": 1}))
    output = cached_backward(method, part_of(random_batch(), own), micro_batch=1, device="cpu", autocast=float32)
    distributed.average_gradients(method.parameters())
    result = {
        "loss": distributed.mean(output.loss),
        "logs": {name: distributed.mean(value) for name, value in output.logs.items()},
        "gradients": gradients(method),
    }
    torch.save(result, folder / f"{distributed.rank()}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_with_micro_batches_and_chunks_equal_one_process_with_neither(
    world_size: int, tmp_path: Path
) -> None:
    start_joined(backward_with_cache, tmp_path, world_size=world_size)
    whole = build()
    expected = whole(random_batch())
    expected.loss.backward()
    for rank in range(world_size):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["loss"] == pytest.approx(float(expected.loss.detach()), abs=1e-5)
        assert found["logs"] == pytest.approx({k: float(v) for k, v in expected.logs.items()}, abs=1e-5)
        assert_same_gradients(found["gradients"], gradients(whole))
