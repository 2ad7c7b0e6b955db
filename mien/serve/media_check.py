"""What an upload is, told by its content before any picture of it is decoded, and whether it is small enough.

Names and endings are the client's and tell nothing. FFmpeg knows a picture's size only by decoding it, so that is read
from the picture's header by Pillow; the pictures of a video are counted by reading its packets, which decodes none.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
from PIL import Image

from mien.media.container import open_media
from mien.serve.refusal import Refused
from mien.serve.settings import Limits

PICTURES = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}
"""Pillow's names of the kinds of pictures that are taken, and their endings."""
VIDEOS = {"mov": ".mp4", "matroska": ".mkv", "avi": ".avi", "asf": ".wmv", "flv": ".flv", "mpegts": ".ts",
    "mpeg": ".mpg", "mxf": ".mxf", "ogg": ".ogv"}  # fmt: skip
"""FFmpeg's names of the kinds of videos that are taken, and their endings."""
SIDE = 16_384
"""No picture is wider or higher: some decoders' own limit."""
TAKEN = "a picture (PNG, JPEG, WebP, BMP, TIFF) or a video (MP4, MOV, MKV, WebM, AVI, WMV, FLV, TS, MPEG, MXF, OGV)"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaFacts:
    """What a file is. `suffix` is the ending it should have; a picture's duration is 0."""

    kind: Literal["picture", "video"]
    suffix: str
    width: int
    height: int
    duration_s: float
    num_frames: int


def check_media(path: Path, *, limits: Limits, at_most_s: float) -> MediaFacts:
    """What the file is. Raises Refused (415 for what is neither picture nor video, 413 for what is too large)."""
    if path.stat().st_size == 0:
        raise Refused(415, "the file is empty (0 bytes)")
    facts = _picture(path) or _video(path, limits=limits, at_most_s=at_most_s)
    most = limits.picture_pixels if facts.kind == "picture" else limits.video_pixels
    if facts.width * facts.height > most or max(facts.width, facts.height) > SIDE:
        raise Refused(
            413,
            f"{facts.width} x {facts.height} pixels are too many: a {facts.kind} may have {most:,}, a side {SIDE:,}",
        )
    if facts.width < 1 or facts.height < 1:
        raise Refused(415, f"its header says it is {facts.width} x {facts.height} pixels large: it is damaged")
    return facts


def _picture(path: Path) -> MediaFacts | None:
    """By its header; None for what is no picture of a kind that is taken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of size, which is ours to judge, and of damage, which decoding tells
            with Image.open(path, formats=list(PICTURES)) as picture:
                width, height = picture.size
                suffix = PICTURES.get(str(picture.format), ".jpg")  # a telephone's JPEG of several pictures: "MPO"
                return MediaFacts(
                    kind="picture", suffix=suffix, width=width, height=height, duration_s=0.0, num_frames=1
                )
    except Image.DecompressionBombError as error:
        raise Refused(413, f"the picture has too many pixels: {error}") from None
    except (OSError, ValueError, SyntaxError, EOFError):  # Pillow's ways to say that it is not, or damaged
        return None


def _video(path: Path, *, limits: Limits, at_most_s: float) -> MediaFacts:
    try:
        container = open_media(path)
    except (av.error.FFmpegError, OSError):
        raise Refused(415, f"the file is neither of what is taken: {TAKEN}; or it is damaged") from None
    with container:
        suffix = next((VIDEOS[name] for name in container.format.name.split(",") if name in VIDEOS), None)
        if suffix is None or not container.streams.video:
            raise Refused(415, f"the file has no moving pictures, or is of another kind than what is taken: {TAKEN}")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise Refused(415, "the video's pictures are of a kind that nothing here decodes")
        told_s = max((container.duration or 0) / av.time_base, float((stream.duration or 0) * stream.time_base))
        _require_short(told_s, at_most_s)
        frames, seen_s = _count(container, stream, most=limits.video_frames, at_most_s=at_most_s)
        if frames == 0:
            raise Refused(415, "there is not one picture in the video: it is damaged, or was cut off")
        return MediaFacts(
            kind="video", suffix=suffix, width=stream.codec_context.width, height=stream.codec_context.height,
            duration_s=max(told_s, seen_s), num_frames=frames,
        )  # fmt: skip


def _count(container: Any, stream: Any, *, most: int, at_most_s: float) -> tuple[int, float]:
    """How many pictures there are, and how much time they span, by the packets' times."""
    frames, first, last = 0, None, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # the file ends in the middle of something; what is whole counts
            packet = None
        if packet is None or packet.size == 0:
            break
        frames += 1
        if frames > most:
            raise Refused(413, f"the video has more than {most:,} pictures")
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is not None:
            first = ticks if first is None else min(first, ticks)
            last = max(last, ticks)
    span_s = 0.0 if first is None else float((last - first) * stream.time_base)
    _require_short(span_s, at_most_s)
    return frames, span_s


def _require_short(duration_s: float, at_most_s: float) -> None:
    if duration_s > at_most_s:
        raise Refused(413, f"the video lasts {duration_s:.1f} s; here it may last {at_most_s:g} s")
