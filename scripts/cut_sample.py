"""Cuts the clip that `mien analyze --sample` analyses out of a longer one, and encodes it anew (H.264, AAC).

    python scripts/cut_sample.py WolfgangLanger_Pexels.mp4 --start 2.1 --end 12.6

What it is cut from: a clip by Wolfgang Langer of pexels.com, under the Pexels licence; see NOTICE.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av

from mien.types import ASSETS
from mien.whole_file import whole_file

SAMPLE = ASSETS / "sample" / "sample.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--start", type=float, required=True, help="seconds")
    parser.add_argument("--end", type=float, required=True, help="seconds")
    parser.add_argument("--out", type=Path, default=SAMPLE)
    args = parser.parse_args()
    with whole_file(args.out) as part:
        cut(args.video, part, start_s=args.start, end_s=args.end)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


def cut(video: Path, out: Path, *, start_s: float, end_s: float) -> None:
    """The pictures and the sound of `video` between two times, as an MP4."""
    with av.open(str(video)) as source, av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as made:
        seen, heard = source.streams.video[0], source.streams.audio[0]
        pictures = made.add_stream("libx264", rate=seen.average_rate)
        pictures.width, pictures.height, pictures.pix_fmt = seen.width, seen.height, "yuv420p"
        pictures.options = {"preset": "veryslow", "crf": "23"}
        sound = made.add_stream("aac", rate=heard.rate)
        clock = {pictures: Fraction(1, 90_000), sound: Fraction(1, heard.rate)}
        pictures.codec_context.time_base = clock[pictures]
        for frame in source.decode(seen, heard):
            if frame.time is None or not start_s <= frame.time < end_s:
                continue
            stream = pictures if isinstance(frame, av.VideoFrame) else sound
            frame.pts, frame.time_base = round((frame.time - start_s) / clock[stream]), clock[stream]
            if stream is pictures:
                frame.pict_type = 0  # the encoder's choice, not what it was
            made.mux(stream.encode(frame))
        for stream in (pictures, sound):
            made.mux(stream.encode(None))


if __name__ == "__main__":
    main()
