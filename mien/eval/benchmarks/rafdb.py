"""RAF-DB, basic expressions: aligned faces and the list that says which of seven expressions each shows.

```
basic/EmoLabel/list_patition_label.txt      train_00001.jpg 5    (12,271 of train, 3,068 of test; spelled so)
basic/Image/aligned/train_00001_aligned.jpg
```
The root is `basic`, or a folder that has it. Copies sorted into folders, `{train,test}/{1..7}/*`, are read as well. The
layout is that of the project's specification and of public readers of the set; it was not tried on the real set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.folders import Folders, read_copy
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError

CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
CODES = {str(number): name for number, name in enumerate(CLASSES, start=1)}
LIST = Path("EmoLabel/list_patition_label.txt")
ALIGNED = Path("Image/aligned")
FOLDERS = Folders(
    title="RAF-DB",
    classes=CLASSES,
    splits={"train": ("train",), "test": ("test",)},
    codes=CODES,
    cut_out=("*",),
)


def read_rafdb(root: Path, split: str) -> Release:
    """The faces of one split, in the order of the list."""
    if split not in FOLDERS.splits:
        raise MienError(f"RAF-DB in {root} has no labels for {split!r}; it has train and test")
    basic = next((folder for folder in (root, root / "basic") if (folder / LIST).is_file()), None)
    if basic is None:
        return read_copy(FOLDERS, root, split, lacks=f"has no {LIST}, nor has {root / 'basic'}")
    if not (basic / ALIGNED).is_dir():
        raise MienError(f"{basic} has no {ALIGNED}; unpack aligned.zip of RAF-DB's basic set into {basic / 'Image'}")
    folder = (basic / ALIGNED).relative_to(root)
    samples = [
        Sample(
            id=name,
            file=(folder / f"{Path(name).stem}_aligned.jpg").as_posix(),
            labels=Labels(category=CLASSES.index(CODES[code])),
        )
        for name, code in _rows(basic / LIST)
        if name.startswith(f"{split}_")
    ]
    if not samples:
        raise MienError(f"{basic / LIST} has no line of {split!r}; the names of its pictures begin with {split}_")
    return Release(samples=tuple(samples), boxes=whole_pictures(samples))


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """The name of each picture, and its class's number."""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        match line.split():
            case [name, code] if code in CODES and name.startswith(("train_", "test_")):
                yield name, code
            case _:
                raise MienError(
                    f"{path}, line {number}: {line!r} is not a picture's name and a number from 1 to {len(CODES)}; "
                    "is this the list of the basic set? (That of the compound set goes to 11.)"
                )


def fake_rafdb(root: Path) -> None:
    """Two faces a class in train, one in test; the list's spelling, and the originals' folder empty."""
    names = [
        f"{split}_{10 * k + i + 1:05d}" for split, k in (("train", 0), ("train", 1), ("test", 0)) for i in range(7)
    ]
    lines = [f"{name}.jpg {i % 7 + 1}" for i, name in enumerate(names)]
    (root / "basic" / LIST).parent.mkdir(parents=True)
    (root / "basic" / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "basic/Image/original").mkdir(parents=True)
    for seed, name in enumerate(names):
        write_face(root / "basic" / ALIGNED / f"{name}_aligned.jpg", seed=seed, side=100)


RAFDB = Benchmark(
    name="rafdb",
    title="RAF-DB (basic)",
    classes=ClassNames(category=CLASSES),
    splits=("train", "test"),
    read=read_rafdb,
    licence="research only, by agreement; the pictures belong to those who took them",
    how_to_get="http://www.whdeng.cn/raf/model1.html (by e-mail); basic/Image/aligned.zip unpacked",
    expected={"train": 12_271, "test": 3_068},
    fake=fake_rafdb,
    protocols="faces",
)
