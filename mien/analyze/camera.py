"""Recording a camera into a video file, to be analysed as any other."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from mien.types import MienError
from mien.whole_file import whole_file

RECORDING = "recording.mp4"
TICKS = 90_000
USUAL_FPS = 30

OpenCamera = Callable[[Path], Any]
"""A device → an open PyAV container."""


def device_of(source: str) -> Path | None:
    """The device that `camera:0` or `/dev/video0` means; None for what means no camera."""
    if named := re.fullmatch(r"camera:(\d+)", source):
        return Path(f"/dev/video{named[1]}")
    return Path(source) if re.fullmatch(r"/dev/video\d+", source) else None


def open_v4l2(device: Path) -> Any:
    """A camera under Linux (Video4Linux). Raises MienError where there is none, or it cannot be read."""
    if not device.exists():
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise MienError(
            f"no camera at {device}; there is {', '.join(there) or 'none'} (only Linux's are known: elsewhere, "
            "record a file with another program and analyse that)"
        )
    try:
        return av.open(str(device), format="v4l2")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MienError(f"the camera {device} cannot be read ({error}); is another program using it?") from error


def record(
    device: Path,
    out: Path,
    *,
    seconds: float | None,
    on_seconds: Callable[[float], None] = lambda seconds: None,
    should_stop: Callable[[], bool] = lambda: False,
    open_camera: OpenCamera = open_v4l2,
) -> float:
    """Records pictures, no sound, into the MP4 `out`; returns its length in seconds.

    Until `seconds` are over, `should_stop` says so, or Ctrl-C: what is recorded then is whole. `on_seconds` is told how
    long it is already. Raises MienError where not one picture comes.
    """
    with open_camera(device) as camera, whole_file(out) as part, av.open(str(part), "w", format="mp4") as made:
        stream: Any = None
        length_s = 0.0
        with suppress(KeyboardInterrupt):
            for time_s, frame in _timed(camera):
                if (seconds is not None and time_s >= seconds) or should_stop():
                    break
                if stream is None:
                    stream = _add_stream(made, frame)
                even = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
                even.pts, even.time_base = round(time_s * TICKS), Fraction(1, TICKS)
                made.mux(stream.encode(even))
                length_s = time_s
                on_seconds(time_s)
        if stream is None:
            raise MienError(f"not one picture came from {device}; is it covered by a switch, or in use?")
        made.mux(stream.encode(None))
    return length_s


def _timed(camera: Any) -> Iterator[tuple[float, Any]]:
    """The camera's pictures with their times since the first, increasing; by its clock, or ours where it has none."""
    first_s, last_s = None, -1.0
    for frame in _decoded(camera):
        now_s = time.monotonic() if frame.pts is None else float(frame.pts * frame.time_base)
        first_s = now_s if first_s is None else first_s
        if now_s - first_s > last_s:
            last_s = now_s - first_s
            yield last_s, frame


def _decoded(camera: Any) -> Iterator[Any]:
    try:
        yield from camera.decode(video=0)
    except (av.error.FFmpegError, OSError) as error:
        if error.errno not in (errno.ENODEV, errno.EIO):  # unplugged: what came is kept
            raise MienError(f"the camera stopped: {error}; record again") from error


def _add_stream(made: Any, frame: Any) -> Any:
    stream = made.add_stream("libx264", rate=USUAL_FPS)
    stream.width, stream.height = frame.width // 2 * 2, frame.height // 2 * 2
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "veryfast", "crf": "20"}
    stream.codec_context.time_base = Fraction(1, TICKS)
    return stream
