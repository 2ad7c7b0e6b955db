"""Fine-tuning on mixtures: the loss is shared between both labels; paths are dropped in training alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny import CONFIG, random_batch
from torch import Tensor

from mien.methods.emotionclip import subject_coverage
from mien.methods.supervised import Supervised
from mien.models.transformer import Transformer
from mien.models.video_clip import VideoClip
from mien.types import ClipBatch, LabelKind, MixedBatch


def build(labels: LabelKind, targets: Tensor) -> Supervised:
    torch.manual_seed(0)

    def embed(model: Any, batch: ClipBatch) -> Tensor:
        return model.encode_video(batch.frames.float() / 255, subject_coverage(batch, CONFIG.model))

    ids = [f"clip {i}" for i in range(8)]
    width = CONFIG.model.embed_dim
    return Supervised(
        VideoClip(CONFIG.model), embed=embed, width=width, num_outputs=3, labels=labels, ids=ids, targets=targets
    )


def mixed(batch: ClipBatch, share: Tensor) -> MixedBatch:
    partners = tuple(reversed(batch.ids))
    own = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return MixedBatch(**own, partner_ids=partners, share=share)


@pytest.mark.parametrize("labels", ["category", "scores", "vad"])
def test_loss_is_shared_between_both_labels(labels: LabelKind) -> None:
    generator = torch.Generator().manual_seed(1)
    targets = {
        "category": torch.randint(0, 3, (8,), generator=generator),
        "scores": torch.rand(8, 3, generator=generator) < 0.5,
        "vad": torch.randn(8, 3, generator=generator),
    }[labels]
    method, batch = build(labels, targets), random_batch(8)
    share = torch.rand(8, generator=generator)
    outputs = method.trained.outputs(method.embed(batch))
    loss_of = {
        "category": lambda row, target: F.cross_entropy(row, target),
        "scores": lambda row, target: F.binary_cross_entropy_with_logits(row, target.float()),
        "vad": lambda row, target: F.mse_loss(row, target),
    }[labels]
    by_hand = [
        share[i] * loss_of(outputs[i], targets[i]) + (1 - share[i]) * loss_of(outputs[i], targets[7 - i])
        for i in range(8)
    ]
    torch.testing.assert_close(method(mixed(batch, share)).loss, torch.stack(by_hand).mean())
    torch.testing.assert_close(method(mixed(batch, torch.ones(8))).loss, method(batch).loss)


def test_dropped_paths_leave_a_clip_s_tokens_as_they_were_and_the_mean_in_place() -> None:
    torch.manual_seed(0)
    tower = Transformer(width=8, layers=2, heads=2, mlp_width=16).train()
    tower.drop_paths(0.5)
    assert [block.drop_path for block in tower.blocks] == [0.0, 0.5]
    last, tokens = tower.blocks[1], torch.randn(1, 3, 8).expand(4000, 3, 8)
    with torch.no_grad():
        added = last._dropped(torch.ones_like(tokens))
        assert set(added.unique().tolist()) == {0.0, 2.0}
        assert (added == added[:, :1, :1]).all()  # a clip's tokens go together
        assert float(added.mean()) == pytest.approx(1, abs=0.1)
        tower.eval()
        once, again = tower(tokens[:2]), tower(tokens[:2])
    assert torch.equal(once, again)
