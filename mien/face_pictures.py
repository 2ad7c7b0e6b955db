"""Faces drawn: a picture, or some moments of a video, with each face's box and what it is scored as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.analyze.drawing import LEAST_LETTERS, TOLD, Drawn, Label, colour_of, draw_persons, letters_of, told_word
from mien.face_moments import FaceMoment
from mien.inference import PREPARING
from mien.media.sampling import evenly
from mien.media.video import read_frames
from mien.types import MienError
from mien.whole_file import whole_file

WIDTH_IN, DPI = 12.0, 110
APART_S = 0.75
"""A face that was seen sooner before or after a picture is drawn in it, where it was."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")


def draw_faces(path: Path, moments: Sequence[FaceMoment], out: Path, *, at_most: int = 9) -> tuple[int, int]:
    """Writes the picture `out`: of a video, up to `at_most` of its moments, evenly chosen, side by side.

    path: the file that `moments` are of. How many moments were drawn comes back, and of how many. Raises MienError for
    an `out` whose ending is no picture's.
    """
    require_picture(out)
    times = _apart(sorted(moment.seen_s for moment in moments)) or [0.0]
    shown = [times[i] for i in evenly(len(times), count=at_most)] if len(times) > at_most else times
    pictures = list(_pictures(path, shown))
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0][1].shape[:2]
    figure = Figure(figsize=(WIDTH_IN, WIDTH_IN / columns * height / width * rows), layout="tight")
    FigureCanvasAgg(figure)
    size = max(letters_of(height, width), round(LEAST_LETTERS * width * columns / (WIDTH_IN * DPI)))
    for number, (time_s, rgb) in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, number + 1)
        seen = [moment for moment in moments if abs(moment.seen_s - time_s) < APART_S]
        draw_persons(rgb, [_drawn(moment) for moment in seen], size=size)
        axes.imshow(rgb)
        axes.axis("off")
        if len(times) > 1:
            axes.set_title(f"{time_s:.1f} s", fontsize=9, loc="left", pad=2)
    with whole_file(out) as partial:
        figure.savefig(partial, dpi=DPI, format=out.suffix[1:].lower().replace("jpg", "jpeg"))
    return len(pictures), len(times)


def require_picture(out: Path) -> None:
    """Raise MienError unless a picture can be written by this name."""
    if out.suffix.lower() not in SUFFIXES:
        raise MienError(f"{out} is, by its name, no picture; end it in one of {', '.join(SUFFIXES)}")


def _apart(times_s: Sequence[float]) -> list[float]:
    """Without those that come sooner than APART_S after another: of two people in one stretch, one picture."""
    kept = list[float]()
    for time_s in times_s:
        if not kept or time_s - kept[-1] >= APART_S:
            kept.append(time_s)
    return kept


def _pictures(path: Path, times_s: Sequence[float]) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
    """What a viewer sees at these times, in order; they are among those at which faces were looked for."""
    fps = PREPARING.frames.fps
    wanted = {round(time_s * fps): time_s for time_s in times_s}
    for number, picture in enumerate(read_frames(path, fps=fps, short_side=None)):
        if number in wanted:
            yield wanted[number], np.array(picture.rgb)  # a copy, to be drawn on
        if number >= max(wanted):
            return


def _drawn(moment: FaceMoment) -> Drawn:
    ranked = sorted(moment.scores, key=lambda word: -moment.scores[word])[:TOLD]
    label = Label(
        heading=f"person {moment.person}",
        bars=tuple((told_word(word, moment.scores[word]), round(moment.scores[word], 2)) for word in ranked),
        widest=max((told_word(word, 1.0) for word in ranked), key=len),
        is_certain=True,
    )
    return Drawn(xyxy=np.array(moment.xyxy), label=label, colour=colour_of(moment.person))
