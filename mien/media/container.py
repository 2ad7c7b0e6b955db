"""Opening media files: only kinds that hold their pictures and sound themselves.

FFmpeg tells a file's kind by its content, and some kinds are lists of other files or addresses (concat, HLS, DASH, SDP,
numbered pictures): a downloaded or uploaded "video.mp4" of that kind would have it read other files, or ask servers.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av

SELF_CONTAINED = (
    "mov", "matroska", "avi", "asf", "flv", "mpegts", "mpeg", "mxf", "ogg",
    "mpegvideo", "m4v", "h264", "hevc", "obu", "mjpeg",
    "image2", "jpeg_pipe", "png_pipe", "bmp_pipe", "tiff_pipe", "webp_pipe",
    "wav", "w64", "mp3", "aac", "ac3", "eac3", "flac", "aiff", "caf", "amr", "au",
)  # fmt: skip
"""FFmpeg's names of the kinds that are read. (Its `mov` leaves references to other files alone unless told.)"""

OPTIONS = {"format_whitelist": ",".join(SELF_CONTAINED), "protocol_whitelist": "file"}


def open_media(file: Path | io.BytesIO) -> Any:
    """PyAV's container of a file on this machine, or of its bytes. Raises `av.error.FFmpegError` for other kinds."""
    named = str(file.absolute()) if isinstance(file, Path) else file  # a relative name might begin as an address does
    return av.open(named, metadata_errors="replace", options=OPTIONS)
