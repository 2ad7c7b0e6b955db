"""Time of the embedded person detector a picture, as a ratio to a straight conversion of the same network.

    python bench/detector.py --straight centernet.onnx [--threads 2]

The two are timed in turns, so that other load on the machine falls on both. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from mien.perception.centernet import CenterNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--straight", type=Path, required=True, help="input `image` (1, 512, 512, 3) float")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    straight = onnxruntime.InferenceSession(str(args.straight), options, providers=["CPUExecutionProvider"])
    detector = CenterNet(threads=args.threads)
    frame = np.random.default_rng(0).integers(0, 256, (1, 512, 512, 3), np.uint8)
    ours_ms, straight_ms = time_in_turns(
        lambda: detector.detect(frame),
        lambda: straight.run(None, {"image": frame.astype(np.float32)}),
        rounds=args.rounds,
    )
    print(
        json.dumps(
            {
                "threads": args.threads,
                "ours_ms": round(ours_ms, 1),
                "straight_ms": round(straight_ms, 1),
                "ratio": round(straight_ms / ours_ms, 2),
            }
        )
    )


def time_in_turns(a: Callable[[], object], b: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """The milliseconds of each, in the round least disturbed by others."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_number in range(rounds + 2):
        for call, own in zip((a, b), times, strict=True):
            start = time.perf_counter()
            call()
            if round_number >= 2:  # the first two warm up
                own.append(1000 * (time.perf_counter() - start))
    return min(times[0]), min(times[1])


if __name__ == "__main__":
    main()
