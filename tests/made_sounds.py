"""Small files of sound for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_sound(
    path: Path,
    *,
    seconds: float = 3.0,
    amplitude: float = 0.5,
    rate: int = 44_100,
    start_s: float = 0.0,
    with_video: bool = False,
) -> Path:
    """A file with a stereo tone, 440 Hz in both channels; with grey pictures from 0 s on where asked for."""
    samples = np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate).astype(np.float32) * amplitude
    with av.open(str(path), "w") as container:
        if with_video:
            pictures = container.add_stream("libx264", rate=8)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le" if path.suffix in (".wav", ".mkv") else "aac", rate=rate)
        sound.layout = "stereo"
        if with_video:
            for k in range(round((start_s + seconds) * 8)):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100, np.uint8), "rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 8)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode())
        stereo = np.stack([samples, samples])
        for first in range(0, stereo.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stereo[:, first : first + 1024]), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, first + round(start_s * rate), Fraction(1, rate)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path
