"""EMOTIC's annotations as two widespread conversions of `Annotations.mat` have them: tables with a row a person."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mien.eval.benchmarks.emotic_annotations import DIMENSIONS, Person
from mien.types import CATEGORIES, MienError

CONVERTED = ("Folder", "Filename", "BBox", "Categorical_Labels", "Continuous_Labels")
"""The columns read of `{split}.csv`, beside Gender and Age, which may be absent."""

ARRAYS = ("Filename", "X_min", "Y_min", "X_max", "Y_max", *(name.capitalize() for name in DIMENSIONS), *CATEGORIES)
"""The columns read of `annot_arrs_{split}.csv`, beside Folder, Width, Height, Gender and Age, which may be absent."""

ALPHABETICAL = tuple(sorted(CATEGORIES))
"""The order of the columns of `{split}_cat_arr.npy`."""


def read_converted(path: Path) -> Iterator[Person]:
    """The persons of `{split}.csv`: lists are written as Python writes them, boxes cut at the picture's borders.

    The labels are those that the table names. If `{split}_cat_arr.npy` lies beside it, it must say the same.
    """
    one_hot = _one_hot(path.with_name(f"{path.stem}_cat_arr.npy"))
    count = 0
    for line, row in _rows(path, CONVERTED):
        where = f"{path}, line {line}"
        categories = _strings(row["Categorical_Labels"], name="Categorical_Labels", where=where)
        if one_hot is not None:
            _compare(categories, one_hot, row=count, where=where)
        count += 1
        yield Person(
            where=where,
            file=f"{row['Folder']}/{row['Filename']}",
            box=_numbers(row["BBox"], name="BBox", where=where),
            size=(),  # boxes are cut at it; which of Image Size's numbers is the width, the conversion leaves unclear
            categories=categories,
            vad=_numbers(row["Continuous_Labels"], name="Continuous_Labels", where=where),
            gender=row.get("Gender") or "",
            age=row.get("Age") or "",
        )
    if one_hot is not None and len(one_hot) != count:
        raise MienError(f"{path} has {count} rows, and {path.stem}_cat_arr.npy {len(one_hot)}; convert both again")


def read_arrays(path: Path) -> Iterator[Person]:
    """The persons of `annot_arrs_{split}.csv`: a column a category, 1 or 0; boxes in pixels of Width × Height."""
    for line, row in _rows(path, ARRAYS):
        where = f"{path}, line {line}"
        folder = row.get("Folder") or ""
        yield Person(
            where=where,
            file=f"{folder}/{row['Filename']}" if folder else row["Filename"],
            box=tuple(_number(row, name, where=where) for name in ARRAYS[1:5]),
            size=tuple(_number(row, name, where=where) for name in ("Width", "Height") if row.get(name)),
            categories=tuple(name for name in CATEGORIES if _flag(row, name, where=where)),
            vad=tuple(_number(row, name.capitalize(), where=where) for name in DIMENSIONS),
            gender=row.get("Gender") or "",
            age=row.get("Age") or "",
        )


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows by their last line's number. Raises MienError where columns are missing or nothing is in the file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            header = reader.fieldnames or ()
            missing = [name for name in wanted if name not in header]
            if missing:
                raise MienError(f"{path}, line 1: no column {', '.join(missing)}; is it a conversion of EMOTIC's?")
            for row in reader:
                if None in row or None in row.values():
                    raise MienError(f"{path}, line {reader.line_num}: not as many values as columns; copy it again")
                yield reader.line_num, row
        except (UnicodeDecodeError, csv.Error) as error:
            raise MienError(f"{path}, after line {reader.line_num}: {error}; it must be CSV in UTF-8") from error


def _one_hot(path: Path) -> np.ndarray | None:
    if not path.is_file():
        return None
    try:
        one_hot = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise MienError(f"{path} is no array of numbers: {error}; convert it again, or remove it") from error
    if one_hot.ndim != 2 or one_hot.shape[1] != len(CATEGORIES):
        raise MienError(f"{path} is {one_hot.shape}, not [persons, {len(CATEGORIES)}]; convert it again, or remove it")
    return np.asarray(one_hot)


def _compare(categories: tuple[str, ...], one_hot: np.ndarray, *, row: int, where: str) -> None:
    if row < len(one_hot):
        other = {name for name, value in zip(ALPHABETICAL, one_hot[row], strict=True) if value}
        if other != set(categories):
            raise MienError(
                f"{where}: the labels are {', '.join(sorted(categories))}, but row {row} of the array beside it says "
                f"{', '.join(sorted(other))} (columns in alphabetical order); convert both again, or remove the array"
            )


def _flag(row: dict[str, str], name: str, *, where: str) -> bool:
    value = _number(row, name, where=where) if row[name].strip() else 0.0
    if value not in (0.0, 1.0):
        raise MienError(f"{where}: {name} is {row[name]!r}; it must be 0 or 1")
    return value == 1.0


def _number(row: dict[str, str], name: str, *, where: str) -> float:
    text = row[name].strip()
    try:
        return float(text) if text else float("nan")
    except ValueError:
        raise MienError(f"{where}: {name} is {text!r}, not a number") from None


def _numbers(text: str, *, name: str, where: str) -> tuple[float, ...]:
    """`[1, 2.5, nan]`."""
    try:
        return tuple(float(part) for part in text.strip().strip("[]()").split(",") if part.strip())
    except ValueError:
        raise MienError(f"{where}: {name} is {text!r}, not a list of numbers") from None


def _strings(text: str, *, name: str, where: str) -> tuple[str, ...]:
    """`['Peace', 'Doubt/Confusion']`."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MienError(f"{where}: {name} is {text!r}, not a list of words in quotes")
    return tuple(item.strip() for item in value)
