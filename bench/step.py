"""A training step on the CPU against the same network written with nn.MultiheadAttention: seconds, and what each part
of the difference buys; as JSON.

    python bench/step.py                               # ViT-B/32, four clips of eight frames: two minutes of one core
    python bench/step.py --preset ViT-B/16 --clips 1
    python bench/step.py --compile                     # and as torch.compile makes it: some minutes more

The baseline has the same sizes and arithmetic: towers as OpenCLIP writes them (`nn.MultiheadAttention`, sequence first,
a mask of numbers for the text), texts padded to 77 tokens, every weight's gradient, AdamW in a loop over parameters.
Then, one after the other: our towers, whose last block computes what is read of it; texts as long as the batch's
longest; AdamW fused; gains and biases alone trained; and bfloat16, which is no longer the same arithmetic. Apart from
these, what `AdamW fused` becomes with activations computed twice to save their memory, and compiled. `predicted` is the
ratio to the baseline by arithmetic alone (matrix products forward, for the inputs' and for the weights' gradients),
where writing it otherwise, fusing AdamW or fewer bits buy nothing.

All take turns in one process. Times are its CPU seconds, of one thread by default, so that neighbours count little: the
least of `--rounds`, each after two steps that do not count.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mien.methods import EmotionClipConfig
from mien.methods.flops import block_forward_flops, text_forward_flops, video_forward_flops
from mien.models.transformer import Transformer
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.models.vit import VisionConfig
from mien.train.optim import OptimConfig, build_optimizer, freeze_untrained
from mien.types import ClipBatch

CONTEXT, TOKENS, NUM_FRAMES, END = 77, 16, 8, 49407
"""Sixteen tokens: the longest of a batch of utterances, which have about ten words."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="ViT-B/32")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="a step made by torch.compile too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = EmotionClipConfig(model=VideoClipConfig.model_validate({"preset": args.preset}))
    variants = {
        "baseline": Variant(written="torch", tokens=CONTEXT, fused=False, train="all"),
        "our towers": Variant(written="mien", tokens=CONTEXT, fused=False, train="all"),
        "text trimmed": Variant(written="mien", tokens=TOKENS, fused=False, train="all"),
        "AdamW fused": Variant(written="mien", tokens=TOKENS, fused=True, train="all"),
        "gains and biases": Variant(written="mien", tokens=TOKENS, fused=True, train="gains_and_biases"),
        "the same in bfloat16": Variant(
            written="mien", tokens=TOKENS, fused=True, train="gains_and_biases", bfloat16=True
        ),
        "activations twice": Variant(written="mien", tokens=TOKENS, fused=True, train="all", checkpointing=True),
    }
    if args.compile:
        variants["compiled"] = Variant(written="mien", tokens=TOKENS, fused=True, train="all", compiled=True)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(args.rounds):
        for name, variant in variants.items():  # one at a time: each holds weights, gradients and moments
            seconds[name].append(time_step(build_step(config, variant, clips=args.clips)))
    least = {name: min(values) for name, values in seconds.items()}
    baseline_flops = step_flops(config.model, variants["baseline"])
    for name, variant in variants.items():
        row = {
            "step": name,
            "cpu_s": round(least[name], 2),
            "measured": round(least["baseline"] / least[name], 2),
            "predicted": round(baseline_flops / step_flops(config.model, variant), 2),
            "gflops_per_s": round(args.clips * step_flops(config.model, variant) / least[name] / 1e9),
        }
        print(json.dumps(row), flush=True)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way of doing the step."""

    written: str
    tokens: int
    fused: bool
    train: str
    bfloat16: bool = False
    checkpointing: bool = False
    compiled: bool = False


def time_step(step: Callable[[], object]) -> float:
    """CPU seconds of the third step: in the second, memory is still asked for, page by page, an eighth of its time."""
    step()
    step()
    begin = time.process_time()
    step()
    return time.process_time() - begin


def build_step(config: EmotionClipConfig, variant: Variant, *, clips: int) -> Callable[[], object]:
    torch.manual_seed(0)
    method = config.model_copy(update={"checkpointing": variant.checkpointing}).build()
    if variant.compiled:
        method.model.compile_towers()
    if variant.written == "torch":
        written_with_multihead_attention(method.model)
    optim = OptimConfig.model_validate({"preset": "paper", "train": variant.train})
    freeze_untrained(optim, method)
    optimizer = build_optimizer(optim, method)
    if not variant.fused:
        groups = [{k: g[k] for k in ("params", "lr", "weight_decay")} for g in optimizer.param_groups]
        optimizer = torch.optim.AdamW(groups, betas=optim.betas, eps=optim.eps, foreach=False)
    batch = random_batch(clips, config.model.vision.image_size, tokens=variant.tokens)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=variant.bfloat16):
            output = method(batch)
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def random_batch(clips: int, size: int, *, tokens: int) -> ClipBatch:
    generator = torch.Generator().manual_seed(0)
    token_ids = torch.full((clips, tokens), END)
    token_ids[:, : TOKENS - 1] = torch.randint(0, END - 1, (clips, TOKENS - 1), generator=generator)
    return ClipBatch(
        frames=torch.randint(0, 256, (clips, NUM_FRAMES, 3, size, size), dtype=torch.uint8, generator=generator),
        boxes=torch.tensor([0.2, 0.2, 0.7, 0.9]).mul(size).expand(clips, NUM_FRAMES, 1, 4),
        token_ids=token_ids,
        sentiment_logits=torch.randn(clips, 7, generator=generator),
        ids=tuple(str(i) for i in range(clips)),
    )


# ── the baseline ─────────────────────────────────────────────────────────────────────────────────


def written_with_multihead_attention(model: VideoClip) -> None:
    """Puts towers of the usual writing in place of ours; the rest of the network is the same."""
    model.vision.transformer = usual_tower(model.vision.transformer, causal=False)
    model.text.transformer = usual_tower(model.text.transformer, causal=True)


def usual_tower(tower: Transformer, *, causal: bool) -> UsualTower:
    first = tower.blocks[0]
    sizes = (first.attention.out.in_features, first.attention.heads, first.mlp.up.out_features)
    return UsualTower([UsualBlock(*sizes) for _ in tower.blocks], causal=causal)


class UsualTower(nn.Module):
    def __init__(self, blocks: list[UsualBlock], *, causal: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.causal = causal

    def forward(self, tokens: Tensor, *, attend: object, read: int | None = None) -> Tensor:
        """All tokens of every block, whichever are read."""
        tokens = tokens.permute(1, 0, 2)  # b n d -> n b d
        mask = torch.full((len(tokens), len(tokens)), -torch.inf).triu(1) if self.causal else None
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens.permute(1, 0, 2)[:, :read]


class UsualBlock(nn.Module):
    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


# ── the arithmetic ───────────────────────────────────────────────────────────────────────────────


def step_flops(config: VideoClipConfig, variant: Variant) -> float:
    """Of one clip: forward, and as much again for each of the inputs' and the weights' gradients."""
    passes = (3 if variant.train == "all" else 2) + variant.checkpointing
    video = video_forward_flops(config, num_frames=NUM_FRAMES)
    if variant.written == "torch":
        video += NUM_FRAMES * unread_flops(config.vision)
    return passes * (video + text_forward_flops(config, length=variant.tokens))


def unread_flops(vision: VisionConfig) -> float:
    """Of one frame: what the last block computes for the patches, which nobody reads."""
    block = functools.partial(
        block_forward_flops, tokens=vision.grid**2 + 2, width=vision.width, mlp_width=vision.mlp_width
    )
    return block() - block(read=1)


if __name__ == "__main__":
    main()
