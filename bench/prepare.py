"""How fast videos are prepared and how much memory it takes: real-time factor of each stage and peak memory; as JSON.

python bench/prepare.py VIDEO                 one video as it is
python bench/prepare.py VIDEO --hours 1       it, repeated to an hour without encoding it again
python bench/prepare.py --hours 1             an hour of 1080p, drawn

The real-time factor is the seconds of video prepared in one second of one core's time. Memory is the largest resident
set of the one process that does it, libraries and models included.
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
from itertools import count
from pathlib import Path

import av

from mien.data.store import Store
from mien.media.video import probe_video
from mien.prepare import FrameSettings, PrepareSettings, prepare
from mien.theatre import TheatreSettings, write_theatre


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--subject", default="all")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # a folder; the process that is measured
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, subject=args.subject)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "videos")
        folder.mkdir()
        lay_out(args.video or draw(Path(scratch)), folder, seconds=3600 * args.hours)
        command = [sys.executable, __file__, "--measure", str(folder), "--subject", args.subject]
        subprocess.run(command, check=True)  # alone, so that its memory is its own


def draw(scratch: Path) -> Path:
    """Some ten scenes of the theatre in 1080p, 24 frames a second."""
    settings = TheatreSettings(num_train=1, num_test=0, width=1920, height=1080, fps=24)
    write_theatre(scratch / "theatre", settings=settings)
    return scratch / "theatre" / "train" / "0000.mp4"


def lay_out(video: Path, folder: Path, *, seconds: float) -> None:
    """The video, repeated to so many seconds, with a sentence every five."""
    target = folder / f"long{video.suffix}"
    if seconds:
        repeat(video, target, seconds=seconds)
    else:
        target.symlink_to(video.absolute())
    lines = range(int(probe_video(target).duration_s // 5))
    clock = [f"{5 * k // 3600:02d}:{5 * k // 60 % 60:02d}:{5 * k % 60:02d}" for k in lines]
    cues = [f"{k}\n{at},000 --> {at[:-1]}{int(at[-1]) + 4},500\nThis is what they say.\n" for k, at in enumerate(clock)]
    target.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8")


def repeat(video: Path, target: Path, *, seconds: float) -> None:
    """Its packets again and again."""
    with av.open(str(target), "w") as out:
        stream = None
        offset = 0
        for _ in count():
            with av.open(str(video)) as source:
                own = source.streams.video[0]
                stream = stream or out.add_stream_from_template(own)
                end = 0
                for packet in source.demux(own):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.dts + packet.duration)
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    out.mux(packet)
                offset += end
                if float(offset * own.time_base) >= seconds:
                    return


def measure(folder: Path, *, subject: str) -> dict[str, object]:
    """Prepare it, one video at a time, and say what each stage took."""
    spent: dict[str, float] = {}
    last = time.process_time()

    def on_progress(video: str, stage: str, fraction: float) -> None:
        nonlocal last
        now = time.process_time()
        spent[stage] = spent.get(stage, 0.0) + now - last
        last = now

    out = folder.parent / "store"
    faces = {"faces": {"source": "detector"}} if subject == "speaking" else {}
    settings = PrepareSettings.model_validate({"frames": FrameSettings(), "subject": subject, **faces})
    started, cpu = time.perf_counter(), time.process_time()
    report = prepare(folder, out, settings=settings, on_progress=on_progress)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    store = Store(out)
    info = store.frames(store.videos[0]).info
    seconds = info.num_frames / info.fps
    return {
        "video_s": round(seconds, 1),
        "size": f"{info.source_width}x{info.source_height}",
        "cores": os.cpu_count(),
        "times_real_time_per_core": {stage: round(seconds / s, 1) for stage, s in spent.items() if s > 0.01}
        | {"all": round(seconds / cpu_s, 1)},
        "times_real_time": round(seconds / wall_s, 1),
        "clips": report.num_clips,
        "store_bytes_per_s": round(sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / seconds),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
