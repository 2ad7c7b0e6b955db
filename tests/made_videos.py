"""Small videos for tests: frame k is grey of level 8 k, with a white upper left quarter where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GREY_STEP = 8


def write_video(
    path: Path,
    *,
    num_frames: int = 16,
    fps: int = 8,
    width: int = 64,
    height: int = 48,
    times_ms: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int | None = None,
    pixel_aspect: Fraction | None = None,
    marks_corner: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A video of `num_frames` frames at `fps`, or at `times_ms`. `rotation` is the flag's, counter-clockwise."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, fps if path.suffix == ".avi" else 1000)
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for k in range(num_frames):
            frame = av.VideoFrame.from_ndarray(grey(k, width=width, height=height, marks_corner=marks_corner), "rgb24")
            frame.pts = times_ms[k] if times_ms else round(1000 * k / fps)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def grey(k: int, *, width: int = 64, height: int = 48, marks_corner: bool = False) -> np.ndarray:
    picture = np.full((height, width, 3), min(GREY_STEP * k, 255), np.uint8)
    if marks_corner:
        picture[: height // 2, : width // 2] = 255
    return picture


def number_of(picture: np.ndarray) -> int:
    """Which frame of `write_video` a picture is."""
    return round(float(picture.mean()) / GREY_STEP)


def write_subtitles(path: Path, lines: Sequence[tuple[float, float, str]]) -> Path:
    """An .srt file of (start_s, end_s, text)."""
    cues = [f"{i}\n{_clock(s)} --> {_clock(e)}\n{text}\n" for i, (s, e, text) in enumerate(lines, start=1)]
    path.write_text("\n".join(cues), encoding="utf-8")
    return path


def _clock(seconds: float) -> str:
    whole, ms = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{ms:03}"
