"""EmoSet-118K: pictures with one of eight emotions each, and describable attributes.

```
info.json                               emotion → label2idx, and the same of each attribute
{train,val,test}.json                   [["amusement", "amusement_00001", PICTURE, ANNOTATION], …]
image/EMOTION/*.jpg                     PICTURE, and
annotation/EMOTION/*.json               ANNOTATION: image_id, emotion, brightness, colorfulness, and where there is one
                                        scene, object (a list), facial_expression, human_action
```
In some copies a row has three fields; which field is which is told by its suffix. The layout is that of the authors'
readme (github.com/JingyuanYY/EmoSet); it was not tried on the real set. It has 118,102 pictures in all, and a public
copy (huggingface.co/datasets/Woleek/EmoSet-118K) 5,905 in val and 17,716 in test: train has the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.emotion_words import class_of
from mien.eval.benchmarks.fake_pictures import write_scene
from mien.eval.benchmarks.release import Release, Sample, leads_out
from mien.eval.protocol import ClassNames
from mien.media.video import IMAGE_SUFFIXES
from mien.types import Labels, MienError, Skipped

CLASSES = ("amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness")
SPLITS = ("train", "val", "test")
ATTRIBUTES = ("brightness", "colorfulness", "scene", "object", "facial_expression", "human_action")


def read_emoset(root: Path, split: str) -> Release:
    """The pictures of one split, in the order of its list, with their attributes (lists joined by `; `)."""
    if split not in SPLITS:
        raise MienError(f"EmoSet in {root} has no split {split!r}; it has {', '.join(SPLITS)}")
    _check_root(root, split)
    samples, skipped = list[Sample](), list[Skipped]()
    for category, picture, annotation in _rows(root / f"{split}.json"):
        try:
            attributes = _attributes(root / annotation, emotion=CLASSES[category]) if annotation else {}
        except MienError as error:
            skipped.append(Skipped(what=picture, reason=str(error)))
            continue
        id = PurePosixPath(picture).stem
        samples.append(Sample(id=id, file=picture, labels=Labels(category=category), attributes=attributes))
    return Release(samples=tuple(samples), skipped=tuple(skipped))


def _check_root(root: Path, split: str) -> None:
    lacking = [name for name in ("info.json", f"{split}.json", "image", "annotation") if not (root / name).exists()]
    if lacking:
        inner = next((f for f in sorted(root.glob("*")) if (f / "info.json").is_file()), None)
        hint = f"; did you mean {inner}?" if inner else "; name the folder that EmoSet-118K was unpacked to, whole"
        raise MienError(f"{root} lacks {', '.join(lacking)}, which EmoSet-118K has{hint}")
    info = _load(root / "info.json")
    numbered = info.get("emotion", {}).get("label2idx", {}) if isinstance(info, dict) else {}
    if set(numbered) != set(CLASSES):
        raise MienError(
            f"{root / 'info.json'}: emotion.label2idx names {', '.join(numbered) or 'nothing'}; "
            f"EmoSet-118K has {', '.join(CLASSES)}"
        )


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Each row's class, picture and annotation (empty where the row has none)."""
    rows = _load(path)
    if not isinstance(rows, list) or not rows:
        raise MienError(f"{path} is not a list of pictures; is it EmoSet's?")
    for number, row in enumerate(rows, start=1):
        fields = row if isinstance(row, list) and all(isinstance(field, str) for field in row) else []
        pictures = [field for field in fields[1:] if PurePosixPath(field).suffix.lower() in IMAGE_SUFFIXES]
        annotations = [field for field in fields[1:] if field.endswith(".json")]
        if len(fields) not in (3, 4) or len(pictures) != 1 or len(annotations) > 1:
            raise MienError(
                f"{path}, row {number}: {row!r} is not an emotion, an id (which may be left out), "
                "the path of a picture and that of its annotation"
            )
        category = class_of(fields[0], CLASSES)
        if outside := next((field for field in (*pictures, *annotations) if leads_out(field)), None):
            raise MienError(f"{path}, row {number}: {outside!r} is not below {path.parent}; get {path.name} again")
        if category is None:
            raise MienError(f"{path}, row {number}: emotion is {fields[0]!r}; it must be one of {', '.join(CLASSES)}")
        yield category, pictures[0], annotations[0] if annotations else ""


def _attributes(path: Path, *, emotion: str) -> dict[str, str]:
    """What the annotation says of the picture. Raises MienError where there is none, or its emotion is another."""
    if not path.is_file():
        raise MienError(f"{path} is not there")
    said = _load(path)
    if not isinstance(said, dict):
        raise MienError(f"{path} is not an annotation")
    if said.get("emotion", emotion) != emotion:
        raise MienError(f"{path} says {said['emotion']}, the split's list {emotion}")
    return {name: _text(said[name]) for name in ATTRIBUTES if name in said}


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise MienError(f"{path} is not JSON, or not whole: {error}; get it again") from error


def fake_emoset(root: Path) -> None:
    """Two pictures an emotion in train, one in val and test; rows of four fields, in val of three."""
    root.mkdir(parents=True, exist_ok=True)
    numbers = {name: index for index, name in enumerate(CLASSES)}
    names = {str(index): name for index, name in enumerate(CLASSES)}
    (root / "info.json").write_text(json.dumps({"emotion": {"label2idx": numbers, "idx2label": names}}))
    rows: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    for number, split in enumerate(("train", *SPLITS)):
        for index, emotion in enumerate(CLASSES):
            id = f"{emotion}_{number:05d}"
            picture, annotation = f"image/{emotion}/{id}.jpg", f"annotation/{emotion}/{id}.json"
            rows[split].append([emotion, picture, annotation] if split == "val" else [emotion, id, picture, annotation])
            write_scene(root / picture, seed=8 * number + index)
            said: dict[str, Any] = {"image_id": id, "emotion": emotion, "brightness": index / 10, "colorfulness": 0.5}
            if index % 2:
                said |= {"object": ["Person", "Clothing"], "scene": "stage", "facial_expression": "smile"}
            (root / annotation).parent.mkdir(parents=True, exist_ok=True)
            (root / annotation).write_text(json.dumps(said))
    for split in SPLITS:
        (root / f"{split}.json").write_text(json.dumps(rows[split]))


EMOSET = Benchmark(
    name="emoset",
    title="EmoSet-118K",
    classes=ClassNames(category=CLASSES),
    splits=SPLITS,
    read=read_emoset,
    licence="research only; the pictures belong to those who took them",
    how_to_get="https://vcc.tech/EmoSet (form); EmoSet-118K.zip unpacked",
    expected={"train": 94_481, "val": 5_905, "test": 17_716},
    fake=fake_emoset,
    notes="labels are what a picture evokes, not what people in it show; 118,102 pictures in all",
    protocols="train_test",
)
