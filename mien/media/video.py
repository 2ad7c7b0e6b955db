"""Video files: what they are, and their pictures at chosen times, as they are displayed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from jaxtyping import Float64, UInt8

from mien.media.container import open_media
from mien.types import MienError

VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
    ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
SOUND_SUFFIXES = frozenset({".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"})
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# Widened for shrinking, so it does not alias; within 0.25 grey levels of Pillow's bicubic, CLIP's own resize (AREA:
# 0.45), 1.4 ms against 1.0 ms from 640x360. Rounding must be asked for: without it, pictures come 1.2 levels brighter.
SCALING = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)

QUICK_SCALING = int(Interpolation.BICUBIC)
"""Colours up to 1.2 grey levels brighter, in a quarter of the time (720p, not scaled: 2.5 instead of 11 ms)."""

TIME_TOLERANCE_S = 1e-3  # Matroska's and FLV's times are whole milliseconds: 5/30 s is 0.167 there, not 0.16666
LEAP_S = 12.0  # what lies further ahead is sought; less is decoded through, as key frames are seconds apart anyway
LEAP_SHORT_S = 1.0  # some containers seek by the order of decoding, and would land a little behind what was asked for
MAX_HOLD_S = 3600.0  # a longer pause between two pictures is a broken time stamp, and would fill a disk with copies
COLORSPACE_UNSPECIFIED = 2
HD_HEIGHT = 720  # from here on, players take an unnamed colour matrix to be BT.709


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoProbe:
    """What a file's header and first picture tell. Sizes are as displayed; `duration_s` is 0 where unknown."""

    width: int
    height: int
    duration_s: float
    fps: float
    codec: str
    rotation: int
    has_audio: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedPicture:
    """One picture of a video and the time at which it appears, from the video's start."""

    time_s: float
    rgb: UInt8[np.ndarray, "h w 3"]


def probe_video(path: Path) -> VideoProbe:
    """Size, length and kind of a video or picture, without decoding more than its first picture.

    Raises MienError where there is no picture to be had: no such file, empty, not a video, sound only, broken.
    """
    with _open(path, threads=1) as (container, stream):
        first = next(_decoded(container, stream), None)
        if first is None:
            raise _no_picture(path)
        display = _display(first, stream, short_side=None)
        return VideoProbe(
            width=display.width,
            height=display.height,
            duration_s=_duration_s(container, stream),
            fps=_rate(stream),
            codec=stream.codec_context.name,
            rotation=first.rotation,
            has_audio=bool(container.streams.audio),
        )


def frame_rate(path: Path) -> float:
    """Pictures a second as the file's header tells, without decoding any. Raises MienError as `probe_video` does."""
    with _open(path, threads=1) as (_, stream):
        return _rate(stream)


def header_duration_s(path: Path) -> float:
    """How long the file's header says it is, 0 where unknown, without decoding any; raises as `frame_rate` does."""
    with _open(path, threads=1) as (container, stream):
        return _duration_s(container, stream)


def picture_times(path: Path) -> Float64[np.ndarray, "n"]:
    """When each picture of the file appears, in seconds from its start, without decoding any: number them by it.

    What does not decode is counted too, so that numbers are those of other programs.
    """
    with _open(path, threads=1) as (container, stream):
        ticks = list[int | None]()
        with suppress(av.error.FFmpegError):  # the file ends in the middle of something
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    ticks.append(packet.dts if packet.pts is None else packet.pts)
        if any(tick is None for tick in ticks):  # a raw stream, whose rate is constant
            return np.arange(len(ticks)) / _rate(stream)
        origin_s = (container.start_time or 0) / av.time_base
        return np.sort(np.array(ticks, np.float64) * float(stream.time_base) - origin_s)


def read_frames(
    path: Path, *, fps: float | None, short_side: int | None, threads: int = 0, scaling: int = SCALING
) -> Iterator[TimedPicture]:
    """The pictures of a video at `fps`, shrunk until the short side is at most `short_side`, never enlarged.

    Picture i is the last one to appear by i/fps (what a viewer sees at that time), the first one where nothing has
    appeared yet; so variable frame rates need no care. `time_s` is when it appeared, which is at most i/fps but for
    the first. Without `fps`: every picture once. Rotation flags and pixel shapes are applied; times count from the
    start of the file, offsets and edit lists removed. What cannot be decoded is passed over: compare the last time
    with `probe_video(path).duration_s`. `threads` = 0 lets the decoder choose. `scaling`:
    QUICK_SCALING for pictures that are only looked at.
    """
    with _open(path, threads=threads) as (container, stream):
        convert = _converter(stream, short_side=short_side, scaling=scaling)
        held, count, end_s, duration_s = None, 0, 0.0, _duration_s(container, stream)
        for time_s, frame in _timed(container, stream, path=path):
            if fps is None:
                yield TimedPicture(time_s=time_s, rgb=convert(frame))
            elif held is not None:
                times = _grid(count, until_s=time_s, fps=fps)
                count += len(times)
                yield from _repeat(held, convert, times=len(times))
            held, end_s = (time_s, frame), _end_s(time_s, frame, stream, duration_s=duration_s)
        if held is None:
            raise _no_picture(path)
        if fps is not None:
            times = _grid(count, until_s=end_s, fps=fps)
            yield from _repeat(held, convert, times=max(len(times), 1 if count == 0 else 0))


def pictures_at(path: Path, times_s: Sequence[float], *, short_side: int | None) -> Iterator[TimedPicture]:
    """What a viewer sees at each of the rising `times_s`, shrunk as by `read_frames`; what lies between is leapt over.

    One picture a time: the last to appear by then; the first one where none has yet. `time_s` is when it appeared.
    AVI files, which have no times to seek by, are decoded through. Raises MienError as `read_frames` does.
    """
    with _open(path, threads=0) as (container, stream):
        convert = _converter(stream, short_side=short_side, scaling=SCALING)
        frames = _timed(container, stream, path=path)
        held = ahead = None
        for time_s in times_s:
            if time_s - (held[0] if held else 0.0) > LEAP_S and container.format.name != "avi":
                frames, held, ahead = _leapt(container, stream, to_s=time_s - LEAP_SHORT_S), None, None
            while True:
                ahead = ahead or next(frames, None)
                if ahead is None or (held is not None and ahead[0] > time_s + TIME_TOLERANCE_S):
                    break
                held, ahead = ahead, None
            if held is None:
                raise _no_picture(path)
            yield TimedPicture(time_s=held[0], rgb=convert(held[1]))


def _grid(first: int, *, until_s: float, fps: float) -> range:
    """The numbers i from `first` on whose time i/fps lies before `until_s`."""
    return range(first, max(first, math.ceil((until_s - TIME_TOLERANCE_S) * fps)))


def _repeat(held: tuple[float, Any], convert: Callable[[Any], np.ndarray], *, times: int) -> Iterator[TimedPicture]:
    if times:
        picture = TimedPicture(time_s=held[0], rgb=convert(held[1]))
        for _ in range(times):
            yield picture


# ── opening and decoding ─────────────────────────────────────────────────────────────────────────


@contextmanager
def _open(path: Path, *, threads: int) -> Iterator[tuple[Any, Any]]:
    if not path.is_file():
        raise MienError(f"no video at {path}")
    if path.stat().st_size == 0:
        raise MienError(f"{path} is empty (0 bytes): copy or download it again")
    try:
        container = open_media(path)
    except (av.error.FFmpegError, OSError) as error:
        raise MienError(
            f"{path} cannot be read as a video ({error.strerror}): it is of another kind, or was cut off before its "
            "header was written; fetch it again, or remove it"
        ) from error
    with container:
        if not container.streams.video:
            raise MienError(f"{path} has no pictures (sound only?): remove it from the folder of videos")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.thread_count = threads
        yield container, stream


def _decoded(container: Any, stream: Any, packet_ticks: list[int] | None = None) -> Iterator[Any]:
    """Every frame that decodes, in the order of presentation; broken packets are passed over.

    The packets' times are added to `packet_ticks`.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # the file ends in the middle of something
            packet = None
        if packet is not None and packet.dts is not None and packet_ticks is not None:
            packet_ticks.append(packet.dts)
        with suppress(av.error.FFmpegError):
            yield from stream.decode(packet)  # None: what the decoder still holds
        if packet is None or packet.size == 0:
            return


def _timed(container: Any, stream: Any, *, path: Path) -> Iterator[tuple[float, Any]]:
    """Frames with their times in seconds from the start of the file, never decreasing."""
    origin_s = (container.start_time or 0) / av.time_base
    # AVI has no times of presentation. Its packets' are those of the pictures, in another order.
    packet_ticks: list[int] | None = [] if container.format.name == "avi" else None
    last_s = 0.0
    for number, frame in enumerate(_decoded(container, stream, packet_ticks)):
        ticks = packet_ticks[min(number, len(packet_ticks) - 1)] if packet_ticks else frame.pts
        if ticks is not None:
            time_s = max(float(ticks * stream.time_base) - origin_s, last_s)
        else:  # a raw stream, whose rate is constant
            time_s = max(number / _rate(stream), last_s)
        if time_s - last_s > MAX_HOLD_S:
            raise MienError(
                f"{path}: its time stamps jump from {last_s:.1f} s to {time_s:.1f} s; rewrite it with "
                "ffmpeg -i IN -fps_mode cfr OUT"
            )
        yield time_s, frame
        last_s = time_s


def _leapt(container: Any, stream: Any, *, to_s: float) -> Iterator[tuple[float, Any]]:
    """Frames with their times from the last key frame before `to_s` on."""
    origin_s = (container.start_time or 0) / av.time_base
    with suppress(av.error.FFmpegError):  # what cannot be sought in is decoded on from where it is
        container.seek(round((to_s + origin_s) / stream.time_base), stream=stream)
    for frame in _decoded(container, stream):
        if frame.pts is not None:
            yield float(frame.pts * stream.time_base) - origin_s, frame


def _no_picture(path: Path) -> MienError:
    return MienError(f"{path}: not one picture of it can be decoded (cut off or damaged): fetch it again, or remove it")


def _rate(stream: Any) -> float:
    is_known = stream.duration is not None  # else the average is a default, or in units of fields
    return float((stream.average_rate if is_known else stream.guessed_rate) or stream.guessed_rate or 25)


def _end_s(time_s: float, frame: Any, stream: Any, *, duration_s: float) -> float:
    """When the last frame goes; some files give it a duration beyond their own."""
    own_s = float(frame.duration * frame.time_base) if frame.pts is not None and frame.duration else 0.0
    end_s = time_s + (own_s or 1 / _rate(stream))
    return min(end_s, duration_s) if duration_s > time_s else end_s


def _duration_s(container: Any, stream: Any) -> float:
    origin_s = (container.start_time or 0) / av.time_base
    if stream.duration is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - origin_s
    if "DURATION" in stream.metadata:  # Matroska: "00:00:05.040000000"
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return (container.duration or 0) / av.time_base


# ── from the decoder's picture to the displayed one ──────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class _Display:
    """How a coded picture becomes the displayed one: scaled first, then swapped and mirrored."""

    scaled_width: int
    scaled_height: int
    swaps: bool
    mirrors_x: bool
    mirrors_y: bool

    @property
    def width(self) -> int:
        return self.scaled_height if self.swaps else self.scaled_width

    @property
    def height(self) -> int:
        return self.scaled_width if self.swaps else self.scaled_height

    def turn(self, scaled: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        picture = scaled.swapaxes(0, 1) if self.swaps else scaled
        picture = picture[:: -1 if self.mirrors_y else 1, :: -1 if self.mirrors_x else 1]
        return np.ascontiguousarray(picture)


def _display(frame: Any, stream: Any, *, short_side: int | None) -> _Display:
    width = max(1, round(frame.width * float(stream.sample_aspect_ratio or 1)))
    shrink = min(1.0, short_side / min(width, frame.height)) if short_side else 1.0
    a, b, c, d = _display_matrix(frame)  # x' = a x + c y, y' = b x + d y
    swaps = abs(b) > abs(a)
    return _Display(
        scaled_width=max(1, round(width * shrink)),
        scaled_height=max(1, round(frame.height * shrink)),
        swaps=swaps,
        mirrors_x=(c if swaps else a) < 0,
        mirrors_y=(b if swaps else d) < 0,
    )


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV 18 cannot list a picture's side data if Exif is among it; mirrored photos stay mirrored
        return {90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), -180: (-1, 0, 0, -1), -90: (0, 1, -1, 0)}.get(
            frame.rotation, (1, 0, 0, 1)
        )
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    return a, b, c, d


def _converter(stream: Any, *, short_side: int | None, scaling: int) -> Callable[[Any], UInt8[np.ndarray, "h w 3"]]:
    """From decoded frames to displayed RGB of one size, the first frame's; scaled and coloured in one pass."""
    reformatter = VideoReformatter()
    display: _Display | None = None

    def convert(frame: Any) -> UInt8[np.ndarray, "h w 3"]:
        nonlocal display
        display = display or _display(frame, stream, short_side=short_side)
        is_hd_unnamed = frame.colorspace == COLORSPACE_UNSPECIFIED and frame.height >= HD_HEIGHT
        rgb = reformatter.reformat(
            frame,
            width=display.scaled_width,
            height=display.scaled_height,
            format="rgb24",
            src_colorspace=Colorspace.ITU709 if is_hd_unnamed else None,
            interpolation=scaling,
            threads=1,
        )
        return display.turn(rgb.to_ndarray())

    return convert
