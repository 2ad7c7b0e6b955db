"""EMOTIC: people in their surroundings, 26 categories and valence, arousal, dominance; pictures, a sample a person.

```
ROOT/emotic/{mscoco,framesdb,emodb_small,ade20k}/images/*.jpg
ROOT/Annotations/Annotations.mat
```
In place of the last, `emotic_pre/{split}.csv` or `{split}.csv` (the `mat2py` conversion), or
`annots_arrs/annot_arrs_{split}.csv` (the copy with `img_arrs/*.npy`) will do. The arrays will not: they are pictures
resized to squares, whose boxes do not fit them any more, so the pictures themselves are wanted.

The layouts are taken from the release's description by its authors (github.com/rkosti/emotic) and from public code that
reads it; the real data were not at hand.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.emotic_annotations import DIMENSIONS, Person, read_mat
from mien.eval.benchmarks.emotic_fake import write_fake_emotic
from mien.eval.benchmarks.emotic_tables import read_arrays, read_converted
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.prepare.sidecar import SidecarRow
from mien.types import CATEGORIES, Labels, MienError, Skipped

SPLITS = ("train", "val", "test")
DATABASES = ("mscoco", "framesdb", "emodb_small", "ade20k")
CORRUPT = ("framesdb/images/frame_0cs63q843g5bdvq5.jpg",)

EXPECTED = {"train": 23266, "val": 3315, "test": 7203}
"""What the `mat2py` conversion makes of `Annotations.mat`: the shapes of its arrays, as its author's notebook prints
them. It leaves out pictures that cannot be read and persons without valence, arousal or dominance; so do we."""


def read_emotic(root: Path, split: str) -> Release:
    """The persons of a split, each seen alone in its picture: `NAME~SPLIT-NUMBER`, counted within the split's picture.

    Left out, and listed: persons whose continuous values are missing or NaN (whatever their categories: both tasks are
    to be scored on the same persons, those of the conversions), persons without a category (`combined_categories` in
    val and test), without a box, or with one that misses the picture, and the picture that is known to be corrupt.
    """
    if split not in SPLITS:
        raise MienError(f"emotic has no split {split!r}; it has {', '.join(SPLITS)}")
    entries = list(_entries(root, split))
    below = _picture_folder(root)
    _require_databases(entries, root / below)
    places = _places(root / below) if any(isinstance(e, Person) and "/" not in e.file for e in entries) else {}
    numbers, samples, skipped = Counter[str](), list[Sample](), list[Skipped]()
    boxes = dict[str, tuple[SidecarRow, ...]]()
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped.append(entry)
            continue
        file = entry.file if "/" in entry.file else places.get(entry.file, "")
        numbers[entry.file] += 1
        id = f"{split}/{file or entry.file}#{numbers[entry.file]}"
        labels = Labels(scores=_scores(entry), vad=entry.vad)
        if flaw := _flaw(entry, file):
            skipped.append(Skipped(what=id, reason=flaw))
            continue
        sample = Sample(
            id=id,
            file=(Path(below) / file).as_posix(),
            labels=labels,
            subject=f"{split}-{numbers[entry.file]}",
            group=file,
            attributes={name: value for name, value in (("gender", entry.gender), ("age", entry.age)) if value},
        )
        samples.append(sample)
        x0, y0, x1, y1 = entry.box
        boxes[sample.video] = (SidecarRow(time_s=0.0, track=0, xyxy=(x0, y0, x1, y1)),)
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=boxes)


def _scores(person: Person) -> tuple[float, ...]:
    unknown = [name for name in person.categories if name not in CATEGORIES]
    if unknown:
        raise MienError(f"{person.where}: {unknown[0]!r} is none of EMOTIC's categories, {', '.join(CATEGORIES)}")
    return tuple(float(name in person.categories) for name in CATEGORIES)


def _flaw(person: Person, file: str) -> str:
    """Why the person cannot be used; empty if they can."""
    if not file:
        return f"no picture, or more than one, of that name is in {', '.join(DATABASES)}"
    if file in CORRUPT:
        return "the picture is known to be corrupt"
    if not person.categories:
        return "no category is annotated, or combined from several annotators'"
    if len(person.vad) != len(DIMENSIONS) or not all(map(math.isfinite, person.vad)):
        return f"the continuous values are {_told(person.vad)}: one or more are missing"
    if len(person.box) != 4 or not all(map(math.isfinite, person.box)):
        return f"the box is {_told(person.box)}, not x1 y1 x2 y2"
    x0, y0, x1, y1 = person.box
    if x0 >= x1 or y0 >= y1:
        return f"the box {_told(person.box)} is empty"
    width, height = person.size if len(person.size) == 2 else (math.inf, math.inf)
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        return f"the box {_told(person.box)} misses the picture of {_told(person.size)} pixels"
    return ""


def _told(numbers: tuple[float, ...]) -> str:
    return " ".join(f"{number:g}" for number in numbers) or "not there"


# ── where things are ─────────────────────────────────────────────────────────────────────────────


def _entries(root: Path, split: str) -> Iterator[Person | Skipped]:
    for mat in (root / "Annotations" / "Annotations.mat", root / "Annotations.mat"):
        if mat.is_file():
            return read_mat(mat, split)
    for table in (root / "emotic_pre" / f"{split}.csv", root / f"{split}.csv"):
        if table.is_file():
            return iter(read_converted(table))
    arrays = root / "annots_arrs" / f"annot_arrs_{split}.csv"
    if arrays.is_file():
        return iter(read_arrays(arrays))
    raise MienError(f"{root} has neither Annotations/Annotations.mat nor a table of {split!r}; {_likely(root, split)}")


def _likely(root: Path, split: str) -> str:
    """What the root is instead."""
    if (root.parent / "Annotations").is_dir() and any((root / name).is_dir() for name in DATABASES):
        return f"it is the folder of the pictures: name {root.parent}"
    older = [path for folder in (root, root / "Annotations") for path in sorted(folder.glob("CVPR17*.mat"))]
    if older:
        return f"{older[0].name} are the annotations of 2017, of fewer people; fetch Annotations.mat"
    packed = [path for folder in (root, root / "Annotations") for path in sorted(folder.glob("*.zip"))]
    if packed:
        return f"unpack {packed[0].name}"
    tables = ("emotic_pre/{}.csv", "{}.csv", "annots_arrs/annot_arrs_{}.csv")
    others = [t.format(name) for t in tables for name in SPLITS if (root / t.format(name)).is_file()]
    if others:
        return f"there is {others[0]}, so copy the one of {split!r} beside it"
    return "name the folder that holds Annotations and emotic"


def _picture_folder(root: Path) -> str:
    """The folder of the databases, below the root."""
    for below in ("emotic", ""):
        if any((root / below / name).is_dir() for name in DATABASES):
            return below
    arrays = " (the arrays in img_arrs, resized to squares, are not read)" if (root / "img_arrs").is_dir() else ""
    raise MienError(
        f"{root} has annotations but no pictures: emotic/ with {', '.join(DATABASES)} is wanted beside them, from the "
        f"release's emotic.zip{arrays}"
    )


def _require_databases(entries: Iterable[Person | Skipped], folder: Path) -> None:
    """Raises MienError where all pictures of a database are missing, as after half an unpacking."""
    named = Counter(str(Path(e.file).parent) for e in entries if isinstance(e, Person) and "/" in e.file)
    for below, count in named.items():
        if not (folder / below).is_dir():
            raise MienError(f"{folder / below} is not there, and {count} persons are in it; unpack emotic.zip whole")


def _places(folder: Path) -> dict[str, str]:
    """Where a picture is by its name; names of more than one picture are left out."""
    files = [path for name in DATABASES for path in sorted((folder / name / "images").glob("*.*"))]
    count = Counter(path.name for path in files)
    return {path.name: path.relative_to(folder).as_posix() for path in files if count[path.name] == 1}


EMOTIC = Benchmark(
    name="emotic",
    title="EMOTIC",
    classes=ClassNames(scores=CATEGORIES, vad=DIMENSIONS),
    splits=SPLITS,
    read=read_emotic,
    licence="non-commercial research, by agreement with the authors",
    how_to_get="ask for it at sunai.uoc.edu/emotic; unpack emotic.zip, and put Annotations beside emotic",
    expected=EXPECTED,
    fake=write_fake_emotic,
    group_name="picture",
    notes=(
        "A sample is a person in a still picture, whom the box marks; pictures go through the frame encoder alone. "
        "Persons without valence, arousal or dominance are left out, categories or not, and so is the one test person "
        "whom no category is combined for. The expected numbers are of the usual conversion, which leaves out the "
        "former too."
    ),
)
