"""The annotated copy of a video or picture: everyone's box, number and likeliest words, and the sound as it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace
from jaxtyping import UInt8
from PIL import Image

from mien.analyze.boxes_over_time import BoxesOverTime
from mien.analyze.drawing import TOLD, Drawn, Label, colour_of, draw_persons, letters_of, told_word
from mien.analyze.scene import Scene
from mien.analyze.timeline import UNCERTAIN, Timeline
from mien.media.container import open_media
from mien.media.video import IMAGE_SUFFIXES, QUICK_SCALING, read_frames
from mien.types import MienError
from mien.whole_file import whole_file

VIDEO_FILE, PICTURE_FILE = "annotated.mp4", "annotated.jpg"
FILES = (VIDEO_FILE, PICTURE_FILE)
SHORT_SIDE = 720
"""Larger videos are drawn at this size."""
TICKS = 90_000
"""Of the written video's clock a second; every usual frame rate is a whole number of them a picture."""
COPIED_SOUND = frozenset({"aac", "mp3", "ac3", "opus", "alac"})
"""What an MP4 holds as it is; other sound is encoded anew."""
JPEG_QUALITY = 92
MARK = "comment"


def file_of(path: Path, folder: Path) -> Path:
    """Where the annotated copy of `path` lies in a folder."""
    return folder / (PICTURE_FILE if path.suffix.lower() in IMAGE_SUFFIXES else VIDEO_FILE)


def annotated_with(path: Path) -> str | None:
    """The mark that the file was given; None where there is no such file, or none that can be read."""
    if not path.is_file():
        return None
    if path.name == PICTURE_FILE:
        with suppress(OSError), Image.open(path) as image:
            return str(image.info.get("comment", b"").decode(errors="replace")) or None
        return None
    with suppress(av.error.FFmpegError), open_media(path) as container:
        return container.metadata.get(MARK)
    return None


def annotate(
    path: Path,
    out: Path,
    timeline: Timeline,
    scene: Scene,
    *,
    step_s: float,
    mark: str,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Writes `out`, an MP4 (H.264) or for a picture a JPEG, in which `mark` is kept. `step_s` is between samples.

    `on_done` is told how many of how many tenths of a second are drawn. Raises MienError where the sound or the
    pictures go into no MP4, DiskFullError where there is no room.
    """
    artist = _Artist(timeline, scene, step_s=step_s)
    try:
        if scene.video.is_picture:
            _annotate_picture(path, out, artist, mark=mark)
        else:
            _annotate_video(path, out, artist, scene, mark=mark, on_done=on_done)
    except av.error.FFmpegError as error:
        raise MienError(f"{path} cannot be drawn into an MP4 ({error}); leave that out with --no-annotate") from error


def _annotate_picture(path: Path, out: Path, artist: _Artist, *, mark: str) -> None:
    (picture,) = read_frames(path, fps=1.0, short_side=None)
    artist.draw(picture.rgb, 0.0)
    with whole_file(out) as part:
        Image.fromarray(picture.rgb).save(part, format="JPEG", quality=JPEG_QUALITY, comment=mark.encode())


def _annotate_video(
    path: Path, out: Path, artist: _Artist, scene: Scene, *, mark: str, on_done: Callable[[int, int], None]
) -> None:
    total, last = round(10 * scene.video.duration_s), -1
    with (
        whole_file(out) as part,
        open_media(path) as source,
        av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        container.metadata[MARK] = mark
        pictures = read_frames(path, fps=None, short_side=SHORT_SIDE, scaling=QUICK_SCALING)
        first = next(pictures)
        stream, sound = _add_video(container, first.rgb, fps=scene.video.fps), _Sound(source, container)
        for picture in itertools.chain([first], pictures):
            artist.draw(picture.rgb, picture.time_s)
            last = max(last + 1, round(picture.time_s * TICKS))
            _encode(container, stream, picture.rgb, last)
            sound.write(until_s=picture.time_s)
            on_done(min(total, round(10 * picture.time_s)), total)
        container.mux(stream.encode(None))
        sound.write(until_s=np.inf)


class _Artist:
    """Draws everyone of a timeline into pictures that come by time."""

    def __init__(self, timeline: Timeline, scene: Scene, *, step_s: float) -> None:
        self._boxes = BoxesOverTime(timeline, step_s=step_s, shots=scene.shots)
        self._scene = scene
        self._words = timeline.words
        self._widest = max((told_word(word, 1.0) for word in timeline.words), key=len)
        self._probabilities = np.stack([timeline.table[word].to_numpy() for word in timeline.words], axis=1)
        self._numbers = {name: timeline.table[name].to_numpy() for name in timeline.numbers}
        self._track = timeline.table["track"].to_numpy()
        self._is_certain = np.array(timeline.table["top"].to_pylist(), dtype=object) != UNCERTAIN

    def draw(self, rgb: UInt8[np.ndarray, "h w 3"], time_s: float) -> None:
        """Draws into `rgb` whoever is there at a time."""
        height, width = rgb.shape[:2]
        scale = np.array([width / self._scene.video.width, height / self._scene.video.height] * 2)
        size = letters_of(height, width)
        persons = [
            Drawn(xyxy=box.xyxy * scale, label=self._label(box.row), colour=colour_of(int(self._track[box.row])))
            for box in self._boxes.at(time_s)
        ]
        draw_persons(rgb, persons, size=size)

    def _label(self, row: int) -> Label:
        probabilities = self._probabilities[row]
        likeliest = np.argsort(-probabilities, kind="stable")[:TOLD]
        bars = tuple(
            (told_word(self._words[i], float(probabilities[i])), round(float(probabilities[i]), 2)) for i in likeliest
        )
        numbers = "".join(f"  {name} {values[row]:+.1f}" for name, values in self._numbers.items())
        is_certain = bool(self._is_certain[row])
        heading = f"person {self._track[row]}{numbers}{'' if is_certain else ': uncertain'}"
        return Label(heading=heading, bars=bars, widest=self._widest, is_certain=is_certain)


def _add_video(container: Any, rgb: UInt8[np.ndarray, "h w 3"], *, fps: float) -> Any:
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
    stream.height, stream.width = (max(2, side // 2 * 2) for side in rgb.shape[:2])  # yuv420p halves them
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "superfast", "crf": "21"}  # veryfast: 2/3 of the size in 2.3 times the time
    stream.codec_context.time_base = Fraction(1, TICKS)
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = Colorspace.ITU709.value
    return stream


def _encode(container: Any, stream: Any, rgb: UInt8[np.ndarray, "h w 3"], ticks: int) -> None:
    even = np.ascontiguousarray(rgb[: stream.height, : stream.width])
    frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709
    )
    frame.pts, frame.time_base = ticks, Fraction(1, TICKS)
    container.mux(stream.encode(frame))


class _Sound:
    """The sound of one file, written to another bit by bit, so that neither waits for the other."""

    def __init__(self, source: Any, container: Any) -> None:
        self._container = container
        self._stream: Any = None
        self._packets: Iterator[Any] = iter(())
        heard = next((stream for stream in source.streams.audio if stream.codec_context is not None), None)
        if heard is None:
            return
        self._is_copied = heard.codec_context.name in COPIED_SOUND
        if self._is_copied:
            self._stream = container.add_stream_from_template(heard)
        else:
            self._stream = container.add_stream("aac", rate=heard.codec_context.sample_rate or 48_000)
        self._origin_s = (source.start_time or 0) / av.time_base
        self._packets = iter(source.demux(heard))
        self._held: Any = None

    def write(self, *, until_s: float) -> None:
        """Writes what is heard before a time."""
        while self._stream is not None:
            packet = self._held or self._next()
            self._held = None
            if packet is None:
                if not self._is_copied:
                    self._container.mux(self._stream.encode(None))
                self._stream = None
                return
            if packet.pts is not None and float(packet.pts * packet.time_base) - self._origin_s > until_s:
                self._held = packet
                return
            self._put(packet)

    def _next(self) -> Any:
        with suppress(av.error.FFmpegError):  # the file ends in the middle of something
            return next((packet for packet in self._packets if packet.size), None)
        return None

    def _put(self, packet: Any) -> None:
        origin = round(self._origin_s / packet.time_base)
        if self._is_copied:
            if packet.dts is None or packet.pts is None:
                return
            packet.pts, packet.dts = packet.pts - origin, packet.dts - origin  # what primes the decoder is before 0
            packet.stream = self._stream
            self._container.mux(packet)
            return
        frames = []
        with suppress(av.error.FFmpegError):  # what does not decode is silent
            frames = packet.decode()
        for frame in frames:
            frame.pts = None if frame.pts is None else max(0, frame.pts - origin)
            self._container.mux(self._stream.encode(frame))
