"""CK+: people asked to show an expression, from a neutral face to its peak; the peak is what is labelled.

```
cohn-kanade-images/S005/001/S005_001_00000001.png … S005_001_00000011.png      593 sequences of 123 people
Emotion/S005/001/S005_001_00000011_emotion.txt                                 "   3.0000000e+00", 327 of them
```
The folder of a sequence without an emotion is empty or not there. The labelled picture is the one the file is named
after. The layout is that of the set's readme and of public readers; it was not tried on the real set. The folds by
person are this project's (folds.py).
"""

from __future__ import annotations

import re
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.folds import FOLD_SPLITS, subjects_of
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError, Skipped

CODES = {1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happiness", 6: "sadness", 7: "surprise"}
CLASSES = tuple(CODES.values())
IMAGES = "cohn-kanade-images"
LABEL = re.compile(r"(?P<frame>(?P<subject>S\d{3})_(?P<sequence>\d{3})_\d{8})_emotion\.txt")


def read_ckplus(root: Path, split: str) -> Release:
    """The peaks of the split's people, in order of name; sequences without an emotion are skipped."""
    lacking = [name for name in (IMAGES, "Emotion") if not (root / name).is_dir()]
    if lacking:
        raise MienError(f"{root} has no folder {' or '.join(lacking)}, which CK+ has; unpack both into one folder")
    labels = {path: LABEL.fullmatch(path.name) for path in sorted((root / "Emotion").rglob("*_emotion.txt"))}
    found = [(path, match) for path, match in labels.items() if match]
    sequences = sorted(p.relative_to(root / IMAGES).as_posix() for p in (root / IMAGES).glob("S*/[0-9]*") if p.is_dir())
    people = [name.split("/")[0] for name in sequences] + [match["subject"] for _, match in found]
    chosen = subjects_of(split, people, title=f"CK+ in {root}")
    samples, labelled = list[Sample](), set[str]()
    for path, match in found:
        sequence = f"{match['subject']}/{match['sequence']}"
        labelled.add(sequence)
        if match["subject"] in chosen:
            category = CLASSES.index(CODES[_code(path)])
            file = f"{IMAGES}/{sequence}/{match['frame']}.png"
            samples.append(
                Sample(id=match["frame"], file=file, labels=Labels(category=category), group=match["subject"])
            )
    if not samples:
        raise MienError(f"{root / 'Emotion'} has no label of {split}; is Emotion_labels.zip unpacked whole?")
    skipped = [
        Skipped(what=sequence, reason="the sequence has no emotion label")
        for sequence in sequences
        if sequence not in labelled and sequence.split("/")[0] in chosen
    ]
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=whole_pictures(samples))


def _code(path: Path) -> int:
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    try:
        code = float(text)
    except ValueError:
        code = 0
    if code not in CODES:
        raise MienError(f"{path}: the emotion is {text!r}; it must be a whole number from 1 to {len(CODES)}")
    return int(code)


def fake_ckplus(root: Path) -> None:
    """Five people with a sequence of two pictures an emotion, and one without a label, its folder empty."""
    for number in range(5):
        subject = f"S{5 * number + 5:03d}"
        for code in range(8):
            sequence = f"{code + 1:03d}"
            frames = [f"{subject}_{sequence}_{frame:08d}" for frame in (1, 11)]
            for index, frame in enumerate(frames):
                write_face(
                    root / IMAGES / subject / sequence / f"{frame}.png", seed=20 * number + code + index, side=64
                )
            folder = root / "Emotion" / subject / sequence
            folder.mkdir(parents=True)
            if code:
                (folder / f"{frames[-1]}_emotion.txt").write_text(f"   {code:.7e}\n")


CKPLUS = Benchmark(
    name="ckplus",
    title="CK+",
    classes=ClassNames(category=CLASSES),
    splits=FOLD_SPLITS,
    read=read_ckplus,
    licence="non-commercial research, by agreement",
    how_to_get="https://www.jeffcohn.net/Resources/ (form); extended-cohn-kanade-images.zip and Emotion_labels.zip",
    fake=fake_ckplus,
    group_name="person",
    notes="the peak of each labelled sequence; acted; the folds are this project's: every fifth person is tested",
    protocols="five_folds",
)
