"""The short video of one clip: stored pictures to an MP4 and back."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
import simplejpeg
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from mien.media.container import open_media
from mien.media.video import SCALING
from mien.types import MienError

Codec = Literal["h264", "mjpeg"]
"""`h264` plays everywhere and is small; `mjpeg` holds the stored JPEGs byte for byte."""

H264 = {"preset": "medium", "mbtree": "0"}
"""Without x264's macroblock tree, with which the same pictures give other bytes now and then: 21 different files in 60
(`python bench/exchange.py franck.mp4 --seconds 20 --repeats 60`), and one without."""

REPEATABLE = {"fflags": "+bitexact"}  # no date and no version in the file


def encode_clip(jpegs: Sequence[bytes], *, fps: float, width: int, height: int, codec: Codec, crf: int) -> bytes:
    """An MP4 of the pictures, one every 1/fps s. The same pictures give the same bytes.

    With `h264`, `crf` is x264's quality (18 is about invisible, lower is better), and a picture with an odd side has
    its last column or row twice, since H.264's usual colours come in pairs of pixels: cut to `width` x `height`.
    """
    rate = Fraction(fps).limit_denominator(1001)
    file = io.BytesIO()
    with _errors("written"), av.open(file, "w", format="mp4", options=REPEATABLE) as container:
        if codec == "mjpeg":
            _mux(container, jpegs, rate=rate, width=width, height=height)
        else:
            _encode(container, jpegs, rate=rate, width=width, height=height, crf=crf)
    return file.getvalue()


def stored_jpegs(mp4: bytes) -> list[bytes]:
    """The JPEGs of a clip that was written with `mjpeg`, byte for byte. Raises MienError if it is of another codec."""
    with _errors("read"), open_media(io.BytesIO(mp4)) as container:
        stream = _video_stream(container)
        if stream.codec_context.name != "mjpeg":
            raise MienError(f"its video is {stream.codec_context.name}, where mjpeg is expected; export it again")
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def decoded_pictures(mp4: bytes, *, width: int, height: int) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The pictures of a clip in order, cut to `width` x `height`."""
    with _errors("read"), open_media(io.BytesIO(mp4)) as container:
        stream = _video_stream(container)
        stream.codec_context.thread_count = 1
        reformatter = VideoReformatter()
        for frame in container.decode(stream):
            rgb = reformatter.reformat(frame, format="rgb24", interpolation=SCALING, threads=1).to_ndarray()
            yield rgb[:height, :width]


def _mux(container: Any, jpegs: Sequence[bytes], *, rate: Fraction, width: int, height: int) -> None:
    stream = container.add_mux_stream("mjpeg", rate=rate, width=width, height=height, pix_fmt="yuvj420p")
    stream.time_base = 1 / rate
    for number, jpeg in enumerate(jpegs):
        packet = av.Packet(jpeg)
        packet.stream = stream
        packet.pts = packet.dts = number
        packet.duration, packet.time_base, packet.is_keyframe = 1, 1 / rate, True
        container.mux(packet)


def _encode(container: Any, jpegs: Sequence[bytes], *, rate: Fraction, width: int, height: int, crf: int) -> None:
    try:
        stream = container.add_stream("libx264", rate=rate, options=H264 | {"crf": str(crf)})
    except av.codec.codec.UnknownCodecError as error:
        raise MienError("this FFmpeg cannot write H.264; use the codec mjpeg, or PyAV's own wheel") from error
    stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    stream.codec_context.thread_count = 1
    reformatter = VideoReformatter()
    for number, jpeg in enumerate(jpegs):
        rgb = simplejpeg.decode_jpeg(jpeg, "RGB")
        padded = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
        frame = reformatter.reformat(frame, format="yuv420p", interpolation=SCALING, threads=1)
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _video_stream(container: Any) -> Any:
    if not container.streams.video:
        raise MienError("it has no pictures; export or fetch it again")
    return container.streams.video[0]


@contextmanager
def _errors(how: str) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        raise MienError(f"the clip's video cannot be {how}: {error}") from error
