"""Rates that decay by layer, as an MAE encoder is fine-tuned: the published formula, layer by layer."""

from __future__ import annotations

import re

import pytest
import torch
from tiny_views import ENCODER

from mien.models.layer_depth import head_depth, layer_depths
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.train.layer_decay import build_decayed_optimizer
from mien.train.optim import OptimConfig, set_learning_rate

LR, DECAY, LAYERS = 5e-4, 0.75, 12


def published_rate(name: str) -> float:
    """MAE's `param_groups_lrd`, written anew: layer ids from the pixels, 0, to norm and head, LAYERS + 1."""
    if found := re.search(r"blocks\.(\d+)\.", name):
        layer_id = int(found[1]) + 1
    elif name.startswith(("model.vision.class_embedding", "model.vision.patch_embedding")):
        layer_id = 0
    else:
        layer_id = LAYERS + 1
    return LR * DECAY ** (LAYERS + 1 - layer_id)


@pytest.fixture
def optimizer() -> tuple[torch.optim.AdamW, dict[int, str]]:
    """Of an encoder of twelve layers with a head, and the parameters' names by their identity."""
    config = VideoClipConfig.model_validate(ENCODER | {"vision": ENCODER["vision"] | {"layers": LAYERS}})  # type: ignore[operator]
    model, head = VideoClip(config), torch.nn.Linear(16, 6)
    depths = layer_depths(model)
    named = [(f"model.{name}", p) for name, p in model.named_parameters() if p.requires_grad and name in depths]
    named += [(f"head.{name}", p) for name, p in head.named_parameters()]
    of_all = {f"model.{name}": depth for name, depth in depths.items()}
    of_all |= {f"head.{name}": head_depth(depths) for name, _ in head.named_parameters()}
    built = build_decayed_optimizer(named, depths=of_all, lr=LR, weight_decay=0.05, layer_decay=DECAY)
    return built, {id(p): name for name, p in named}


def test_every_layer_has_the_rate_that_the_published_formula_gives(
    optimizer: tuple[torch.optim.AdamW, dict[int, str]],
) -> None:
    built, names = optimizer
    rates = {names[id(p)]: group["lr"] for group in built.param_groups for p in group["params"]}
    assert rates == pytest.approx({name: published_rate(name) for name in rates})
    assert rates["head.weight"] == rates["model.vision.post_norm.weight"] == LR
    assert rates["model.vision.transformer.blocks.11.mlp.up.weight"] == pytest.approx(LR * 0.75)
    assert rates["model.vision.patch_embedding.weight"] == pytest.approx(LR * 0.75**13)
    assert len(set(rates.values())) == LAYERS + 2
    decays = {names[id(p)]: group["weight_decay"] for group in built.param_groups for p in group["params"]}
    assert decays["model.vision.transformer.blocks.0.attention.qkv.weight"] == 0.05
    assert decays["model.vision.transformer.blocks.0.norm1.weight"] == decays["head.bias"] == 0.0


def test_schedule_scales_all_layers_alike(optimizer: tuple[torch.optim.AdamW, dict[int, str]]) -> None:
    built, names = optimizer
    schedule = OptimConfig(lr=LR, warmup_steps=10)
    for step, share in ((4, 0.5), (9, 1.0), (55, 0.5), (100, 0.0)):
        set_learning_rate(built, schedule, step=step, total_steps=100)
        rates = {names[id(p)]: group["lr"] for group in built.param_groups for p in group["params"]}
        assert rates == pytest.approx({name: share * published_rate(name) for name in rates})


def test_a_step_moves_each_layer_by_its_rate(optimizer: tuple[torch.optim.AdamW, dict[int, str]]) -> None:
    """Adam's first step is the rate itself, whatever the gradient's size; biases have no weight decay."""
    built, names = optimizer
    before = {id(p): p.detach().clone() for group in built.param_groups for p in group["params"]}
    for group in built.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    built.step()
    for group in built.param_groups:
        for p in group["params"]:
            if names[id(p)].endswith("bias"):
                moved = (before[id(p)] - p.detach()).mean().item()
                assert moved == pytest.approx(published_rate(names[id(p)]), rel=1e-3), names[id(p)]
