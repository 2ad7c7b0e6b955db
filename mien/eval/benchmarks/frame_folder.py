"""A folder of frames: a clip that a release has as a JPEG a frame, made into a video without encoding it again."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av

from mien.media.container import open_media
from mien.types import MienError

FPS = 25
FIRST_BYTES = b"\xff\xd8"  # of every JPEG


def frames_in(folder: Path) -> list[Path]:
    """The JPEGs in a folder in the order of their numbers, `2.jpg` before `10.jpg`; none where it is not there."""
    paths = folder.glob("*.jpg") if folder.is_dir() else ()
    return sorted(
        (path for path in paths if not path.name.startswith(".")), key=lambda path: (len(path.stem), path.stem)
    )


def video_of_frames(folder: Path) -> bytes:
    """A Motion-JPEG video (AVI, 25 frames a second) of the files as they are, so that no pixel changes.

    Raises MienError where there are none, or one is no JPEG.
    """
    paths, content = frames_in(folder), io.BytesIO()
    if not paths:
        raise MienError(f"{folder} has no *.jpg; unpack it again")
    with av.open(content, "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height = _size_of(paths[0])
        stream.pix_fmt = "yuvj420p"
        stream.time_base = Fraction(1, FPS)
        for index, path in enumerate(paths):
            packet = av.Packet(_jpeg(path))
            packet.stream, packet.time_base = stream, Fraction(1, FPS)
            packet.pts = packet.dts = index
            packet.is_keyframe = True
            container.mux(packet)
    return content.getvalue()


def _jpeg(path: Path) -> bytes:
    told = path.read_bytes()
    if not told.startswith(FIRST_BYTES):
        raise MienError(f"{path} is not a JPEG, of {len(told):,} bytes; unpack it again")
    return told


def _size_of(path: Path) -> tuple[int, int]:
    """Width and height."""
    try:
        with open_media(path) as picture:
            stream = picture.streams.video[0]
            return stream.width, stream.height
    except (av.FFmpegError, IndexError) as error:
        raise MienError(f"{path} is not a JPEG, or not whole: {error}; unpack it again") from error
