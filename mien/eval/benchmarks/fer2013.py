"""FER2013: 35,887 grey faces of 48×48 pixels, which are themselves in the csv.

`fer2013.csv`: `emotion,pixels,Usage`, pixels as 2,304 numbers with blanks between; or `icml_face_data.csv`, the same
with blanks in the header and in another order. Training is `train`, PublicTest `val`, PrivateTest `test`. A picture is
called `USAGE/ferNNNNNNN.png` by its row, as FER+ calls it. Copies sorted into folders, `{train,test}/CLASS/*`, are read
as well. The layout is that of the Kaggle challenge (Goodfellow et al. 2013), and so are the counts, as in many public
readers; it was not tried on the real file.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import draw_face, encode
from mien.eval.benchmarks.folders import Folders, read_copy
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError, Skipped

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
CODES = {str(number): name for number, name in enumerate(CLASSES)}
USAGES = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}
FILES = ("fer2013.csv", "fer2013/fer2013.csv", "icml_face_data.csv")
COLUMNS = ("emotion", "pixels", "usage")
SIDE = 48
SHADES = frozenset(str(shade).encode() for shade in range(256))
FOLDERS = Folders(title="FER2013", classes=CLASSES, codes=CODES, cut_out=("*",))


def read_fer2013(root: Path, split: str) -> Release:
    """The faces of one split, in the order of the csv; pictures of one shade throughout show nobody and are skipped."""
    if split not in USAGES:
        raise MienError(f"FER2013 in {root} has no split {split!r}; it has {', '.join(USAGES)}")
    path = next((root / name for name in FILES if (root / name).is_file()), None)
    if path is None:
        return read_copy(FOLDERS, root, split, lacks=f"has none of {', '.join(FILES)}")
    samples, skipped, packed = list[Sample](), list[Skipped](), dict[str, Callable[[], bytes]]()
    for row, (code, usage, pixels, place) in enumerate(_rows(path)):
        if usage != USAGES[split]:
            continue
        file = f"{usage}/fer{row:07d}.png"
        values = set(pixels)
        if len(values) == 1:
            skipped.append(Skipped(what=file, reason=f"all of the picture is of the shade {int(values.pop())}"))
            continue
        samples.append(Sample(id=f"fer{row:07d}", file=file, labels=Labels(category=CLASSES.index(CODES[code]))))
        packed[file] = partial(_picture, path, place)
    if not samples:
        raise MienError(f"{path} has no row whose usage is {USAGES[split]!r}; is it FER2013's whole csv?")
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=whole_pictures(samples), packed=packed)


def _rows(path: Path) -> Iterator[tuple[str, str, list[bytes], tuple[int, int]]]:
    """Each row's class number, usage, pixels, and where its pixels are found again: the row's place, and the column."""
    with path.open("rb") as file:
        header = [name.strip().lower() for name in file.readline().decode("utf-8-sig", errors="replace").split(",")]
        if sorted(header) != sorted(COLUMNS):
            raise MienError(f"{path}, line 1: the columns are {', '.join(header)}; FER2013 has {', '.join(COLUMNS)}")
        emotion, column, usage = (header.index(name) for name in COLUMNS)
        place = file.tell()
        for number, line in enumerate(file, start=2):
            fields = line.split(b",")
            pixels = fields[column].strip(b'"\r\n ').split() if len(fields) == len(COLUMNS) else []
            if len(pixels) != SIDE * SIDE:
                raise MienError(f"{path}, line {number}: {len(pixels)} pixels, not {SIDE * SIDE}; is the file whole?")
            if not SHADES.issuperset(pixels):
                wrong = next(pixel for pixel in pixels if pixel not in SHADES)
                raise MienError(f"{path}, line {number}: pixel {wrong.decode('latin-1')!r}; it must be 0 to 255")
            code, use = (fields[index].decode(errors="replace").strip('"\r\n ') for index in (emotion, usage))
            if code not in CODES or use not in USAGES.values():
                raise MienError(
                    f"{path}, line {number}: emotion is {code!r} and usage {use!r}; they must be a number from 0 to 6, "
                    f"and one of {', '.join(USAGES.values())}"
                )
            yield code, use, pixels, (place, column)
            place += len(line)


def _picture(path: Path, place: tuple[int, int]) -> bytes:
    """The picture of the row at that place of the file, as PNG."""
    with path.open("rb") as file:
        file.seek(place[0])
        pixels = file.readline().split(b",")[place[1]].strip(b'"\r\n ').split()
    return encode(np.array(pixels, dtype=np.uint8).reshape(SIDE, SIDE), suffix=".png")


def fake_fer2013(root: Path) -> None:
    """Two faces a class in train, one in each of the others, and a black picture in each."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / FILES[0]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["emotion", "pixels", "Usage"])
        for seed, usage in enumerate(["Training", *USAGES.values()]):
            for index in range(len(CLASSES)):
                face = draw_face(seed=7 * seed + index)[:, :, 1]
                writer.writerow([index, " ".join(map(str, face.ravel().tolist())), usage])
            writer.writerow([0, " ".join(["0"] * SIDE * SIDE), usage])


FER2013 = Benchmark(
    name="fer2013",
    title="FER2013",
    classes=ClassNames(category=CLASSES),
    splits=tuple(USAGES),
    read=read_fer2013,
    licence="research only; the pictures belong to those who took them",
    how_to_get="Kaggle, challenges-in-representation-learning-facial-expression-recognition-challenge; fer2013.csv",
    expected={"train": 28_709, "val": 3_589, "test": 3_589},
    fake=fake_fer2013,
    notes="labels are one annotator's and often wrong; FER+ labels the same pictures anew",
    protocols="faces",
)
