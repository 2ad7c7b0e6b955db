"""Parameter groups, the schedule in numbers, and the published recipe."""

from __future__ import annotations

import pytest
import torch
from tiny import CONFIG, random_batch
from torch import nn

from mien.methods import EmotionClipConfig
from mien.models.video_clip import VideoClipConfig
from mien.train.optim import OptimConfig, build_optimizer, freeze_untrained, learning_rate, set_learning_rate

PAPER = OptimConfig.model_validate({"preset": "paper"})


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.norm = nn.LayerNorm(3)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))


def test_weights_gains_and_scale_have_their_own_rates_and_decay() -> None:
    model = Small()
    config = OptimConfig(lr=1e-3, lr_gains_and_biases=1e-2, weight_decay=0.2)
    weights, gains, scale = build_optimizer(config, model).param_groups
    assert [id(p) for p in weights["params"]] == [id(model.linear.weight)]
    assert {id(p) for p in gains["params"]} == {id(model.linear.bias), id(model.norm.weight), id(model.norm.bias)}
    assert [id(p) for p in scale["params"]] == [id(model.logit_scale)]
    assert [(g["lr"], g["weight_decay"]) for g in (weights, gains, scale)] == [(1e-3, 0.2), (1e-2, 0.0), (1e-3, 0.0)]


def test_every_parameter_of_the_method_is_in_exactly_one_group() -> None:
    model = VideoClipConfig.model_validate({"preset": "nano", "subject": "saam"})
    method = EmotionClipConfig(model=model).build()
    grouped = [id(p) for group in build_optimizer(OptimConfig(), method).param_groups for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in method.parameters()}


def test_paper_preset_is_the_published_recipe() -> None:
    assert (PAPER.betas, PAPER.eps, PAPER.weight_decay) == ((0.98, 0.9), 1e-6, 0.1)
    assert (PAPER.lr, PAPER.lr_gains_and_biases, PAPER.final_lr) == (1e-8, 5e-5, 1e-10)
    assert PAPER.warmup_steps == 10_000
    weights, gains, scale = build_optimizer(PAPER, Small()).param_groups
    assert [g["lr"] for g in (weights, gains, scale)] == [1e-8, 5e-5, 1e-8]
    assert OptimConfig().betas == (0.9, 0.98)


def test_own_keys_win_over_the_preset() -> None:
    assert OptimConfig.model_validate({"preset": "paper", "lr": 1e-4}).lr == 1e-4
    with pytest.raises(ValueError, match="preset 'papre' is not known; there are paper, scratch"):
        OptimConfig.model_validate({"preset": "papre"})


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (6, 0.9045), (9, 0.5), (14, 0.0), (20, 0.0)],
)
def test_schedule_warms_up_and_falls_along_a_cosine(step: int, expected: float) -> None:
    config = OptimConfig(warmup_steps=4, lr=1.0)
    config = config.model_copy(update={"final_lr": 0.0})
    assert learning_rate(1.0, config, step=step, total_steps=14) == pytest.approx(expected, abs=1e-4)


def test_schedule_ends_at_the_final_rate_and_keeps_the_groups_apart() -> None:
    optimizer = build_optimizer(PAPER, Small())
    set_learning_rate(optimizer, PAPER, step=20_000, total_steps=20_000)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([1e-10] * 3)
    set_learning_rate(optimizer, PAPER, step=4_999, total_steps=20_000)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([5e-9, 2.5e-5, 5e-9])


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(0.1, OptimConfig(warmup_steps=0), step=0, total_steps=10) == pytest.approx(0.1)


def test_only_gains_and_biases_get_gradients_where_only_they_are_trained() -> None:
    method = CONFIG.build()
    freeze_untrained(OptimConfig(train="gains_and_biases"), method)
    method(random_batch()).loss.backward()
    has_gradient = {name for name, p in method.named_parameters() if p.grad is not None}
    assert has_gradient == {n for n, p in method.named_parameters() if p.ndim < 2 and not n.endswith("logit_scale")}
    assert "model.vision.transformer.blocks.0.norm1.weight" in has_gradient
    optimizer = build_optimizer(OptimConfig(train="gains_and_biases"), method)
    assert [len(group["params"]) for group in optimizer.param_groups] == [len(has_gradient)]


def test_frozen_weights_train_as_weights_with_a_rate_of_zero() -> None:
    def losses(config: OptimConfig) -> list[float]:
        torch.manual_seed(0)
        method = CONFIG.build()
        freeze_untrained(config, method)
        optimizer = build_optimizer(config, method)
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 if all(p.ndim == 1 for p in group["params"]) else 0.0
        values = []
        for step in range(12):
            loss = method(random_batch(seed=step % 3)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            values.append(loss.item())
        return values

    frozen = losses(OptimConfig(train="gains_and_biases"))
    assert frozen == pytest.approx(losses(OptimConfig(train="all")), rel=1e-6)
    assert sum(frozen[-3:]) < sum(frozen[:3])
