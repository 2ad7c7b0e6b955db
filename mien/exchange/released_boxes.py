"""The persons of a released `human_boxes.json`, brought back from YOLOv7's letterbox to the video's own pixels."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from mien.data.tables import NO_BOXES
from mien.exchange.letterbox import letterbox as letterbox_of
from mien.types import BoxTable, MienError, Skipped, VideoInfo

REACH = 1.25
"""YOLOv7's boxes may reach a little beyond its picture; beyond this many times its size, they are of another one."""


def read_human_boxes(
    path: Path | None, info: VideoInfo, *, first_number: int, letterbox: tuple[int, int] | None
) -> tuple[BoxTable, list[Skipped]]:
    """The persons of a video, in pixels of the source, and how many boxes are left out for which reason.

    `first_number` is the number of the first picture in the released files; `letterbox` the side and stride of the
    letterbox that the boxes are pixels of, None if they are of the picture itself. There are no tracks, and nobody is
    known to speak. Raises MienError where the file is no such list, or its boxes are of another letterbox.
    """
    if path is None:
        return NO_BOXES, []
    found = list(_boxes(path))
    numbers = np.array([number for number, _ in found], np.int64)
    rows = np.array([box for _, box in found], np.float32).reshape(-1, 5)
    xyxy, score = _to_source(rows[:, :4], info, letterbox=letterbox, path=path), rows[:, 4]
    frame = numbers - first_number
    is_finite = np.isfinite(rows).all(axis=1)
    has_frame = (frame >= 0) & (frame < info.num_frames)
    is_inside = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    chosen = np.flatnonzero(is_finite & has_frame & is_inside)
    chosen = chosen[np.lexsort((-score[chosen], frame[chosen]))]
    table = BoxTable(
        frame=frame[chosen].astype(np.int32),
        xyxy=xyxy[chosen],
        score=score[chosen],
        track=np.full(len(chosen), -1, np.int32),
        speaking=np.zeros(len(chosen), np.bool_),
    )
    left_out = {
        "are not numbers": ~is_finite,
        "are of pictures that there are not": is_finite & ~has_frame,
        "are empty, or lie wholly outside of the picture": is_finite & has_frame & ~is_inside,
    }
    return table, [
        Skipped(what="boxes", reason=f"{which.sum()} of {len(rows)} {why}")
        for why, which in left_out.items()
        if which.any()
    ]


def _boxes(path: Path) -> Iterator[tuple[int, list[float]]]:
    """The number of a picture and one of its boxes with its score, for every box of the file."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MienError(f"{path} is not JSON ({error}); copy it again") from error
    for pictures in told if isinstance(told, list) else [told]:
        if not isinstance(pictures, dict):
            raise _wrong(path, pictures)
        for name, boxes in pictures.items():
            number = name.partition(".")[0]
            if not number.isdecimal() or not isinstance(boxes, list):
                raise _wrong(path, {name: boxes})
            for box in boxes:
                yield int(number), _numbers(box, path)


def _numbers(box: Any, path: Path) -> list[float]:
    if not isinstance(box, list) or len(box) < 5 or not all(isinstance(x, int | float) for x in box):
        raise _wrong(path, box)
    return [float(x) for x in box[:5]]


def _wrong(path: Path, part: Any) -> MienError:
    return MienError(
        f"{path} has {str(part)[:80]!r} in it; it must be a list of "
        '{"00000001.jpg": [[x0, y0, x1, y1, score], …]}, as the pipeline writes it'
    )


def _to_source(
    xyxy: Float32[np.ndarray, "n 4"], info: VideoInfo, *, letterbox: tuple[int, int] | None, path: Path
) -> Float32[np.ndarray, "n 4"]:
    width, height = info.source_width, info.source_height
    if letterbox is None:
        return np.clip(xyxy, 0, np.array([width, height] * 2, np.float32))
    side, stride = letterbox
    box = letterbox_of(source_width=width, source_height=height, side=side, stride=stride)
    finite = xyxy[np.isfinite(xyxy).all(axis=1)]
    reach_x, reach_y = finite[:, 2:].max(axis=0, initial=0).tolist()
    if reach_x > REACH * box.padded_width or reach_y > REACH * box.padded_height:
        raise MienError(
            f"{path} has boxes up to ({math.ceil(reach_x)}, {math.ceil(reach_y)}), but a {width}x{height} picture is "
            f"{box.padded_width}x{box.padded_height} in YOLOv7's letterbox of {side}; say what they are pixels of: "
            "another letterbox_side, or boxes_in source"
        )
    return box.to_source(xyxy)
