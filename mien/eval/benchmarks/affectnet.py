"""AffectNet, manually annotated, of eight expressions or of seven (without contempt): cut-out faces, 224 pixels a side.

```
{train_set,val_set}/images/ID.jpg
{train_set,val_set}/annotations/ID_exp.npy      "0" to "7" (a string), and ID_val, ID_aro, ID_lnd, which are not read
```
Copies sorted into folders, `{train,val}/{0..7}/*`, are read as well. The layout is that of public readers of the
release of 2021; it was not tried on the real set. Its 287,651 pictures of train (283,901 without contempt) are those of
public annotations made from it. Of val 4,000 are told (500 an expression; 3,500 without contempt), by some 3,999: that
count is not checked. Older releases with `Manually_Annotated_file_lists/*.csv` are not read.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.folders import Folders, read_copy
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError, Skipped

EIGHT = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
SEVEN = EIGHT[:-1]
SPLITS = ("train", "val")
CODES = {str(number): name for number, name in enumerate(EIGHT)}


def read_affectnet(classes: tuple[str, ...], root: Path, split: str) -> Release:
    """The faces of one split, by number; those without an annotation, or of no class, are skipped."""
    if split not in SPLITS:
        raise MienError(f"AffectNet in {root} has no labels for {split!r}; it has {', '.join(SPLITS)}")
    folder = root / f"{split}_set"
    if not folder.is_dir():
        return read_copy(_copies(classes), root, split, lacks=f"has no {split}_set")
    for part in ("images", "annotations"):
        if not (folder / part).is_dir():
            raise MienError(f"{folder} has no {part}; unpack {split}_set of AffectNet whole")
    samples, skipped = list[Sample](), list[Skipped]()
    for path in sorted((folder / "images").glob("*.jpg"), key=lambda path: (len(path.stem), path.stem)):
        file = path.relative_to(root).as_posix()
        annotation = folder / "annotations" / f"{path.stem}_exp.npy"
        if not annotation.is_file():
            skipped.append(Skipped(what=file, reason=f"{annotation.name} is not there"))
        elif (name := _expression(annotation)) not in classes:
            skipped.append(Skipped(what=file, reason=f"{name} is none of the {len(classes)} classes"))
        else:
            samples.append(Sample(id=file, file=file, labels=Labels(category=classes.index(name))))
    if not samples:
        raise MienError(f"{folder / 'images'} has no picture of AffectNet's with an annotation; is it unpacked whole?")
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=whole_pictures(samples))


def _expression(path: Path) -> str:
    try:
        code = str(np.load(path, allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise MienError(f"{path} is not an array of numpy's, or not whole: {error}; get it again") from error
    if code not in CODES:
        raise MienError(f"{path}: the expression is {code!r}; it must be one of {', '.join(CODES)}")
    return CODES[code]


def _copies(classes: tuple[str, ...]) -> Folders:
    return Folders(
        title="AffectNet",
        classes=classes,
        splits={"train": ("train", "train_class"), "val": ("val", "val_class", "valid")},
        codes=CODES,
        left_out=tuple({"7", "contempt"} if "contempt" not in classes else ()),
        cut_out=("*",),
    )


def fake_affectnet(root: Path) -> None:
    """Two faces an expression in train, one in val; one more in train whose annotation is missing."""
    for split, per_class in (("train", 2), ("val", 1)):
        folder = root / f"{split}_set"
        (folder / "annotations").mkdir(parents=True)
        for number in range(per_class * len(EIGHT)):
            write_face(folder / "images" / f"{number}.jpg", seed=100 * per_class + number, side=112)
            np.save(folder / "annotations" / f"{number}_exp.npy", np.array(str(number % len(EIGHT))))
            np.save(folder / "annotations" / f"{number}_val.npy", np.array("0.5"))
    write_face(root / "train_set/images/999.jpg", seed=999, side=112)


AFFECTNET_8 = Benchmark(
    name="affectnet8",
    title="AffectNet-8",
    classes=ClassNames(category=EIGHT),
    splits=SPLITS,
    read=partial(read_affectnet, EIGHT),
    licence="research only, by agreement",
    how_to_get="http://mohammadmahoor.com/databases/affectnet/ (form); train_set and val_set unpacked",
    expected={"train": 287_651},
    fake=fake_affectnet,
    notes="labels of test are withheld; figures of others are on val",
    protocols="train_val",
)
AFFECTNET_7 = Benchmark(
    name="affectnet7",
    title="AffectNet-7",
    classes=ClassNames(category=SEVEN),
    splits=SPLITS,
    read=partial(read_affectnet, SEVEN),
    licence=AFFECTNET_8.licence,
    how_to_get=AFFECTNET_8.how_to_get,
    expected=AFFECTNET_8.expected,
    fake=fake_affectnet,
    notes=f"AffectNet-8 without contempt, which is listed as skipped; {AFFECTNET_8.notes}",
    protocols="train_val",
)
