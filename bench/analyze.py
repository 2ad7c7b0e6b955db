"""How fast a video is analysed and how much memory that takes: core seconds of each stage, memory over time; as JSON.

    python bench/analyze.py --video VIDEO --minutes 2             # 720p of it, looped, at its own rate
    python bench/analyze.py --video VIDEO --hours 2 --fps 6       # long and cheap to decode: is memory flat?

The real-time factor is the seconds of video analysed in one second of one core's time: what neighbours on the machine
take does not count, and on two cores the wall clock is at best twice as fast. Memory is the resident set of the process
and of those it starts, sampled every second, libraries and models included; `anonymous` leaves out mapped files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path

import av

from mien.analyze import AnalyzeSettings, analyze
from mien.media.video import read_frames
from mien.types import ASSETS

HEIGHT, WIDTH = 720, 1280


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=ASSETS / "sample" / "sample.mp4")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--hours", type=float, default=0.0, help="instead of minutes")
    parser.add_argument("--fps", type=float, help="pictures a second of what is made; the video's own by default")
    parser.add_argument("--no-annotate", action="store_true")
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)  # the process that is measured
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure, annotate=not args.no_annotate)))
        return
    seconds = 3600 * args.hours or 60 * args.minutes
    with tempfile.TemporaryDirectory() as scratch:
        long = make_long(args.video, Path(scratch), seconds=seconds, fps=args.fps)
        command = [sys.executable, __file__, "--measure", str(long), str(Path(scratch, "out"))]
        with subprocess.Popen(
            [*command, *(["--no-annotate"] if args.no_annotate else [])], stdout=subprocess.PIPE, text=True
        ) as child:
            samples = list(sampled_memory(child))
            told, _ = child.communicate()
        found = json.loads(told)
    core_s = sum(found["core_s"].values())
    resident = [whole for whole, _ in samples]
    print(
        json.dumps(
            {
                "video_s": round(seconds, 1),
                "real_time_factor": round(seconds / core_s, 2),
                **found,
                "peak_mib": max(resident),
                "peak_anonymous_mib": max(own for _, own in samples),
                "mib_by_tenth_of_the_time": [resident[int(i / 10 * (len(resident) - 1))] for i in range(11)],
            },
            indent=1,
        )
    )


def make_long(video: Path, folder: Path, *, seconds: float, fps: float | None) -> Path:
    """The video in 720p, repeated to so many seconds without encoding it again and again."""
    short, long = folder / "short.mp4", folder / "long.mp4"
    rate = Fraction(fps or 24).limit_denominator(1001)
    with av.open(str(short), "w") as made:
        stream = made.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "20"}
        for picture in read_frames(video, fps=float(rate), short_side=None):
            frame = av.VideoFrame.from_ndarray(picture.rgb, format="rgb24").reformat(WIDTH, HEIGHT, "yuv420p")
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    with av.open(str(long), "w") as out:
        stream, offset = None, 0
        for _ in count():
            with av.open(str(short)) as source:
                own = source.streams.video[0]
                stream = stream or out.add_stream_from_template(own)
                end = 0
                for packet in source.demux(own):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + packet.duration)
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    if float(packet.pts * packet.time_base) < seconds:
                        out.mux(packet)
                offset += end
                if float(offset * own.time_base) >= seconds:
                    return long
    raise AssertionError("unreachable")


def measure(video: Path, out: Path, *, annotate: bool) -> dict[str, object]:
    """Analyses it, and tells where the time of the cores went."""
    core_s: dict[str, float] = {}
    now, begun_s = "start", time.process_time()

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal now, begun_s
        if stage != now:
            core_s[now] = core_s.get(now, 0.0) + time.process_time() - begun_s
            now, begun_s = stage, time.process_time()

    start_s = time.perf_counter()
    record = analyze(video, out, settings=AnalyzeSettings(annotate=annotate), on_progress=tell)
    core_s[now] = core_s.get(now, 0.0) + time.process_time() - begun_s
    return {
        "core_s": {stage: round(seconds, 2) for stage, seconds in core_s.items()},
        "wall_s": round(time.perf_counter() - start_s, 1),
        "load": round(os.getloadavg()[0], 1),
        "shots": len(record.shots),
        "persons": len(record.persons),
        "samples": record.num_samples,
    }


def sampled_memory(child: subprocess.Popen[str]) -> Iterator[tuple[int, int]]:
    """MiB resident, and of these anonymous, of a process and its children, every second until it ends."""
    while child.poll() is None:
        yield tuple(map(sum, zip(*(memory_of(pid) for pid in (child.pid, *children_of(child.pid))), strict=True)))  # type: ignore[misc]
        time.sleep(1)


def memory_of(pid: int) -> tuple[int, int]:
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return tuple(int(lines[name].split()[0]) // 1024 for name in ("VmRSS", "RssAnon"))  # type: ignore[return-value]
    except (OSError, KeyError):  # it has just ended
        return 0, 0


def children_of(pid: int) -> list[int]:
    try:
        own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return own + [deeper for child in own for deeper in children_of(child)]


if __name__ == "__main__":
    main()
