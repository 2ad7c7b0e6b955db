"""LIRIS-ACCEDE, continuous (MediaEval 2018): 66 films whose viewers told valence and arousal, second by second.

```
MEDIAEVAL18-DevSet-Part1-Data/data/MEDIAEVAL18_NN.mp4                            films 00–13; Part2 14–43, Part3 44–53
MEDIAEVAL18-DevSet-Part1-Valence_Arousal-annotations/annotations/MEDIAEVAL18_NN_Valence-Arousal.txt
MEDIAEVAL18-TestSet-…                                                            films 54–65
```
The root holds these folders. Files are found by their names, up to four folders deep, so that folders may be merged or
renamed; a film's number says in which split it is.

A sample is one second: the picture at that time, and a label that is of the same time. Labels and films are not equally
long: seconds after a film's end (its header's) are skipped, and what of a film has no label is not used.

`dev` and `test` are the challenge's. `train` and `val` share dev between them (val is Part3), to choose by. `dev_inner`
is dev without the first four and the last three seconds of each film, which EmotionCLIP's code does not fit on.

The layout was taken from public readers of the release, EmotionCLIP's among them, and from the descriptions that came
with these. The names of the folders of films are a guess, and nothing depends on them. This file has not been tried on
the release itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.contents import contents, first_few
from mien.eval.benchmarks.liris_annotations import DIMENSIONS, Second, read_seconds
from mien.eval.benchmarks.liris_fake import write_fake_liris
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.media.video import header_duration_s
from mien.types import Labels, MienError, Skipped

INNER = "dev_inner"
SPLITS = {
    "dev": range(54),
    "test": range(54, 66),
    "train": range(44),
    "val": range(44, 54),
    INNER: range(54),
}
"""Numbers of their films."""
NUM_LEFT_OUT_AT_START, NUM_LEFT_OUT_AT_END = 4, 3  # of dev_inner, in seconds: around the code's clips of 8
DEPTH = 4
FILM = re.compile(r"MEDIAEVAL18_(\d\d)\.mp4")
ANNOTATIONS = re.compile(r"MEDIAEVAL18_(\d\d)_Valence-Arousal\.txt")
ARCHIVE = re.compile(r"MEDIAEVAL18-.*\.(zip|tar|tar\.gz|tgz|7z|rar)")
FEATURES = re.compile(r"features|\.mp4$|^frames$", re.IGNORECASE)
"""Folders with a file or more a second and film, and none of those that are looked for."""
LOOKALIKES = {
    r"ACCEDE(description\.xml|ranking\.txt|sets\.txt)": "the discrete LIRIS-ACCEDE, another product: excerpts of "
    "films with one label each, none a second",
    r"MEDIAEVAL1[5-7]_.*": "the challenge of an earlier year, with other films and labels",
}


def read_liris(root: Path, split: str) -> Release:
    """The seconds of a split, film after film in the order of their numbers.

    `skipped` are seconds after a film's end, or without two numbers; all of a film whose video cannot be read.
    """
    if split not in SPLITS:
        raise MienError(f"LIRIS-ACCEDE has no split {split!r}; it has {', '.join(SPLITS)}")
    files = _files(root)
    annotations, films = _by_number(files, ANNOTATIONS), _by_number(files, FILM)
    _check_complete(root, split, annotations, files)
    samples, skipped = list[Sample](), list[Skipped]()
    for number in SPLITS[split]:
        film = _one_film(films[number]) if number in films else None
        found = _read_film(root, number, seconds=_one_table(annotations[number]), film=film, inner_only=split == INNER)
        samples.extend(found.samples)
        skipped.extend(found.skipped)
    return Release(samples=tuple(samples), skipped=tuple(skipped))


def _read_film(root: Path, number: int, *, seconds: Sequence[Second], film: Path | None, inner_only: bool) -> Release:
    """One film; without its video, of which `Release.missing` tells, all that is labelled."""
    name = f"MEDIAEVAL18_{number:02d}"
    file = f"{name}.mp4" if film is None else film.relative_to(root).as_posix()
    samples, skipped = list[Sample](), list[Skipped]()
    try:
        film_s = (header_duration_s(film) if film else 0) or float("inf")  # 0 is not known
    except MienError as error:
        return Release(samples=(), skipped=tuple(Skipped(what=_id(name, s), reason=str(error)) for s in seconds))
    end_s = min(film_s, seconds[-1].time_s + 1)
    for second in seconds:
        if second.time_s >= film_s:
            skipped.append(Skipped(what=_id(name, second), reason=f"labelled after the film's end at {film_s:.3f} s"))
        elif inner_only and not NUM_LEFT_OUT_AT_START <= second.time_s < end_s - NUM_LEFT_OUT_AT_END:
            continue
        elif second.label is None:
            skipped.append(Skipped(what=_id(name, second), reason=f"no numbers in line {second.line} of its labels"))
        else:
            samples.append(_sample(name, second, second.label, file=file))
    return Release(samples=tuple(samples), skipped=tuple(skipped))


def _sample(name: str, second: Second, label: tuple[float, float], *, file: str) -> Sample:
    """A stretch without length: the one picture that is seen at that time."""
    return Sample(
        id=_id(name, second),
        file=file,
        labels=Labels(vad=label),
        start_s=second.time_s,
        end_s=second.time_s,
        group=name,
    )


def _id(name: str, second: Second) -> str:
    return f"{name}@{second.time_s:g}"


# ── where things are ─────────────────────────────────────────────────────────────────────────────


def _files(root: Path) -> list[Path]:
    """The files that may matter, in order."""
    found = list[Path]()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if not FEATURES.search(name))
        found.extend(here / name for name in sorted(names))
    return found


def _by_number(files: Iterable[Path], pattern: re.Pattern[str]) -> dict[int, list[Path]]:
    """Files of that name by the film's number; more than one where there are copies."""
    found: dict[int, list[Path]] = {}
    for file in files:
        if match := pattern.fullmatch(file.name):
            found.setdefault(int(match[1]), []).append(file)
    return found


def _one_table(copies: Sequence[Path]) -> tuple[Second, ...]:
    first, *others = copies
    seconds = read_seconds(first)
    for copy in others:
        if read_seconds(copy) != seconds:
            raise MienError(f"{first} and {copy} differ; keep the one that is the release's")
    return seconds


def _one_film(copies: Sequence[Path]) -> Path:
    """The first of copies, which are taken to be alike where their sizes are."""
    first, *others = copies
    for copy in others:
        if copy.stat().st_size != first.stat().st_size:
            raise MienError(f"{first} and {copy} differ; keep the one that is the release's")
    return first


def _check_complete(root: Path, split: str, annotations: dict[int, list[Path]], files: Sequence[Path]) -> None:
    """Refuse a root that lacks the labels of a film: a score without it would be another benchmark's."""
    lacking = [number for number in SPLITS[split] if number not in annotations]
    if not lacking:
        return
    if not root.is_dir():
        raise MienError(f"{root} is not a folder; give the one that holds the folders MEDIAEVAL18-…")
    numbers = first_few([f"{number:02d}" for number in lacking])
    lacks = f"no labels of films {numbers} ({len(lacking)} of the {len(SPLITS[split])} of {split}) in {root}"
    if archives := [f.name for f in files if ARCHIVE.fullmatch(f.name) and not FEATURES.search(f.name)]:
        raise MienError(f"{lacks}, where archives are: {first_few(archives)}; extract those that are not yet")
    if re.match(r"MEDIAEVAL18-", root.name):
        raise MienError(f"{lacks}, which is one part of the release; give {root.parent}, with all parts in it")
    if annotations and split == "test":
        raise MienError(f"{lacks}; the labels of test are an archive of their own, MEDIAEVAL18-TestSet-…-annotations")
    if annotations or _by_number(files, FILM):
        raise MienError(f"{lacks}; extract the archives MEDIAEVAL18-…-Valence_Arousal-annotations of all parts there")
    for pattern, what in LOOKALIKES.items():
        for file in files:
            if re.fullmatch(pattern, file.name):
                raise MienError(f"{lacks}; {file} is of {what}. To get MediaEval 2018's: {HOW_TO_GET}")
    raise MienError(f"{lacks}, which has {contents(root)}. To get the release: {HOW_TO_GET}")


# ── the benchmark ────────────────────────────────────────────────────────────────────────────────

HOW_TO_GET = (
    "https://liris-accede.ec-lyon.fr (account, signed agreement), the data of MediaEval 2018; extract films and "
    "Valence_Arousal annotations of DevSet-Part1 to Part3 and of TestSet into one folder, and give that"
)

LIRIS = Benchmark(
    name="liris",
    title="LIRIS-ACCEDE, continuous (MediaEval 2018)",
    classes=ClassNames(vad=DIMENSIONS),
    splits=tuple(SPLITS),
    read=read_liris,
    licence="research only, by signed agreement; the films are under Creative Commons licences of their own",
    how_to_get=HOW_TO_GET,
    fake=write_fake_liris,
    group_name="film",
    notes=(
        "Labels are what viewers felt, not what persons in the picture show. Film 46 has labels for about 100 of its "
        "some 3,000 seconds: the rest of it is not used. How many seconds are labelled in all is not known here; that "
        "no film lacks labels is checked instead. Neighbouring seconds are nearly the same sample, so that bootstrap "
        "intervals, which draw seconds one by one, are much too narrow."
    ),
)
