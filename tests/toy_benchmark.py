"""A benchmark of four pictures and a text file, whose release can be broken in every way that matters."""

from __future__ import annotations

from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.release import WHOLE_PICTURE, Note, Release, Sample
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError, Skipped

CLASSES = ClassNames(category=("joy", "anger"), scores=("Peace", "Pain"), vad=("valence", "arousal", "dominance"))


def read_toy(root: Path, split: str) -> Release:
    """`SPLIT.txt`: a line `file category peace pain valence` a sample; category `?` is a sample to skip."""
    if split == "blind":
        raise MienError("the organisers keep the labels of blind")
    path = root / f"{split}.txt"
    if not path.is_file():
        raise MienError(f"no {path.name} in {root}; is it the toy?")
    samples, skipped = list[Sample](), list[Skipped]()
    for line in path.read_text().splitlines():
        file, category, peace, pain, valence = line.split()
        if category == "?":
            skipped.append(Skipped(what=file, reason=f"{file} has no majority among 10 votes"))
            continue
        labels = Labels(
            category=CLASSES.category.index(category), scores=(float(peace), float(pain)), vad=(float(valence), 0, 0)
        )
        samples.append(Sample(id=file, file=f"pictures/{file}", labels=labels))
    boxes = {sample.video: WHOLE_PICTURE for sample in samples[:1]}
    notes = tuple(Note(what=s.id, reason=f"{s.id} is drawn") for s in samples[:2])
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=boxes, notes=notes)


def write_toy(root: Path) -> None:
    (root / "pictures").mkdir(parents=True)
    lines = ["a.png joy 0.9 0.5 1", "b.png anger 0.1 0.2 2", "c.png joy 0.5 0 6", "d.png ? 0 0 0"]
    for split in ("train", "test"):
        (root / f"{split}.txt").write_text("\n".join(f"{split}-{line}" for line in lines))
        for name in "abcd":
            (root / "pictures" / f"{split}-{name}.png").write_bytes(b"drawn")


TOY = Benchmark(
    name="toy",
    title="Toy",
    classes=CLASSES,
    splits=("train", "test", "blind"),
    read=read_toy,
    licence="none",
    how_to_get="it is made",
    expected={"train": 4, "test": 4},
    fake=write_toy,
    protocols="theatre",
)
