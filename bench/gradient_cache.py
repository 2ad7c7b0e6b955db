"""Peak memory and time of a training step with and without gradient caching, by batch size; as JSON lines.

python bench/gradient_cache.py --batches 32 64 128 --micro-batch 16
python bench/gradient_cache.py --preset ViT-B/32 --device cuda --precision bfloat16 --batches 128 512 2048 4096 \\
    --micro-batch 128 --loss-chunk 1024 --whole-up-to 512

Forward and backward of EmotionCLIP on random pixels, eight frames a clip and 16 tokens an utterance. Every figure comes
from a process of its own and is what a step adds to one of 4 clips: on a CPU the resident peak (frames included:
they are in the same memory) and CPU seconds of one thread, on a GPU the allocated peak and seconds.
`largest_difference` is of all gradients, relative to the largest number of each; there is no dropout, whose random
numbers would differ.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import torch
from step import TOKENS, random_batch

from mien.methods import EmotionClipConfig
from mien.models.video_clip import VideoClipConfig
from mien.train.gradient_cache import cached_backward
from mien.train.throughput import peak_memory_gib
from mien.types import ClipBatch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--micro-batch", type=int, default=16)
    parser.add_argument("--loss-chunk", type=int)
    parser.add_argument("--whole-up-to", type=int, default=2**31, help="leave out whole batches larger than this")
    arguments = parser.parse_args()
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**20)  # glibc gives large blocks back at once, so the peak is ours
    for batch in arguments.batches:
        print(json.dumps(compare(batch, arguments)), flush=True)


def compare(batch: int, arguments: argparse.Namespace) -> dict[str, object]:
    row: dict[str, object] = {"preset": arguments.preset, "device": arguments.device, "batch": batch}
    row["micro_batch"] = arguments.micro_batch
    with tempfile.TemporaryDirectory() as folder:
        results = {"cached": Path(folder) / "cached.pt", "whole": Path(folder) / "whole.pt"}
        for name, path in results.items():
            if name == "cached" or batch <= arguments.whole_up_to:
                micro_batch = arguments.micro_batch if name == "cached" else batch
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    measured = pool.apply(measure, (batch, micro_batch, arguments, path))
                row |= {f"{name}_{key}": value for key, value in measured.items()}
        if results["whole"].exists():
            found, expected = (torch.load(path, weights_only=True) for path in results.values())
            row["largest_difference"] = max(
                float((found[name] - expected[name]).abs().max() / expected[name].abs().max().clamp(min=1e-12))
                for name in expected
            )
    return row


def measure(batch: int, micro_batch: int, arguments: argparse.Namespace, results: Path) -> dict[str, float]:
    """GiB and seconds of one step; its gradients are saved to `results`."""
    torch.set_num_threads(1 if arguments.device == "cpu" else 16)
    torch.manual_seed(0)
    model = VideoClipConfig.model_validate({"preset": arguments.preset, "temporal": {"dropout": 0.0}})
    method = EmotionClipConfig(model=model, loss_chunk=arguments.loss_chunk).build().to(arguments.device).train()
    clock = time.process_time if arguments.device == "cpu" else time.perf_counter

    def autocast() -> contextlib.AbstractContextManager:
        return torch.autocast(arguments.device, dtype=torch.bfloat16, enabled=arguments.precision == "bfloat16")

    def step(clips: ClipBatch) -> float:
        method.zero_grad(set_to_none=True)
        began = clock()
        output = cached_backward(method, clips, micro_batch=micro_batch, device=arguments.device, autocast=autocast)
        float(output.loss)  # waits for the device
        if arguments.device == "cuda":
            torch.cuda.synchronize()
        return clock() - began

    step(random_batch(4, model.vision.image_size, tokens=TOKENS))
    before = peak_memory_gib(arguments.device)
    seconds = step(random_batch(batch, model.vision.image_size, tokens=TOKENS))
    gib = peak_memory_gib(arguments.device) - before
    torch.save({name: p.grad.cpu() for name, p in method.named_parameters() if p.grad is not None}, results)
    return {"gib": round(gib, 3), "seconds": round(seconds, 2)}


if __name__ == "__main__":
    main()
