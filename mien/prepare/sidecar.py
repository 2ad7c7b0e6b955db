"""The boxes side-car `NAME.boxes.csv`: who is where in a video, and who speaks, at times someone annotated.

The format is defined in docs/data.md.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from mien.types import BoxTable, MienError
from mien.whole_file import write_whole

SUFFIX = ".boxes.csv"
REQUIRED = ("time_s", "track", "x0", "y0", "x1", "y1")
OPTIONAL = ("score", "speaking")
LONGEST_GAP_S = 1.0  # rows of a track further apart say that the person was away between them


@dataclass(frozen=True, kw_only=True, slots=True)
class SidecarRow:
    """One person at one time."""

    time_s: float
    track: int
    xyxy: tuple[float, float, float, float]
    score: float = 1.0
    speaking: bool = False


def sidecar_of(stem: str, beside: Iterable[Path]) -> Path | None:
    """The side-car among the files beside a video of that stem, if there is one."""
    return next((path for path in beside if path.name == stem + SUFFIX), None)


def read_sidecar(path: Path) -> list[SidecarRow]:
    """The rows in order of track and time. Raises MienError with the line's number where one makes no sense."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = tuple(reader.fieldnames or ())
        if not set(REQUIRED) <= set(header) <= {*REQUIRED, *OPTIONAL}:
            raise MienError(
                f"{path}, line 1: the columns are {', '.join(header) or '(none)'}; they must be {', '.join(REQUIRED)}, "
                f"and may be {', '.join(OPTIONAL)} as well"
            )
        try:
            rows = [_row(fields, source=f"{path}, line {reader.line_num}") for fields in reader]
        except (UnicodeDecodeError, csv.Error) as error:
            raise MienError(f"{path}, after line {reader.line_num}: {error}; it must be CSV in UTF-8") from error
    rows.sort(key=lambda row: (row.track, row.time_s))
    for before, row in pairwise(rows):
        if (before.track, before.time_s) == (row.track, row.time_s):
            raise MienError(f"{path}: track {row.track} is twice at {row.time_s} s; keep one of the two rows")
    return rows


def write_sidecar(path: Path, rows: Iterable[SidecarRow]) -> None:
    """Writes a side-car unless it is there as it should be; it appears whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*REQUIRED, *OPTIONAL])
    writer.writerows([row.time_s, row.track, *row.xyxy, row.score, int(row.speaking)] for row in rows)
    if not path.is_file() or path.read_text(encoding="utf-8") != text.getvalue():
        write_whole(path, text.getvalue())


def boxes_at(
    rows: list[SidecarRow], times_s: Float64[np.ndarray, "f"], *, fps: float, width: int, height: int
) -> BoxTable:
    """Everyone's box in the frames that appear at `times_s`, in pixels of the source of that width and height.

    Linear between two rows of a track at most a second apart. A track reaches half a frame's time beyond its first and
    last row, so that no annotated row falls between two frames. Boxes wholly outside the picture are left out.
    """
    parts = [_appearance(list(run), times_s, reach_s=0.5 / fps) for run in _runs(rows)]
    if not parts:
        parts = [_appearance([], times_s, reach_s=0.0)]
    frame, xyxy, score, track, speaking = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    visible = (np.minimum(xyxy[:, 2:], [width, height]) > np.maximum(xyxy[:, :2], 0)).all(axis=1)
    order = np.flatnonzero(visible)[np.lexsort((track[visible], frame[visible]))]
    return BoxTable(
        frame=frame[order], xyxy=xyxy[order], score=score[order], track=track[order], speaking=speaking[order]
    )


def _runs(rows: list[SidecarRow]) -> Iterator[list[SidecarRow]]:
    """Rows of one track without a gap, one list an appearance."""
    for _, of_track in groupby(rows, key=lambda row: row.track):
        run: list[SidecarRow] = []
        for row in of_track:
            if run and row.time_s - run[-1].time_s > LONGEST_GAP_S + 1e-9:  # 1.3 - 0.3 is a little more than 1
                yield run
                run = []
            run.append(row)
        yield run


def _appearance(
    run: list[SidecarRow], times_s: Float64[np.ndarray, "f"], *, reach_s: float
) -> tuple[np.ndarray, Float32[np.ndarray, "n 4"], np.ndarray, np.ndarray, np.ndarray]:
    """Columns of a BoxTable for one appearance of one track."""
    known_s = np.array([row.time_s for row in run])
    if not run:
        frames = np.zeros(0, np.int32)
    else:
        frames = np.flatnonzero((times_s > known_s[0] - reach_s) & (times_s <= known_s[-1] + reach_s)).astype(np.int32)
    known = np.array([(*row.xyxy, row.score) for row in run], np.float64).reshape(-1, 5)
    at = [np.interp(times_s[frames], known_s, column) if run else np.zeros(0) for column in known.T]
    earlier = np.maximum(np.searchsorted(known_s, times_s[frames] + 1e-6, side="right") - 1, 0)
    return (
        frames,
        np.stack(at[:4], axis=1).astype(np.float32),
        at[4].astype(np.float32),
        np.full(len(frames), run[0].track if run else -1, np.int32),
        np.array([row.speaking for row in run], np.bool_)[earlier],
    )


def _row(fields: dict[str, str], *, source: str) -> SidecarRow:
    if None in fields or None in fields.values():
        raise MienError(f"{source}: the row has not as many values as the header has names")
    x0, y0, x1, y1 = (_number(fields[name], name=name, source=source) for name in ("x0", "y0", "x1", "y1"))
    time_s = _number(fields["time_s"], name="time_s", source=source)
    track = _number(fields["track"], name="track", source=source)
    score = _number(fields.get("score") or "1", name="score", source=source)
    speaking = fields.get("speaking") or "0"
    if time_s < 0:
        raise MienError(f"{source}: time_s is {time_s}; times count from the start of the video")
    if track != int(track) or track < 0:
        raise MienError(f"{source}: track is {fields['track']!r}; it must be a whole number, 0 or more")
    if x1 <= x0 or y1 <= y0:
        raise MienError(f"{source}: the box {x0} {y0} {x1} {y1} is empty; it must have x0 < x1 and y0 < y1")
    if not 0 <= score <= 1:
        raise MienError(f"{source}: score is {score}; it must lie in [0, 1]")
    if speaking.strip() not in ("0", "1"):
        raise MienError(f"{source}: speaking is {speaking!r}; it must be 0 or 1")
    return SidecarRow(
        time_s=time_s, track=int(track), xyxy=(x0, y0, x1, y1), score=score, speaking=speaking.strip() == "1"
    )


def _number(text: str, *, name: str, source: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MienError(f"{source}: {name} is {text!r}, not a number")
    return number
