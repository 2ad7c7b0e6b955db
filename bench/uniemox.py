"""A step of UniEmoX beside its arithmetic: what seeing a quarter of the patches saves, what the rest costs; as JSON.

    python bench/uniemox.py                                # a CPU's size: some minutes of one core
    python bench/uniemox.py --batch 2 --preset MAE-B/16 --decoder 512 8 16 --teacher ViT-B/16 --steps 1

The baseline is the same encoder on all patches of both views, distilled by L2 alone (`mask_ratio: 0`). Then, of a
quarter of the patches: the same; with the decoder, which sees all patches (L2 + L3); with the teacher's texts too (the
method); and masked autoencoding alone (L3). Predicted are the operations of matrix products (`mien.methods.flops`);
and as memory, what trained blocks keep for the backward pass, counted in the code: 8 numbers a channel of the width and
2 of the MLP's, for each token and block. The teacher keeps nothing. Each variant runs in a process of its own. Seconds
are its CPU seconds by one thread, the least of `--steps`; memory is by how much the resident peak grows beyond that of
a step of one picture, by which weights, gradients and moments are there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from typing import Any

import torch

from mien.media.transforms import Preprocess
from mien.methods.teacher import Teacher
from mien.methods.uniemox import UniEmoX, UniEmoxConfig
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.train.optim import OptimConfig, build_optimizer
from mien.train.throughput import peak_memory_gib
from mien.types import ViewBatch

SMALL = {"width": 384, "layers": 6, "heads": 6, "mlp_width": 1536}
KEPT_OF_WIDTH, KEPT_OF_MLP = 8, 2
"""Of a token: in and out of both norms, q, k and v, what attention mixed; the MLP before and after its GELU."""
TOKENS, FLOAT32 = 16, 4
VARIANTS = {
    "all patches, L2 (baseline)": {"mask_ratio": 0.0, "profile_weight": 0, "reconstruction_weight": 0},
    "a quarter, L2": {"profile_weight": 0, "reconstruction_weight": 0},
    "a quarter, L2 + L3": {"profile_weight": 0},
    "a quarter, L1 + L2 + L3 (UniEmoX)": {},
    "a quarter, L3 (MAE)": {"profile_weight": 0, "image_weight": 0, "teacher": None},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", help="of the encoder; 384 wide and 6 layers by default")
    parser.add_argument("--decoder", type=int, nargs=3, default=[256, 4, 8], help="width, layers, heads")
    parser.add_argument("--teacher", default="micro", help="its preset")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2)
    args = parser.parse_args()
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**20)  # glibc gives large blocks back at once, so the peak is ours
    baseline: dict[str, float] = {}
    for name, changes in VARIANTS.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(measure, (vars(args), changes))
        baseline = baseline or found
        row = {
            "step": name,
            "gflop": round(found["flops"] / 1e9, 1),
            "predicted": round(baseline["flops"] / found["flops"], 2),
            "cpu_s": round(found["seconds"], 2),
            "measured": round(baseline["seconds"] / found["seconds"], 2),
            "kept_mib_predicted": round(found["kept"] / 2**20),
            "grown_mib_measured": round(found["grown_gib"] * 2**10),
        }
        print(json.dumps(row), flush=True)


def measure(args: dict[str, Any], changes: dict[str, Any]) -> dict[str, float]:
    """One variant: operations, bytes kept, CPU seconds, and growth of the resident peak."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    method = build(args, changes)
    optimizer = build_optimizer(OptimConfig(), method)
    batch = random_batch(method, args["batch"])

    def step(batch: ViewBatch) -> None:
        method(batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)  # gradients stay, so that they are not counted as growth

    step(random_batch(method, 1))
    before, seconds = peak_memory_gib("cpu"), list[float]()
    for _ in range(1 + args["steps"]):
        begin = time.process_time()
        step(batch)
        seconds.append(time.process_time() - begin)
    return {
        "flops": method.flops(batch),
        "kept": kept_bytes(method) * args["batch"],
        "seconds": min(seconds[1:]),
        "grown_gib": peak_memory_gib("cpu") - before,
    }


def build(args: dict[str, Any], changes: dict[str, Any]) -> UniEmoX:
    width, layers, heads = args["decoder"]
    small = {"preset": "MAE-B/16", "embed_dim": SMALL["width"], "vision": SMALL}
    settings = {
        "model": {"preset": args["preset"]} if args["preset"] else small,
        "decoder": {"width": width, "layers": layers, "heads": heads},
        "teacher": args["teacher"],
    }
    config = UniEmoxConfig.model_validate(settings | changes)
    if config.teacher is None:
        return UniEmoX(config, teacher=None).train()
    known = VideoClipConfig.model_validate(
        {"preset": args["teacher"], "subject": "vanilla", "temporal": {"kind": "mean"}}
    )
    preprocess = Preprocess(image_size=known.vision.image_size)
    return UniEmoX(config, teacher=Teacher(VideoClip(known), preprocess=preprocess, tokenizer=Tokenizer.clip())).train()


def random_batch(method: UniEmoX, size: int) -> ViewBatch:
    vision = method.config.model.vision
    pictures = torch.randint(0, 256, (2, size, 3, vision.image_size, vision.image_size), dtype=torch.uint8)
    token_ids = torch.randint(1, 49405, (size, TOKENS))
    token_ids[:, -1] = 49407
    return ViewBatch(
        frames=pictures[0][:, None],
        boxes=torch.zeros(size, 1, 1, 4),
        token_ids=token_ids,
        sentiment_logits=torch.zeros(size, 7),
        ids=tuple(map(str, range(size))),
        person=pictures[1],
        has_person=torch.ones(size, dtype=torch.bool),
        patch_order=torch.rand(size, 2, vision.grid**2).argsort(dim=2),
    )


def kept_bytes(method: UniEmoX) -> float:
    """Of one picture: what the trained blocks keep for the backward pass."""
    vision, decoder = method.config.model.vision, method.config.decoder
    views = 1 + (method.fusion is not None and method.fusion.looks_at_person)
    encoder = vision.layers * (KEPT_OF_WIDTH * vision.width + KEPT_OF_MLP * vision.mlp_width)
    numbers = views * (1 + method.num_seen) * encoder
    if method.config.reconstruction_weight:
        numbers += (1 + vision.grid**2) * decoder.layers * (KEPT_OF_WIDTH + 4 * KEPT_OF_MLP) * decoder.width
    return float(FLOAT32 * numbers)


if __name__ == "__main__":
    main()
