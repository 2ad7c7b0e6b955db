"""A small EMOTIC: drawn people in the official layout, annotated as the release annotates, faults and all."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from jaxtyping import Shaped

from mien.eval.benchmarks.fake_pictures import encode
from mien.theatre.drawn import draw_picture
from mien.types import CATEGORIES

WIDTH, HEIGHT = 128, 96
NUM_PICTURES = {"train": 10, "val": 6, "test": 6}
NAMES = {
    "mscoco": "COCO_train2014_{:012d}.jpg",
    "framesdb": "frame_{:016x}.jpg",
    "emodb_small": "{:015x}.jpg",
    "ade20k": "sun_{:016x}.jpg",
}
CORRUPT = "frame_0cs63q843g5bdvq5.jpg"
HEADER = b"MATLAB 5.0 MAT-file, Platform: GLNXA64, Created by mien: drawn people"
"""In place of scipy's, which has the time in it."""


def write_fake_emotic(root: Path) -> None:
    """`emotic/<database>/images/*.jpg` and `Annotations/Annotations.mat`, with

    one and several persons a picture and categories a person, boxes that leave the picture, several annotators in val
    and test, continuous values that are NaN (train), a test person whom no category is combined for, and the corrupt
    picture (train).
    """
    content = {split: _split(root, split, first=100 * number) for number, split in enumerate(NUM_PICTURES)}
    file = io.BytesIO()
    scipy.io.savemat(file, content, do_compression=True, oned_as="row")
    data = HEADER.ljust(116) + file.getvalue()[116:]
    path = root / "Annotations" / "Annotations.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _split(root: Path, split: str, *, first: int) -> Shaped[np.ndarray, "1 n"]:
    pictures = []
    for position in range(NUM_PICTURES[split]):
        number = first + position
        database = list(NAMES)[position % len(NAMES)]
        corrupt = split == "train" and position == 1
        filename = CORRUPT if corrupt else NAMES[database].format(7 * number + 1)
        boxes = _draw(root / "emotic" / database / "images" / filename, seed=number, corrupt=corrupt)
        people = [_person(box, split=split, number=3 * number + i) for i, box in enumerate(boxes)]
        if position == 0:  # partly outside, as some boxes are
            people[0]["body_bbox"] = np.array([[-12, -7, WIDTH // 2, HEIGHT + 9]], dtype=np.int16)
        if split == "train" and position == 2:
            people[0]["annotations_continuous"] = _continuous(np.nan, 5, np.nan)
        if split == "test" and position == 2:
            people[0]["combined_categories"] = np.zeros((0, 0))
        pictures.append(
            {
                "filename": filename,
                "folder": f"{database}/images",
                "image_size": struct([{"n_col": WIDTH, "n_row": HEIGHT}]),
                "original_database": struct([{"name": database, "info": struct([{"image_id": float(number)}])}]),
                "person": struct(people),
            }
        )
    return struct(pictures)


def _draw(path: Path, *, seed: int, corrupt: bool) -> list[np.ndarray]:
    image, seen = draw_picture(seed=seed, width=WIDTH, height=HEIGHT)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * 64 if corrupt else encode(image, suffix=".jpg"))
    return [np.array([person.box]).round().astype(np.int16) for person in seen]


def _person(box: np.ndarray, *, split: str, number: int) -> dict[str, Any]:
    """One annotator in train, three in val and test, whose answers are combined: all categories, mean values."""
    answers = [[CATEGORIES[(number + 5 * i + k) % 26] for k in range(1 + (number + i) % 3)] for i in range(3)]
    values = [[1 + (number * (d + 2) + 3 * i) % 10 for d in range(3)] for i in range(3)]
    combined = sorted({word for answer in answers for word in answer}, key=CATEGORIES.index)
    gender, age = ("Female", "Male")[number % 2], ("Kid", "Teenager", "Adult")[number % 3]
    if split == "train":
        return {
            "body_bbox": box,
            "annotations_categories": struct([{"categories": cells(answers[0])}]),
            "annotations_continuous": _continuous(*values[0]),
            "gender": gender,
            "age": age,
        }
    return {
        "body_bbox": box,
        "annotations_categories": struct([{"categories": cells(answer)} for answer in answers]),
        "combined_categories": cells(combined),
        "annotations_continuous": np.concatenate([_continuous(*v) for v in values], axis=1),
        "combined_continuous": _continuous(*np.mean(values, axis=0).tolist()),
        "gender": gender,
        "age": age,
    }


def _continuous(valence: float, arousal: float, dominance: float) -> Shaped[np.ndarray, "1 1"]:
    return struct([{"valence": float(valence), "arousal": float(arousal), "dominance": float(dominance)}])


def struct(rows: Sequence[Mapping[str, Any]]) -> Shaped[np.ndarray, "1 n"]:
    """A 1×n struct array of MATLAB's, as scipy writes one."""
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for position, row in enumerate(rows):
        for name, value in row.items():
            array[0, position][name] = value
    return array


def cells(words: Sequence[str]) -> Shaped[np.ndarray, "1 n"]:
    """A 1×n cell array of words."""
    array = np.empty((1, len(words)), dtype=object)
    array[0, :] = list(words)
    return array
