"""Peak memory of the contrastive loss and its gradients: all anchors at once against chunks of them; as JSON lines.

python bench/loss_memory.py --batches 2048 4096 8192 --chunk 256
python bench/loss_memory.py --batches 32768 --chunk 1024 --anchors 4096 --skip-full

Every figure comes from a process of its own: on a CPU the growth of its resident peak, on a GPU of its allocated peak.
Predicted are the matrices alive at once, counted in the code: 7 of (anchors at a time) × batch (weights; of the
direction that is done, logits and log-probabilities; of the other, logits, their gradient before and after the scale,
and a product), and in chunks 4 of batch × width (two sums of gradients, and what a chunk's other direction adds).

--anchors takes only the first so many rows as anchors, as one of several processes does. Every chunk needs the same
memory, so a few tell the peak of all; time grows with their number. --skip-full predicts the full matrices' peak only:
at 32,768 it is 28 GiB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from mien.losses import sentiment_guided_contrastive_loss
from mien.train.throughput import peak_memory_gib

LOGIT_MATRICES, EMBEDDING_MATRICES = 7, 4
FLOAT32 = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[2048, 4096, 8192])
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--anchors", type=int, help="rows that are anchors; all by default")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--skip-full", action="store_true", help="predict the full matrices only")
    arguments = parser.parse_args()
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**20)  # glibc gives large blocks back at once, so the peak is ours
    for batch in arguments.batches:
        print(json.dumps(compare(batch, arguments)), flush=True)


def compare(batch: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Both ways at one batch size, and how far their results are apart."""
    width, chunk, anchors = arguments.width, arguments.chunk, arguments.anchors or batch
    row: dict[str, object] = {"device": arguments.device, "batch": batch, "anchors": anchors, "chunk": chunk}
    embeddings = EMBEDDING_MATRICES * batch * width
    row["full_predicted_gib"] = gib(LOGIT_MATRICES * anchors * batch)
    row["chunked_predicted_gib"] = gib(LOGIT_MATRICES * chunk * batch + embeddings)
    with tempfile.TemporaryDirectory() as folder:
        results = [Path(folder) / "full.pt", Path(folder) / "chunked.pt"]
        sizes = (batch, anchors, width)
        chunked = in_own_process(sizes, chunk, arguments.device, results[1])
        row |= {f"chunked_{name}": value for name, value in chunked.items()}
        if arguments.skip_full:
            return row | {
                "all_anchors_predicted_over_chunked": round(gib(LOGIT_MATRICES * batch**2) / chunked["gib"], 1)
            }
        full = in_own_process(sizes, None, arguments.device, results[0])
        row |= {f"full_{name}": value for name, value in full.items()}
        expected, found = (torch.load(path, weights_only=True) for path in results)
    row["full_over_chunked"] = round(full["gib"] / chunked["gib"], 1)
    row["largest_relative_difference"] = max(
        float((found[name] - expected[name]).abs().max() / expected[name].abs().max()) for name in expected
    )
    return row


def gib(numbers: int) -> float:
    return round(numbers * FLOAT32 / 2**30, 3)


def in_own_process(sizes: tuple[int, int, int], chunk: int | None, device: str, results: Path) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (*sizes, chunk, device, results))


def measure(batch: int, anchors: int, width: int, chunk: int | None, device: str, results: Path) -> dict[str, float]:
    """Value and gradients of one batch, saved to `results`; GiB they took beyond the inputs, and seconds."""
    generator = torch.Generator().manual_seed(0)
    video, text = (F.normalize(torch.randn(batch, width, generator=generator), dim=1).to(device) for _ in range(2))
    sentiment_logits = torch.randn(batch, 7, generator=generator).to(device)
    few = (x[:64].clone().requires_grad_() for x in (video, text))
    contrast(*few, sentiment_logits[:64], anchors=64, chunk=32 if chunk else None)  # loads what the first call loads
    video.requires_grad_()
    text.requires_grad_()
    before, began = peak_memory_gib(device), time.perf_counter()
    found = contrast(video, text, sentiment_logits, anchors=anchors, chunk=chunk)
    seconds, after = time.perf_counter() - began, peak_memory_gib(device)
    torch.save({name: x.cpu() for name, x in found.items()}, results)
    return {"gib": round(after - before, 3), "seconds": round(seconds, 2)}


def contrast(
    video: torch.Tensor, text: torch.Tensor, sentiment_logits: torch.Tensor, *, anchors: int, chunk: int | None
) -> dict[str, torch.Tensor]:
    logit_scale = torch.tensor(1 / 0.07, device=video.device, requires_grad=True)
    loss = sentiment_guided_contrastive_loss(
        video,
        text,
        logit_scale=logit_scale,
        sentiment_logits=sentiment_logits,
        anchors=slice(0, anchors),
        chunk=chunk,
    )
    loss.backward()
    found = {"loss": loss.detach(), "video": video.grad, "text": text.grad, "logit_scale": logit_scale.grad}
    return {name: x for name, x in found.items() if x is not None}


if __name__ == "__main__":
    main()
