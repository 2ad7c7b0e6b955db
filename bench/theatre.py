"""How fast the theatre is made: frames a second of one core's time, drawing and encoding included; as JSON.

python bench/theatre.py --videos 4
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from mien.theatre import TheatreSettings, write_theatre


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        write_theatre(Path(folder), settings=TheatreSettings(num_train=args.videos, num_test=0), workers=1)
        seconds = time.process_time() - started
        truths = sorted(Path(folder).glob("train/*.truth.json"))
        frames = sum(json.loads(path.read_text(encoding="utf-8"))["num_frames"] for path in truths)
    print(json.dumps({"videos": args.videos, "frames": frames, "frames_per_cpu_second": round(frames / seconds, 1)}))


if __name__ == "__main__":
    main()
