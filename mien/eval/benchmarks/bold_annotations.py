"""BoLD's annotation files: rows of labels, and the joints from which a person's boxes are made."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from mien.eval.benchmarks.release import leads_out
from mien.prepare.sidecar import SidecarRow
from mien.types import CATEGORIES, MienError

VAD = ("valence", "arousal", "dominance")
ATTRIBUTES = ("gender", "age", "ethnicity", "confidence")
PLACE = ("video", "person_id", "min_frame", "max_frame")
COLUMNS = (*PLACE, *CATEGORIES, *VAD, *ATTRIBUTES)
"""The columns of train.csv and val.csv, which have no header; test_meta.csv has those of PLACE only."""

NUM_JOINTS = 18  # COCO's seventeen and the neck
JOINT_COLUMNS = 2 + 3 * NUM_JOINTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One person in one clip, as annotated; frames count from the clip's first, `max_frame` is the last."""

    line: int
    video: str
    person: int
    min_frame: int
    max_frame: int
    scores: tuple[float, ...]
    vad: tuple[float, float, float]
    attributes: dict[str, str]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of train.csv or val.csv. Raises MienError with the line and the value that makes no sense."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            for values in reader:
                if values:
                    yield _row(values, line=reader.line_num, path=path)
        except (UnicodeDecodeError, csv.Error) as error:
            raise MienError(
                f"{path}, after line {reader.line_num}: {error}; extract it from BoLD's archive again"
            ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Extents:
    """Where the detected joints of everybody in a clip reach to, a row a person and frame in the file's order.

    `frame` counts from the clip's first. `xyxy` is in pixels of the video, of no use where nothing was detected.
    """

    frame: Int64[np.ndarray, "m"]
    person: Int64[np.ndarray, "m"]
    xyxy: Float64[np.ndarray, "m 4"]
    is_detected: Bool[np.ndarray, "m"]


def read_extents(path: Path) -> Extents:
    """The file `joints/….npy` of a clip: rows of frame in the source video, person, 18 × (x, y, confidence).

    The clip's first frame is the smallest one that anybody has joints in. A joint of three zeros was not detected. As
    in EmotionCLIP's loader the box is from the floor of the smallest coordinate to the ceiling of the greatest; unlike
    there, it is never empty (one joint at a whole coordinate is a box of one pixel).
    """
    table = _load(path)
    joints = table[:, 2:].reshape(-1, NUM_JOINTS, 3)
    detected = (joints != 0).any(axis=2)  # [m, 18]
    xy = joints[:, :, :2]
    low = np.floor(np.where(detected[..., None], xy, np.inf).min(axis=1))  # [m, 2]
    high = np.ceil(np.where(detected[..., None], xy, -np.inf).max(axis=1))
    frame = table[:, 0].astype(np.int64)
    return Extents(
        frame=frame - (frame.min() if len(frame) else 0),
        person=table[:, 1].astype(np.int64),
        xyxy=np.concatenate([low, np.maximum(high, low + 1)], axis=1),
        is_detected=detected.any(axis=1),
    )


def boxes_of(extents: Extents, *, person: int, fps: float) -> tuple[SidecarRow, ...]:
    """That person's boxes as side-car rows: score 1 in frames with joints; frames without have no box.

    A side-car's boxes are interpolated over gaps, and reach a little beyond the last. So a frame without joints beside
    one with joints has the same box with score 0: a box that nothing counts.
    """
    mine = np.flatnonzero((extents.person == person) & extents.is_detected)
    boxes = {int(extents.frame[row]): tuple(map(float, extents.xyxy[row])) for row in mine}
    beside = {k: box for frame, box in boxes.items() for k in (frame - 1, frame + 1) if k >= 0 and k not in boxes}
    return tuple(
        SidecarRow(time_s=frame / fps, track=person, xyxy=box, score=float(frame in boxes))  # type: ignore[arg-type]
        for frame, box in sorted((boxes | beside).items())
    )


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def _row(values: list[str], *, line: int, path: Path) -> Row:
    where = f"{path}, line {line}"
    if len(values) == len(PLACE):
        raise MienError(
            f"{where}: {len(PLACE)} columns and no labels, as in test_meta.csv; take the released {path.name}"
        )
    if len(values) != len(COLUMNS):
        raise MienError(f"{where}: {len(values)} columns where BoLD has {len(COLUMNS)}; is it BoLD's {path.name}?")
    fields = dict(zip(COLUMNS, (value.strip() for value in values), strict=True))
    if not fields["video"].endswith(".mp4") or leads_out(fields["video"]):
        raise MienError(
            f"{where}: {fields['video']!r} is no video of BoLD, such as 003/ID.mp4/0012.mp4; the released file has no "
            "header and none to be added"
        )
    first, last = (_whole(fields, name, where=where) for name in ("min_frame", "max_frame"))
    if last < first:
        raise MienError(f"{where}: max_frame {last} is before min_frame {first}; is it BoLD's {path.name}?")
    scores = tuple(_number(fields, name, where=where) for name in CATEGORIES)
    for name, score in zip(CATEGORIES, scores, strict=True):
        if not 0 <= score <= 1:
            raise MienError(f"{where}: {name} is {score}; scores lie in [0, 1], so the columns are not BoLD's")
    valence, arousal, dominance = (_number(fields, name, where=where) for name in VAD)
    return Row(
        line=line,
        video=fields["video"],
        person=_whole(fields, "person_id", where=where),
        min_frame=first,
        max_frame=last,
        scores=scores,
        vad=(valence, arousal, dominance),
        attributes={name: fields[name] for name in ATTRIBUTES if fields[name]},
    )


def _number(fields: dict[str, str], name: str, *, where: str) -> float:
    try:
        number = float(fields[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MienError(
            f"{where}: {name} is {fields[name]!r}, not a number; extract the file from BoLD's archive again"
        )
    return number


def _whole(fields: dict[str, str], name: str, *, where: str) -> int:
    number = _number(fields, name, where=where)
    if number != int(number) or number < 0:
        raise MienError(f"{where}: {name} is {fields[name]!r}; it must be a whole number, 0 or more")
    return int(number)


def _load(path: Path) -> Float64[np.ndarray, "m 56"]:
    try:
        table = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MienError(f"{path} cannot be read ({error}); extract it from BoLD's archive again") from error
    if table.ndim != 2 or table.shape[1] != JOINT_COLUMNS:
        raise MienError(f"{path} has shape {table.shape} where BoLD's joints have (rows, {JOINT_COLUMNS})")
    if table.dtype.kind not in "fiu" or not np.isfinite(table).all():
        raise MienError(f"{path} has values that are not finite numbers; extract it from BoLD's archive again")
    return table.astype(np.float64)
