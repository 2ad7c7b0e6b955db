"""The released EmotionCLIP in plain torch, from the paper and the checkpoint's names; it knows nothing of mien.

Everything is read from the state dict by its released name; one attention, one block, one loop each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    embed: int = 32
    image: int = 32
    patch: int = 8
    vision: tuple[int, int] = (128, 2)  # width, layers
    text: tuple[int, int] = (64, 2)
    context: int = 12
    vocabulary: int = 100
    frames: int = 8
    temporal_layers: int = 2
    temporal_mlp: int = 48


def random_clip_state(sizes: Sizes, *, seed: int = 0) -> State:
    """A CLIP with random weights in OpenCLIP's names; nothing is zero or one, so that nothing goes unnoticed."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 0.2) -> Tensor:
        return scale * torch.randn(*shape, generator=generator)

    def norm(name: str, width: int) -> State:
        return {f"{name}.weight": 1 + draw(width), f"{name}.bias": draw(width)}

    def blocks(prefix: str, width: int, layers: int) -> State:
        state: State = {}
        for i in range(layers):
            block = f"{prefix}.resblocks.{i}"
            state |= norm(f"{block}.ln_1", width) | norm(f"{block}.ln_2", width)
            state |= {
                f"{block}.attn.in_proj_weight": draw(3 * width, width),
                f"{block}.attn.in_proj_bias": draw(3 * width),
                f"{block}.attn.out_proj.weight": draw(width, width),
                f"{block}.attn.out_proj.bias": draw(width),
                f"{block}.mlp.c_fc.weight": draw(4 * width, width),
                f"{block}.mlp.c_fc.bias": draw(4 * width),
                f"{block}.mlp.c_proj.weight": draw(width, 4 * width),
                f"{block}.mlp.c_proj.bias": draw(width),
            }
        return state

    (width, layers), (text_width, text_layers) = sizes.vision, sizes.text
    return {
        "positional_embedding": draw(sizes.context, text_width),
        "text_projection": draw(text_width, sizes.embed),
        "logit_scale": torch.tensor(3.7),
        "visual.class_embedding": draw(width),
        "visual.positional_embedding": draw((sizes.image // sizes.patch) ** 2 + 1, width),
        "visual.proj": draw(width, sizes.embed),
        "visual.conv1.weight": draw(width, 3, sizes.patch, sizes.patch),
        **norm("visual.ln_pre", width),
        **blocks("visual.transformer", width, layers),
        **norm("visual.ln_post", width),
        **blocks("transformer", text_width, text_layers),
        "token_embedding.weight": draw(sizes.vocabulary, text_width),
        **norm("ln_final", text_width),
    }


def random_released_state(sizes: Sizes, *, seed: int = 0) -> State:
    """What lies under "model" in a released checkpoint."""
    backbone = random_clip_state(sizes, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    state = {f"backbone.{name}": tensor for name, tensor in backbone.items()}
    layer = torch.nn.TransformerEncoderLayer(sizes.embed, 8, sizes.temporal_mlp)
    shapes = {name: tensor.shape for name, tensor in layer.state_dict().items()}
    for i in range(sizes.temporal_layers):
        for name, shape in shapes.items():
            state[f"visual_head.fusion_layer.layers.{i}.{name}"] = 0.3 * torch.randn(shape, generator=generator)
    for name in ("weight", "bias"):
        state[f"visual_head.fusion_layer.norm.{name}"] = 0.5 + torch.randn(sizes.embed, generator=generator)
    state["visual_head.frame_position_embedding.weight"] = torch.randn(sizes.frames, sizes.embed, generator=generator)
    state["visual_head.position_ids"] = torch.arange(sizes.frames)
    state["logit_scale"] = state["backbone.logit_scale"]
    return state


@torch.no_grad()
def encode_frames(state: State, frames: Tensor, masks: Tensor, *, heads: int) -> Tensor:
    """Frames `[n, 3, h, w]`, 0/1 pixel masks `[n, h, w]` → `[n, e]`."""
    visual = {n.removeprefix("backbone.visual."): t for n, t in state.items() if n.startswith("backbone.visual.")}
    patch = visual["conv1.weight"].shape[-1]
    patches = F.conv2d(frames, visual["conv1.weight"], stride=patch).flatten(2).transpose(1, 2)  # n p d
    cls = visual["class_embedding"].expand(len(frames), 1, -1)
    tokens = torch.cat([cls, patches], dim=1) + visual["positional_embedding"]
    human = torch.zeros(len(frames), 1, tokens.shape[-1])
    grid = frames.shape[-1] // patch
    for n in range(len(frames)):
        for row in range(grid):
            for column in range(grid):
                area = masks[n, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
                human[n, 0] += area.mean() * visual["positional_embedding"][1 + row * grid + column]
    tokens = _norm(torch.cat([tokens, human], dim=1), visual, "ln_pre")
    tokens = _pre_norm_blocks(tokens, visual, heads=heads)
    return _norm(tokens[:, 0], visual, "ln_post") @ visual["proj"]


@torch.no_grad()
def encode_video(state: State, video: Tensor, masks: Tensor, *, heads: int) -> Tensor:
    """Clips `[b, t, 3, h, w]`, masks `[b, t, h, w]` → `[b, e]`: mean_t(Enc(f_t + p_t) + f_t), 8 heads, post-norm."""
    frames = encode_frames(state, video.flatten(0, 1), masks.flatten(0, 1), heads=heads)
    frames = frames.unflatten(0, video.shape[:2])
    return fuse(state, frames, "visual_head.fusion_layer", state["visual_head.frame_position_embedding.weight"])


@torch.no_grad()
def fuse(state: State, frames: Tensor, prefix: str, positions: Tensor) -> Tensor:
    x = frames + positions[: frames.shape[1]]
    layers = 1 + max(int(n.split(".layers.")[1].split(".")[0]) for n in state if n.startswith(f"{prefix}.layers."))
    for i in range(layers):
        own = {n.removeprefix(f"{prefix}.layers.{i}."): t for n, t in state.items()}
        attended = _attention(x, own, "self_attn", heads=8)
        x = _norm(x + attended, own, "norm1")
        hidden = F.gelu(F.linear(x, own["linear1.weight"], own["linear1.bias"]))
        x = _norm(x + F.linear(hidden, own["linear2.weight"], own["linear2.bias"]), own, "norm2")
    x = _norm(x, state, f"{prefix}.norm")
    return (x + frames).mean(dim=1)


@torch.no_grad()
def encode_text(
    state: State, token_ids: Tensor, *, heads: int, activation: Callable[[Tensor], Tensor] = F.gelu
) -> Tensor:
    """Token ids `[b, context]`, read at the largest id → `[b, e]`."""
    text = {n.removeprefix("backbone."): t for n, t in state.items()}
    tokens = text["token_embedding.weight"][token_ids] + text["positional_embedding"][: token_ids.shape[1]]
    tokens = _pre_norm_blocks(tokens, text, heads=heads, causal=True, activation=activation)
    tokens = _norm(tokens, text, "ln_final")
    return tokens[torch.arange(len(tokens)), token_ids.argmax(dim=1)] @ text["text_projection"]


def _pre_norm_blocks(
    tokens: Tensor,
    state: State,
    *,
    heads: int,
    causal: bool = False,
    activation: Callable[[Tensor], Tensor] = F.gelu,
) -> Tensor:
    i = 0
    while f"transformer.resblocks.{i}.ln_1.weight" in state:
        prefix = f"transformer.resblocks.{i}."
        own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
        tokens = tokens + _attention(_norm(tokens, own, "ln_1"), own, "attn", heads=heads, causal=causal)
        hidden = activation(F.linear(_norm(tokens, own, "ln_2"), own["mlp.c_fc.weight"], own["mlp.c_fc.bias"]))
        tokens = tokens + F.linear(hidden, own["mlp.c_proj.weight"], own["mlp.c_proj.bias"])
        i += 1
    return tokens


def _attention(x: Tensor, state: State, name: str, *, heads: int, causal: bool = False) -> Tensor:
    batch, length, width = x.shape
    qkv = F.linear(x, state[f"{name}.in_proj_weight"], state[f"{name}.in_proj_bias"])
    q, k, v = (part.view(batch, length, heads, width // heads).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    if causal:
        scores = scores + torch.full((length, length), -torch.inf).triu(1)
    mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(batch, length, width)
    return F.linear(mixed, state[f"{name}.out_proj.weight"], state[f"{name}.out_proj.bias"])


def _norm(x: Tensor, state: State, name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])
