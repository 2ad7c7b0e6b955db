"""A drawn scene by itself, as a picture or a short video: what the fakes of other people's releases show."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mien.theatre.play import write_play
from mien.theatre.render import Seen, render
from mien.theatre.script import open_script
from mien.theatre.settings import TheatreSettings
from mien.theatre.write import encode

Drawn = tuple[UInt8[np.ndarray, "h w 3"], list[Seen]]


def draw_frames(*, seed: int, num_frames: int, width: int = 160, height: int = 128, fps: int = 8) -> Iterator[Drawn]:
    """So many frames of a scene (RGB, each valid until the next) and whom they show; a function of its arguments.

    The sides are even, from 64 pixels up; fps from 8 to 60.
    """
    settings = TheatreSettings(seed=seed, width=width, height=height, fps=fps, min_utterances=1)
    utterances = max(1, num_frames // fps)  # of a second at the least
    settings = settings.model_copy(update={"min_utterances": utterances, "max_utterances": utterances})
    script = open_script(settings.utterances, "train", wordings=None)
    beats = write_play(settings, "train", 0, script=script, pictures=None)
    return islice(render(beats, width=width, height=height, fps=fps, pictures=None), num_frames)


def draw_picture(*, seed: int, width: int = 160, height: int = 128) -> Drawn:
    """A single picture, and whom it shows."""
    image, seen = next(draw_frames(seed=seed, num_frames=1, width=width, height=height))
    return image.copy(), seen


def write_drawn_video(
    path: Path, *, seed: int, num_frames: int, width: int = 160, height: int = 128, fps: int = 8
) -> list[list[Seen]]:
    """An mp4 without sound; whom each of its frames shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = draw_frames(seed=seed, num_frames=num_frames, width=width, height=height, fps=fps)
    return encode(path, frames, width=width, height=height, fps=fps)
