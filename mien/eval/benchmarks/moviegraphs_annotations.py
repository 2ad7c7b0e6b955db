"""MovieGraphs' text files: which films are in which split, when shots end, which scenes are credits, the words' table.

```
mg/split.json                                      {"train": [IMDb ids], "val": […], "test": […]}
mg_videoinfo/scene_boundaries/<id>.scenes.gt       "start_shot end_shot useful", trailing blanks
mg_videoinfo/video_boundaries/<id>.videvents       a header line, then "frame timestamp CUT", one a cut
mg_videoinfo/video_boundaries/<id>.matidx          "frame timestamp", one a frame of the film
```
Shots count from 1. A cut's frame is the first of the shot after it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from mien.types import MienError

SPLITS = ("train", "val", "test")
SPLIT_FILE = "mg/split.json"
SCENES, SHOTS = "mg_videoinfo/scene_boundaries", "mg_videoinfo/video_boundaries"
WORDS_FILE = Path(__file__).with_name("moviegraphs_words.yaml")
IMDB_ID = re.compile(r"tt\d{7,8}")


def read_split(root: Path) -> Mapping[str, tuple[str, ...]]:
    """The IMDb ids of each split's films."""
    path = root / SPLIT_FILE
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MienError(f"{path} cannot be read ({error}); unpack MovieGraphs' mg folder again") from error
    if not isinstance(splits, dict) or not set(SPLITS) <= splits.keys():
        raise MienError(f"{path} has no lists {', '.join(SPLITS)}; it is not MovieGraphs' split.json")
    for split in SPLITS:
        films = splits[split]
        if not isinstance(films, list) or not all(isinstance(f, str) and IMDB_ID.fullmatch(f) for f in films):
            raise MienError(f"{path}: {split} is no list of IMDb ids such as tt0109830; take the release's own file")
    return {split: tuple(splits[split]) for split in SPLITS}


def read_shot_ends(root: Path, film: str) -> tuple[float, ...]:
    """When each shot ends, in seconds of the annotated copy: at its cut, the last one at the film's last frame."""
    path = root / SHOTS / f"{film}.videvents"
    ends = [float(fields[1]) for _, fields in _rows(path, kinds=(int, float), skip=1)]
    ends.append(_last_time(root / SHOTS / f"{film}.matidx"))
    for number, (before, after) in enumerate(pairwise([0.0, *ends]), start=1):
        if not before < after < math.inf:
            raise MienError(f"{path}: shot {number} would last from {before} to {after} s; unpack mg_videoinfo again")
    return tuple(ends)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A stretch of shots, the last one included; not useful: credits and the like."""

    start_shot: int
    end_shot: int
    is_useful: bool


def read_scenes(root: Path, film: str) -> tuple[Scene, ...]:
    """The scenes that a film was divided into."""
    path = root / SCENES / f"{film}.scenes.gt"
    scenes = list[Scene]()
    for number, (start, end, useful, *_) in _rows(path, kinds=(int, int, int)):
        if useful not in ("0", "1"):
            raise MienError(f"{path}, line {number}: useful is {useful}; it must be 0 or 1: unpack mg_videoinfo again")
        scenes.append(Scene(start_shot=int(start), end_shot=int(end), is_useful=useful == "1"))
    return tuple(scenes)


@cache
def read_table() -> Mapping[str, tuple[str, ...]]:
    """The words of each of the 26 categories, in the table's order; the file says where it is from."""
    return {category: tuple(words) for category, words in _read_words_file()["categories"].items()}


@cache
def category_of_words() -> Mapping[str, str]:
    """The category of each word of the table, and of the spellings that the file adds to it."""
    categories = {word: category for category, words in read_table().items() for word in words}
    return categories | {word: categories[meant] for word, meant in _read_words_file()["spellings"].items()}


@cache
def _read_words_file() -> dict[str, Any]:
    return yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8"))


def _last_time(path: Path) -> float:
    """When the film's last frame appears; of the file's 200,000 lines only the last is looked at."""
    line = next((line for line in reversed(_lines(path)) if line.strip()), "")
    try:
        _, time_s = line.split()
        return float(time_s)
    except ValueError:
        raise MienError(f"{path} ends with {line!r}, which is no frame and time; unpack mg_videoinfo again") from None


def _rows(path: Path, *, kinds: tuple[type[int] | type[float], ...], skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not blank, with its number; those of `kinds` are numbers, more may follow."""
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split()
        if number <= skip or not fields:
            continue
        try:
            for kind, field in zip(kinds, fields[: len(kinds)], strict=True):
                kind(field)
        except ValueError:
            wanted = " ".join("a whole number" if kind is int else "a number" for kind in kinds)
            raise MienError(f"{path}, line {number}: {line.strip()!r} is not {wanted}; unpack mg_videoinfo") from None
        yield number, fields


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MienError(f"{path} cannot be read ({error}); unpack MovieGraphs' mg_videoinfo") from error
