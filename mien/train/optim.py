"""The optimiser and its schedule: AdamW over parameter groups, linear warm-up, cosine."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from mien.config import Config

PRESETS: dict[str, dict[str, Any]] = {
    # EmotionCLIP's released recipe, close to bias tuning: everything but gains and biases hardly moves. Its Adam betas
    # look swapped against CLIP's (0.9, 0.98); kept here, and only here.
    "paper": {
        "lr": 1e-8,
        "lr_gains_and_biases": 5e-5,
        "betas": [0.98, 0.9],
        "eps": 1e-6,
        "weight_decay": 0.1,
        "warmup_steps": 10_000,
        "final_lr": 1e-10,
        "clip_grad_norm": None,
    },
    # Training from random weights.
    "scratch": {"lr": 1e-3, "weight_decay": 0.1, "warmup_steps": 100},
}


class OptimConfig(Config):
    """AdamW. `preset: paper` or `scratch` fills in known recipes; keys beside it override the preset's.

    The defaults fine-tune pre-trained towers.
    """

    lr: float = Field(1e-5, gt=0)
    lr_gains_and_biases: float | None = Field(None, gt=0)
    """For parameters with fewer than two dimensions, the logit scale aside; the same as `lr` by default."""
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = Field(1e-6, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    """Not applied to gains, biases and the logit scale."""
    warmup_steps: int = Field(500, ge=0)
    final_lr: float = Field(0.0, ge=0)
    clip_grad_norm: float | None = Field(1.0, gt=0)
    """Over the parameters that are trained."""
    train: Literal["all", "gains_and_biases"] = "all"
    """`gains_and_biases` leaves all other weights, and the logit scale, as they are: what the published rate of 1e-8
    comes to, without computing their gradients. Start from pre-trained weights then."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "preset" not in data:
            return data
        if data["preset"] not in PRESETS:
            raise ValueError(f"preset {data['preset']!r} is not known; there are {', '.join(PRESETS)}")
        return PRESETS[data["preset"]] | {key: value for key, value in data.items() if key != "preset"}


def freeze_untrained(config: OptimConfig, model: nn.Module) -> None:
    """Takes the weights that `config.train` leaves out from training, so that nothing computes their gradients.

    A third of a step's arithmetic is gradients of weights. Gradients still flow through all layers, down to the first
    gain, so the other two thirds stay.
    """
    if config.train == "gains_and_biases":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and _is_gain_or_bias(name, parameter))


def _is_gain_or_bias(name: str, parameter: nn.Parameter) -> bool:
    """As published: fewer than two dimensions, the logit scale aside."""
    return parameter.ndim < 2 and not name.endswith("logit_scale")


def build_optimizer(config: OptimConfig, model: nn.Module) -> torch.optim.AdamW:
    """AdamW over three groups, of those parameters that are trained: weights, gains and biases, the logit scale."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    gains = [p for name, p in named if _is_gain_or_bias(name, p)]
    scales = [p for name, p in named if name.endswith("logit_scale")]
    weights = [p for name, p in named if p.ndim >= 2 and not name.endswith("logit_scale")]
    groups = [
        {"params": weights, "lr": config.lr, "weight_decay": config.weight_decay},
        {"params": gains, "lr": config.lr_gains_and_biases or config.lr, "weight_decay": 0.0},
        {"params": scales, "lr": config.lr, "weight_decay": 0.0},
    ]
    for group in groups:
        group["peak_lr"] = group["lr"]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], betas=config.betas, eps=config.eps, fused=True
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, config: OptimConfig, *, step: int, total_steps: int) -> None:
    """Each group's rate at a step: linear from 0 over the warm-up, then a cosine to `final_lr` at the end.

    The released code moves along the cosine once an epoch; ours does so at every step.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(group["peak_lr"], config, step=step, total_steps=total_steps)


def learning_rate(peak: float, config: OptimConfig, *, step: int, total_steps: int) -> float:
    if step < config.warmup_steps:
        return peak * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(1, total_steps - config.warmup_steps)
    return config.final_lr + (peak - config.final_lr) * (1 + math.cos(math.pi * min(1.0, share))) / 2
