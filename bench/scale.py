"""What a corpus of many clips costs beside its pictures: memory of the index, time of the plan; as JSON.

    python bench/scale.py --clips 200000               # half a minute

The figures of docs/scaling.md that do not depend on a GPU. Memory is the growth of the process's resident set.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from mien.data.loader import BatchPlan
from mien.data.tables import read_index, write_index
from mien.types import Clip

CLIPS_PER_VIDEO = 277
"""A million clips of 3,613 videos, as published."""
WORDS = ["I", "never", "thought", "that", "I", "would", "see", "you", "here", "again"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200_000)
    num_clips = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.parquet"
        write_index(path, [make_clip(i) for i in range(num_clips)], made_with={})
        file_bytes = path.stat().st_size
        before, began = resident_bytes(), time.process_time()
        clips = read_index(path)
        reading_s, memory = time.process_time() - began, resident_bytes() - before
    began = time.process_time()
    plan = BatchPlan(videos=[clip.video for clip in clips], batch_size=1024, seed=0)
    list(itertools.islice(plan.parts(first_step=0), 1))
    print(
        json.dumps(
            {
                "clips": num_clips,
                "index_file_bytes_per_clip": round(file_bytes / num_clips),
                "index_memory_bytes_per_clip": round(memory / num_clips),
                "index_reading_us_per_clip": round(1e6 * reading_s / num_clips, 1),
                "first_batch_of_an_epoch_us_per_clip": round(1e6 * (time.process_time() - began) / num_clips, 2),
            }
        )
    )


def make_clip(number: int) -> Clip:
    rng = np.random.default_rng(number)
    start = 34 * (number % CLIPS_PER_VIDEO)
    video = f"show-{number // CLIPS_PER_VIDEO:06d}/episode"
    return Clip(
        id=f"{video}#{number % CLIPS_PER_VIDEO}",
        video=video,
        start_frame=start,
        end_frame=start + 34,
        start_s=start / 8,
        end_s=start / 8 + 4.25,
        text=" ".join(rng.permutation(WORDS)),
        sentiment_logits=tuple(rng.normal(size=7).tolist()),
        person_share=float(rng.random()),
    )


def resident_bytes() -> int:
    """Linux tells it in pages of 4 KiB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


if __name__ == "__main__":
    main()
