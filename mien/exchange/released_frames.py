"""The pictures of a released `frames.hdf5` on their way into a frame store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import simplejpeg
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from mien.exchange.finish import grey_jpeg
from mien.media.frames import FrameWriter
from mien.media.video import SCALING
from mien.types import MienError, Skipped, VideoInfo

NUMBERED = re.compile(r"(\d+)\.\w+")
JPEG_START = b"\xff\xd8"
MAX_HOURS = 24  # a greater number is no picture of a video, and would fill a disk with grey ones


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFrames:
    """Which number the first picture of the video has in the released files; which frames of the store are grey."""

    first_number: int
    missing: frozenset[int]
    skipped: tuple[Skipped, ...]


def require_h5py() -> Any:
    """The module h5py. Raises MienError if it is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise MienError(
            "released data lies in HDF5 files, and h5py is not installed; pip install 'mien[hdf5]'"
        ) from error
    return h5py


def store_frames(
    hdf5: Path, out: Path, *, fps: float, short_side: int, quality: int, made_with: dict[str, Any]
) -> StoredFrames:
    """Write the frame store `out`: JPEGs that are small enough as they are, others shrunk; grey where one is missing.

    FFmpeg numbers its pictures from 1, so number n is the picture at (n - 1) / fps, frame n - 1 of the store; where
    there is a number 0, it is frame n. (The released loader takes it to be at n / fps, 125 ms late.)
    """
    h5py = require_h5py()
    try:
        file = h5py.File(hdf5, "r")
    except OSError as error:
        raise MienError(f"{hdf5} cannot be read as HDF5 ({error}); copy it again") from error
    with file:
        pictures = _Pictures(file, hdf5)
        last, first = pictures.numbers[-1], min(1, pictures.numbers[0])
        if last > MAX_HOURS * 3600 * fps:
            raise MienError(f"{hdf5} has a picture {last}: at {fps:g} a second, more than {MAX_HOURS} hours; remove it")
        info = _info(pictures, name=hdf5.parent.name, num_frames=last - first + 1, fps=fps, short_side=short_side)
        grey, missing = grey_jpeg(width=info.width, height=info.height), set[int]()
        with FrameWriter(out, info=info, made_with=made_with, quality=quality) as writer:
            for frame in range(info.num_frames):
                picture = _fitted(pictures.read(frame + first), info)
                if picture is None:
                    missing.add(frame)
                if isinstance(picture, np.ndarray):
                    writer.add(picture, time_s=frame / fps)
                else:
                    writer.add_jpeg(picture or grey, time_s=frame / fps)
    skipped = _missing(len(missing), damaged=len(pictures.numbers) + len(missing) - info.num_frames, info=info)
    return StoredFrames(first_number=first, missing=frozenset(missing), skipped=skipped)


class _Pictures:
    """The pictures of a file by their number; they lie in the file itself or in its one group `frames`."""

    def __init__(self, file: Mapping[str, Any], path: Path) -> None:
        self.path = path
        self._group = file["frames"] if list(file) == ["frames"] else file
        self._names = {int(found[1]): name for name in self._group if (found := NUMBERED.fullmatch(name))}
        if not self._names:
            raise MienError(f"{path} has no pictures named 00000001.jpg, …; is it the frames.hdf5 of the pipeline?")
        self.numbers = sorted(self._names)

    def read(self, number: int) -> bytes | None:
        """A picture's bytes, be they stored as a string, as numbers or as an opaque value.

        None where there is no such picture; empty where it lies in a damaged part of the file.
        """
        if number not in self._names:
            return None
        try:
            value = self._group[self._names[number]][()]
        except (OSError, RuntimeError):
            return b""
        return value.tobytes() if isinstance(value, np.ndarray | np.void) else bytes(value)


def shrink(rgb: UInt8[np.ndarray, "h w 3"], *, height: int, width: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture at another size, by the filter that videos are shrunk by."""
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    resized = VideoReformatter().reformat(
        frame, width=width, height=height, format="rgb24", interpolation=SCALING, threads=1
    )
    return resized.to_ndarray()


def _info(pictures: _Pictures, *, name: str, num_frames: int, fps: float, short_side: int) -> VideoInfo:
    """What the store is to know of the video, whose size is that of the first picture that can be decoded."""
    size = next((rgb.shape for n in pictures.numbers if (rgb := _decode(pictures.read(n))) is not None), None)
    if size is None:
        raise MienError(f"{pictures.path}: none of its {len(pictures.numbers)} pictures can be decoded; copy it again")
    height, width = size[0], size[1]
    scale = min(1.0, short_side / min(height, width))
    return VideoInfo(
        source=name,
        source_width=width,
        source_height=height,
        source_duration_s=num_frames / fps,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        fps=fps,
        num_frames=num_frames,
    )


def _fitted(picture: bytes | None, info: VideoInfo) -> bytes | UInt8[np.ndarray, "h w 3"] | None:
    """The picture as it is to be stored: as it is, or shrunk; None if it is not there, damaged or of another size."""
    rgb = _decode(picture)
    if picture is None or rgb is None or rgb.shape[:2] != (info.source_height, info.source_width):
        return None
    if (info.width, info.height) == (info.source_width, info.source_height) and picture.startswith(JPEG_START):
        return picture
    return shrink(rgb, height=info.height, width=info.width)


def _decode(picture: bytes | None) -> UInt8[np.ndarray, "h w 3"] | None:
    if not picture:
        return None
    if picture.startswith(JPEG_START):
        try:
            return simplejpeg.decode_jpeg(picture, "RGB")
        except ValueError:
            return None
    bgr = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.ascontiguousarray(bgr[:, :, ::-1])


def _missing(num_missing: int, *, damaged: int, info: VideoInfo) -> tuple[Skipped, ...]:
    if not num_missing:
        return ()
    reason = f"{num_missing} of {info.num_frames} pictures are missing ({damaged} of them damaged): they are grey"
    return (Skipped(what="frames", reason=reason),)
