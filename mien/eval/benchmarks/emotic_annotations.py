"""A person as EMOTIC's annotators describe one, and the release's own record of them, `Annotations.mat`.

The file holds one struct array a split, an entry a picture; fields are read by name. What MATLAB writes as a 1×1
struct, as a cell array of one, or as an empty matrix comes as an array of that many items, and is read as a list.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from jaxtyping import Shaped
from scipy.io.matlab import MatReadError

from mien.types import MienError, Skipped

DIMENSIONS = ("valence", "arousal", "dominance")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One annotated person.

    where: what to look at in the annotations, for messages. file: the picture, below the folder of the four databases
    (`mscoco/images/NAME.jpg`), or its name alone where the annotations do not say which of them it is from. box: x0 y0
    x1 y1 in pixels of the picture, and beyond; whatever numbers are there, none where there are none. size: the
    picture's width and height. vad: from 1 to 10, as annotated: NaN, or nothing, where it is not.
    """

    where: str
    file: str
    box: tuple[float, ...]
    size: tuple[float, ...]
    categories: tuple[str, ...]
    vad: tuple[float, ...]
    gender: str = ""
    age: str = ""


def read_mat(path: Path, split: str) -> Iterator[Person | Skipped]:
    """The persons of a split, in the file's order, and the pictures that are there without any."""
    for position, picture in enumerate(_pictures(path, split), 1):
        where = f"{path}, {split}({position})"
        missing = {"filename", "folder", "person"} - set(_fields(picture))
        if missing:
            raise MienError(f"{where} has no field {', '.join(sorted(missing))}; is it EMOTIC's Annotations.mat?")
        file = f"{_word(picture, 'folder')}/{_word(picture, 'filename')}"
        people = _structs(_field(picture, "person"))
        if not people:
            yield Skipped(what=file, reason="nobody is annotated in it")
        size = tuple(n for s in _structs(_field(picture, "image_size")) for n in _pair(s, "n_col", "n_row"))
        for number, person in enumerate(people, 1):
            yield _person(person, where=f"{where}.person({number})", file=file, size=size)


def _person(person: np.void, *, where: str, file: str, size: tuple[float, ...]) -> Person:
    """Several annotators' answers count as `combined_*` has them, which the training split lacks: it has one's."""
    fields = _fields(person)
    if "combined_categories" in fields:
        categories = _words(_field(person, "combined_categories"))
    else:
        answers = _structs(_field(person, "annotations_categories"))
        categories = _words(_field(answers[0], "categories")) if len(answers) == 1 else []
    continuous = "combined_continuous" if "combined_continuous" in fields else "annotations_continuous"
    judged = _structs(_field(person, continuous))
    return Person(
        where=where,
        file=file,
        box=tuple(_numbers(_field(person, "body_bbox"))),
        size=size,
        categories=tuple(categories),
        vad=tuple(n for name in DIMENSIONS for n in _numbers(_field(judged[0], name))) if len(judged) == 1 else (),
        gender=_word(person, "gender"),
        age=_word(person, "age"),
    )


def _pictures(path: Path, split: str) -> list[np.void]:
    try:
        there = [name for name, _, _ in scipy.io.whosmat(path)]
        content = scipy.io.loadmat(path, variable_names=[split]) if split in there else {}
    except (MatReadError, NotImplementedError, ValueError, TypeError, OSError, EOFError, zlib.error) as error:
        raise MienError(f"{path} cannot be read: {error}; fetch it again, as EMOTIC's authors give it") from error
    if split not in content:
        raise MienError(f"{path} has no {split!r}; it has {', '.join(there) or 'nothing'}: is it EMOTIC's?")
    pictures = _structs(content[split])
    if not pictures:
        raise MienError(f"{path}: {split!r} is no struct array with anything in it; is it EMOTIC's Annotations.mat?")
    return pictures


# ── what scipy makes of MATLAB's values ──────────────────────────────────────────────────────────


def _fields(struct: np.void) -> Sequence[str]:
    return struct.dtype.names or ()


def _field(struct: np.void, name: str) -> Any:
    return struct[name] if name in _fields(struct) else np.zeros((0, 0))


def _flat(value: Any) -> Iterator[Shaped[np.ndarray, "..."]]:
    """The arrays in a cell array of arrays, at any depth; itself if it is none."""
    array = np.asarray(value)
    if array.dtype.names is None and array.dtype == object:
        for item in array.flat:
            yield from _flat(item)
    else:
        yield array


def _structs(value: Any) -> list[np.void]:
    return [struct for array in _flat(value) if array.dtype.names for struct in array.flat]


def _words(value: Any) -> list[str]:
    words = [str(word).strip() for array in _flat(value) if array.dtype.kind == "U" for word in array.flat]
    return [word for word in words if word]


def _word(struct: np.void, name: str) -> str:
    return next(iter(_words(_field(struct, name))), "")


def _numbers(value: Any) -> list[float]:
    return [float(number) for array in _flat(value) if array.dtype.kind in "iuf" for number in array.flat]


def _pair(struct: np.void, first: str, second: str) -> list[float]:
    return [*_numbers(_field(struct, first)), *_numbers(_field(struct, second))]
