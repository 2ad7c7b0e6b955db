"""RAF-DB, basic and compound expressions: aligned faces and the list that says which expression each shows.

```
basic/EmoLabel/list_patition_label.txt      train_00001.jpg 5    (12,271 of train, 3,068 of test; spelled so)
basic/Image/aligned/train_00001_aligned.jpg
compound/…                                  the same, with numbers up to 11; 3,954 pictures in all
```
The root is the part's folder, or one that has it. Copies in folders, `{train,test}/{1..7}/*`, are read as well. Layout,
meaning of the numbers and basic counts are those of public readers of the set, which agree (its paper is Li, Deng and
Du, CVPR 2017); it was not tried on the real set. How many compound pictures are trained on could not be confirmed, and
is not checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.folders import Folders, read_copy
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError

LIST = Path("EmoLabel/list_patition_label.txt")
ALIGNED = Path("Image/aligned")
SPLITS = ("train", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the set, and its `folder`. The list has classes by their number, from 1."""

    folder: str
    title: str
    classes: tuple[str, ...]

    @property
    def codes(self) -> dict[str, str]:
        return {str(number): name for number, name in enumerate(self.classes, start=1)}


BASIC = Part(
    folder="basic",
    title="RAF-DB (basic)",
    classes=("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"),
)
COMPOUND = Part(
    folder="compound",
    title="RAF-DB (compound)",
    classes=(
        "happily surprised", "happily disgusted", "sadly fearful", "sadly angry", "sadly surprised", "sadly disgusted",
        "fearfully angry", "fearfully surprised", "angrily surprised", "angrily disgusted", "disgustedly surprised",
    ),
)  # fmt: skip


def read_rafdb(part: Part, root: Path, split: str) -> Release:
    """The faces of one split of that part, in the order of the list."""
    if split not in SPLITS:
        raise MienError(f"{part.title} in {root} has no labels for {split!r}; it has {' and '.join(SPLITS)}")
    folder = next((folder for folder in (root / part.folder, root) if (folder / LIST).is_file()), None)
    if folder is None:
        return read_copy(_copies(part), root, split, lacks=f"has no {LIST}, nor has {root / part.folder}")
    if not (folder / ALIGNED).is_dir():
        raise MienError(f"{folder} has no {ALIGNED}; unpack aligned.zip of {part.title} into {folder / 'Image'}")
    aligned = (folder / ALIGNED).relative_to(root)
    samples = [
        Sample(
            id=name,
            file=(aligned / f"{Path(name).stem}_aligned.jpg").as_posix(),
            labels=Labels(category=int(code) - 1),
        )
        for name, code in _rows(part, folder / LIST)
        if name.startswith(f"{split}_")
    ]
    if not samples:
        raise MienError(f"{folder / LIST} has no line of {split!r}; the names of its pictures begin with {split}_")
    return Release(samples=tuple(samples), boxes=whole_pictures(samples))


def _copies(part: Part) -> Folders:
    return Folders(
        title=part.title,
        classes=part.classes,
        splits={split: (split,) for split in SPLITS},
        codes=part.codes,
        cut_out=("*",),
    )


def _rows(part: Part, path: Path) -> list[tuple[str, str]]:
    """The name of each picture, and its class's number."""
    rows = list[tuple[str, str]]()
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        match line.split():
            case [name, code] if code in part.codes and name.startswith(("train_", "test_")):
                rows.append((name, code))
            case _:
                raise MienError(
                    f"{path}, line {number}: {line!r} is not a picture's name and a number from 1 to "
                    f"{len(part.classes)}; is this the list of {part.title}? (The basic numbers go to "
                    f"{len(BASIC.classes)}, the compound ones to {len(COMPOUND.classes)}.)"
                )
    # Each number of the basic list is one of the compound list too: nothing else would tell that it is the wrong one.
    if part is COMPOUND and all(int(code) <= len(BASIC.classes) for _, code in rows):
        raise MienError(f"{path} has no number above {len(BASIC.classes)}: it is the basic list; name {part.folder}")
    return rows


def fake_rafdb(part: Part, root: Path) -> None:
    """Two faces a class in train, one in test; the list's spelling, and the originals' folder empty."""
    names = [
        f"{split}_{100 * k + i + 1:05d}"
        for split, k in (("train", 0), ("train", 1), ("test", 0))
        for i in range(len(part.classes))
    ]
    lines = [f"{name}.jpg {i % len(part.classes) + 1}" for i, name in enumerate(names)]
    folder = root / part.folder
    (folder / LIST).parent.mkdir(parents=True)
    (folder / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "Image/original").mkdir(parents=True)
    for seed, name in enumerate(names):
        write_face(folder / ALIGNED / f"{name}_aligned.jpg", seed=seed, side=100)


RAFDB = Benchmark(
    name="rafdb",
    title=BASIC.title,
    classes=ClassNames(category=BASIC.classes),
    splits=SPLITS,
    read=partial(read_rafdb, BASIC),
    licence="research only, by agreement; the pictures belong to those who took them",
    how_to_get="http://www.whdeng.cn/raf/model1.html (by e-mail); basic/Image/aligned.zip unpacked",
    expected={"train": 12_271, "test": 3_068},
    fake=partial(fake_rafdb, BASIC),
    protocols="faces",
)
RAFDB_COMPOUND = Benchmark(
    name="rafdb_compound",
    title=COMPOUND.title,
    classes=ClassNames(category=COMPOUND.classes),
    splits=SPLITS,
    read=partial(read_rafdb, COMPOUND),
    licence=RAFDB.licence,
    how_to_get="http://www.whdeng.cn/raf/model1.html (by e-mail); compound/Image/aligned.zip unpacked",
    fake=partial(fake_rafdb, COMPOUND),
    protocols="faces",
)
