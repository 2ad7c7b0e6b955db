"""How fast speech is recognised and how much memory that takes, however long the sound; as JSON lines.

python bench/transcribe.py MODEL                       of 3, 10 and 60 minutes of noise, all of it taken for speech
python bench/transcribe.py MODEL VIDEO --minutes 60    of a video's own sound, repeated, voices looked for

Every length has a process of its own. Memory is its largest resident set, libraries and the model included;
`added_mib` is what recognition added to what was resident once the model was loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import wave
from itertools import cycle
from pathlib import Path

import numpy as np

from mien.language.transcribe import SpeechRecogniser
from mien.media.sound import SAMPLE_RATE, sound_pieces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="as --asr of mien prepare")
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, nargs="+", default=[3.0, 10.0, 60.0])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # a file; the process that is measured
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, model=args.model, vad=args.video is not None)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for minutes in args.minutes:
            long = Path(scratch, f"{minutes:g}.wav")
            write_long(long, args.video, seconds=60 * minutes)
            command = [sys.executable, __file__, args.model, *([str(args.video)] if args.video else [])]
            subprocess.run([*command, "--measure", str(long)], check=True)


def write_long(path: Path, video: Path | None, *, seconds: float) -> None:
    """The video's sound, or else a minute of noise, again and again."""
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * SAMPLE_RATE).astype(np.float32)
    pieces = list(sound_pieces(video)) if video else [noise]
    num_left = round(seconds * SAMPLE_RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        for piece in cycle(pieces):
            samples = (piece[:num_left].clip(-1, 1) * 32767).astype("<i2")
            file.writeframes(samples.tobytes())
            num_left -= len(samples)
            if num_left == 0:
                return


def measure(sound: Path, *, model: str, vad: bool) -> dict[str, object]:
    recogniser = SpeechRecogniser.load(model, threads=1)
    before_mib = resident_mib()
    started = time.process_time()
    captions, _ = recogniser.transcribe(sound, vad=vad)
    return {
        "minutes": float(sound.stem),
        "cpu_s": round(time.process_time() - started, 1),
        "words": sum(len(caption.words) for caption in captions),
        "added_mib": resident_mib() - before_mib,
        "peak_memory_mib": resident_mib(),
        "cores": os.cpu_count(),
    }


def resident_mib() -> int:
    """The largest resident set so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
