"""The stage that stores a video's pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from mien.config import Config
from mien.data.store import CUT_OFF
from mien.media.frames import FrameReader, FrameWriter
from mien.media.video import IMAGE_SUFFIXES, probe_video, read_frames
from mien.types import Skipped, VideoInfo

LEAST_MISSING_S = 1.0  # headers are that wrong in whole videos: sound that ends later, rounded frame rates


class FrameSettings(Config):
    """Which pictures are kept, and how."""

    fps: float = Field(8.0, gt=0)
    short_side: int = Field(256, gt=0)
    """Larger pictures are shrunk to it, smaller ones kept."""
    jpeg_quality: int = Field(90, ge=1, le=100)
    """90 keeps 42 dB in 16 kB a picture of 455x256; 95 takes half as much again for 2 dB."""


def make_frames(
    video: Path,
    out: Path,
    *,
    settings: FrameSettings,
    made_with: dict[str, Any],
    threads: int = 0,
    on_fraction: Callable[[float], None] = lambda _: None,
) -> None:
    """Decode `video` into the frame store `out`. Raises MienError where there is nothing to decode."""
    probe = probe_video(video)
    pictures = read_frames(video, fps=settings.fps, short_side=settings.short_side, threads=threads)
    first = next(pictures)
    info = VideoInfo(
        source=video.name,
        source_width=probe.width,
        source_height=probe.height,
        source_duration_s=0.0 if video.suffix.lower() in IMAGE_SUFFIXES else probe.duration_s,
        width=first.rgb.shape[1],
        height=first.rgb.shape[0],
        fps=settings.fps,
        num_frames=0,
    )
    with FrameWriter(out, info=info, made_with=made_with, quality=settings.jpeg_quality) as writer:
        writer.add(first.rgb, time_s=first.time_s)
        for picture in pictures:
            writer.add(picture.rgb, time_s=picture.time_s)
            on_fraction(min(1.0, picture.time_s / max(probe.duration_s, picture.time_s, 1e-9)))


def missing_part(reader: FrameReader, *, video: str) -> Skipped | None:
    """What of a video did not decode, by its header."""
    info = reader.info
    if not is_cut_off(info):
        return None
    decoded_s = info.num_frames / info.fps
    return Skipped(what=video, reason=f"{CUT_OFF} {decoded_s:.1f} of {info.source_duration_s:.1f} s")


def is_cut_off(info: VideoInfo) -> bool:
    """Whether less of a video decoded than its header tells of."""
    return info.source_duration_s - info.num_frames / info.fps > LEAST_MISSING_S
