"""How long an exact search takes over an index of so many moments, the system's cache being warm; as JSON.

    python bench/search.py                        # 10,000 to 1,000,000 moments of 512 channels; 1 GB of disk

Embeddings are random; time does not depend on what they are. `search_s` is a whole search without the model: opening
the index, all cosines (`cosines_s`), the ten best. `float32_s` is one matrix product of the same embeddings held in
memory in 32 bits. `per_fifth_of_a_second`: so many moments are searched in 0.2 s. Times are CPU seconds of one thread,
the least of `--rounds` after one that does not count.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from mien.search.hits import nearest
from mien.search.index import MomentIndex
from mien.search.moments import Moments
from mien.search.segment import IndexedVideo, Segment, embeddings_in, segments_in, write_videos

MOMENTS_A_VIDEO = 1800  # an hour, windows of four seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for num_moments in args.moments:
        with tempfile.TemporaryDirectory() as folder:
            write_videos(Segment(Path(folder), 1), random_videos(num_moments, args.width), width=args.width)
            print(json.dumps(measure(Path(folder), width=args.width, rounds=args.rounds)), flush=True)


def random_videos(num_moments: int, width: int) -> Iterator[IndexedVideo]:
    rng = np.random.default_rng(0)
    for number, first in enumerate(range(0, num_moments, MOMENTS_A_VIDEO)):
        count = min(MOMENTS_A_VIDEO, num_moments - first)
        x = rng.standard_normal((count, width), dtype=np.float32)
        start_s = 2.0 * np.arange(count)
        moments = Moments(
            start_s=start_s,
            end_s=start_s + 4,
            seen_s=start_s + 2,
            person=np.full(count, -1, np.int32),
            xyxy=np.zeros((count, 4), np.float32),
            embedding=x / np.linalg.norm(x, axis=1, keepdims=True),
        )
        yield IndexedVideo(name=f"{number:06}", fingerprint="", moments=moments)


def measure(folder: Path, *, width: int, rounds: int) -> dict[str, float]:
    query = np.ones(width, np.float32) / np.float32(width**0.5)
    index = MomentIndex(folder)
    cosines_s = least(lambda: index.cosines(query), rounds)
    search_s = least(lambda: search(folder, query), rounds)
    (segment,) = segments_in(folder)
    wide = torch.cat([embeddings_in(batch).float() for batch in segment.batches()])
    return {
        "moments": len(index),
        "megabytes": round(segment.moments_file.stat().st_size / 1e6),
        "search_s": round(search_s, 4),
        "cosines_s": round(cosines_s, 4),
        "float32_s": round(least(lambda: wide @ torch.from_numpy(query), rounds), 4),
        "per_fifth_of_a_second": round(0.2 * len(index) / search_s),
    }


def search(folder: Path, query: np.ndarray) -> None:
    index = MomentIndex(folder)
    nearest(index, index.cosines(query), top=10)


def least(call: Callable[[], object], rounds: int) -> float:
    """The least CPU seconds of so many calls, after one that does not count."""
    call()
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return min(seconds)


if __name__ == "__main__":
    main()
