"""MAE and the released UniEmoX in plain torch, from their checkpoints' names and shapes; they know nothing of mien.

Everything is read from the state dict by its released name.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    image: int = 32
    patch: int = 8
    width: int = 64
    layers: int = 2
    heads: int = 1
    decoder_width: int = 32
    decoder_layers: int = 2
    decoder_heads: int = 4

    @property
    def patches(self) -> int:
        return (self.image // self.patch) ** 2


def random_state(sizes: Sizes, *, decoder: bool = True, seed: int = 0) -> State:
    """A masked autoencoder with random weights; nothing is zero or one, so that nothing goes unnoticed."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return 0.2 * torch.randn(*shape, generator=generator)

    def linear(name: str, into: int, out: int) -> State:
        return {f"{name}.weight": draw(out, into), f"{name}.bias": draw(out)}

    def norm(name: str, width: int) -> State:
        return {f"{name}.weight": 1 + draw(width), f"{name}.bias": draw(width)}

    def blocks(name: str, width: int, layers: int) -> State:
        state: State = {}
        for each in (f"{name}.{i}" for i in range(layers)):
            state |= norm(f"{each}.norm1", width) | norm(f"{each}.norm2", width)
            state |= linear(f"{each}.attn.qkv", width, 3 * width) | linear(f"{each}.attn.proj", width, width)
            state |= linear(f"{each}.mlp.fc1", width, 4 * width) | linear(f"{each}.mlp.fc2", 4 * width, width)
        return state

    tokens, width = sizes.patches + 1, sizes.width
    state = {"cls_token": draw(1, 1, width), "pos_embed": draw(1, tokens, width)}
    state |= {"patch_embed.proj.weight": draw(width, 3, sizes.patch, sizes.patch), "patch_embed.proj.bias": draw(width)}
    state |= blocks("blocks", width, sizes.layers) | norm("norm", width)
    if decoder:
        width = sizes.decoder_width
        state |= {"mask_token": draw(1, 1, width), "decoder_pos_embed": draw(1, tokens, width)}
        state |= linear("decoder_embed", sizes.width, width) | blocks("decoder_blocks", width, sizes.decoder_layers)
        state |= norm("decoder_norm", width) | linear("decoder_pred", width, 3 * sizes.patch**2)
    return state


def random_fusion(width: int, *, seed: int = 1) -> State:
    """UniEmoX's fusion, whose layer norm is called `bn`."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"linear.weight": (width, width), "linear.bias": (width,), "bn.weight": (width,), "bn.bias": (width,)}
    return {name: torch.randn(*shape, generator=generator) for name, shape in shapes.items()}


def uniemox_checkpoint(state: State, fusion: State | None) -> dict[str, Any]:
    """As its pre-training saves it after each epoch, under DDP; without a fusion, as every hundredth."""
    beside = {"att_fusion": {f"module.{k}": v for k, v in fusion.items()}} if fusion else {"scaler": {"scale": 2.0**16}}
    model = {f"module.{k}" if fusion else k: v for k, v in state.items()}
    optimizer = {"state": {}, "param_groups": [{"lr": 1e-3, "params": [0, 1]}]}
    args = argparse.Namespace(model="mae_vit_large_patch16", mask_ratio=0.75, use_component=["mae_loss", "fusion"])
    return {"model": model, **beside, "optimizer": optimizer, "epoch": 200, "args": args}


def encode(state: State, pixels: Tensor, *, sizes: Sizes, seen: Tensor | None = None) -> Tensor:
    """`[cls]` and the patches that are seen ([b, m] indices; all by default), before the last norm."""
    patches = F.conv2d(pixels, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=sizes.patch)
    tokens = patches.flatten(2).mT + state["pos_embed"][:, 1:]
    if seen is not None:
        tokens = torch.stack([each[index] for each, index in zip(tokens, seen, strict=True)])
    cls = (state["cls_token"] + state["pos_embed"][:, :1]).expand(len(tokens), -1, -1)
    return through(state, "blocks", torch.cat([cls, tokens], dim=1), layers=sizes.layers, heads=sizes.heads)


def decode(state: State, encoded: Tensor, order: Tensor, *, sizes: Sizes) -> Tensor:
    """All patches' pixels, of what `encode` gives after the last norm, as MAE drops `[cls]`."""
    tokens = F.linear(encoded, state["decoder_embed.weight"], state["decoder_embed.bias"])
    whole = state["mask_token"].repeat(len(tokens), sizes.patches, 1)
    for picture, index in enumerate(order):
        for place, patch in enumerate(index[: tokens.shape[1] - 1]):
            whole[picture, patch] = tokens[picture, 1 + place]
    tokens = torch.cat([tokens[:, :1], whole], dim=1) + state["decoder_pos_embed"]
    tokens = through(state, "decoder_blocks", tokens, layers=sizes.decoder_layers, heads=sizes.decoder_heads)
    return F.linear(normed(state, "decoder_norm", tokens), state["decoder_pred.weight"], state["decoder_pred.bias"])[
        :, 1:
    ]


def fuse(fusion: State, scene: Tensor, person: Tensor) -> Tensor:
    a, b = (F.layer_norm(x, x.shape[-1:], fusion["bn.weight"], fusion["bn.bias"]) for x in (scene, person))
    return F.elu(F.linear(a + b, fusion["linear.weight"], fusion["linear.bias"]))


def normed(state: State, name: str, tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, tokens.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)


def through(state: State, name: str, tokens: Tensor, *, layers: int, heads: int) -> Tensor:
    for block in (f"{name}.{i}" for i in range(layers)):
        x = normed(state, f"{block}.norm1", tokens)
        qkv = F.linear(x, state[f"{block}.attn.qkv.weight"], state[f"{block}.attn.qkv.bias"])
        q, k, v = (each.unflatten(2, (heads, -1)).transpose(1, 2) for each in qkv.chunk(3, dim=2))
        weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        tokens = tokens + F.linear(mixed, state[f"{block}.attn.proj.weight"], state[f"{block}.attn.proj.bias"])
        x = normed(state, f"{block}.norm2", tokens)
        x = F.gelu(F.linear(x, state[f"{block}.mlp.fc1.weight"], state[f"{block}.mlp.fc1.bias"]))
        tokens = tokens + F.linear(x, state[f"{block}.mlp.fc2.weight"], state[f"{block}.mlp.fc2.bias"])
    return tokens
