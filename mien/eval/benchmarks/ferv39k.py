"""FERV39k: 38,935 clips of faces out of films and broadcasts, of 22 scenes, with one of seven expressions each.

```
4_setups/All_scenes/{train,test}_All.csv         Action/Sad/0010 Sad     (no header, a blank between)
2_ClipsforFaceCrop/Action/Sad/0010/*.jpg         the clip's frames, cut-out faces
```
The root is the folder of both, or the one above (`FERV39k`). A clip is made into a video of its frames as they are, 25
a second, which is an assumption: no reader tells the rate. The scene is an attribute. The layout is that of public
readers of the set, of which several agree (MAE-DFER's `preprocess/ferv39k.py` is one); no copy was at hand. The number
of clips is the paper's (Wang et al., CVPR 2022). How many of them are trained on could not be confirmed: the counts of
the splits are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.contents import contents
from mien.eval.benchmarks.fake_pictures import write_face
from mien.eval.benchmarks.frame_folder import frames_in, video_of_frames
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.types import Labels, MienError, Skipped

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
SPLITS = ("train", "test")
LISTS = "4_setups/All_scenes"
CLIPS = "2_ClipsforFaceCrop"
LINE = re.compile(r"(?P<clip>(?P<scene>[^/ ]+)/[^/ ]+/[^/ ]+) (?P<label>\w+)")


def read_ferv39k(root: Path, split: str) -> Release:
    """The clips of one split, in the order of the list; those whose folder has no frames in it are skipped."""
    if split not in SPLITS:
        raise MienError(f"FERV39k in {root} has no split {split!r}; it has {' and '.join(SPLITS)}")
    name = f"{LISTS}/{split}_All.csv"
    top = next((folder for folder in (root, root / "FERV39k") if (folder / name).is_file()), None)
    if top is None:
        raise MienError(f"{root} has no {name}; it has {contents(root)}: name the folder that FERV39k was unpacked to")
    clips = next((f for f in (top / CLIPS / CLIPS, top / CLIPS) if f.is_dir()), None)
    if clips is None:
        raise MienError(f"{top} has no {CLIPS}; unpack FERV39k's {CLIPS}.zip there")
    samples, skipped, packed = list[Sample](), list[Skipped](), dict[str, Callable[[], bytes]]()
    for clip, scene, category in _rows(top / name):
        sample = Sample(
            id=clip,
            file=(clips / f"{clip}.avi").relative_to(root).as_posix(),
            labels=Labels(category=category),
            attributes={"scene": scene},
        )
        if (clips / clip).is_dir() and not frames_in(clips / clip):
            skipped.append(Skipped(what=clip, reason="its folder has no *.jpg"))
            continue
        samples.append(sample)
        if (clips / clip).is_dir():
            packed[sample.file] = partial(video_of_frames, clips / clip)
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=whole_pictures(samples), packed=packed)


def _rows(path: Path) -> Iterator[tuple[str, str, int]]:
    """Each clip, its scene and its class."""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        found = LINE.fullmatch(line.strip())
        if found is None or ".." in found["clip"] or found["label"].lower() not in CLASSES:
            raise MienError(
                f"{path}, line {number}: {line!r} is not a clip's folder and its expression, as in "
                f"'Action/Sad/0010 Sad'; expressions are {', '.join(CLASSES)}"
            )
        yield found["clip"], found["scene"], CLASSES.index(found["label"].lower())


def fake_ferv39k(root: Path) -> None:
    """A clip of four frames an expression and split; of one more in train there is only the label."""
    for number, split in enumerate(SPLITS):
        lines = [f"Crisis/{name.capitalize()}/{number:04d} {name.capitalize()}" for name in CLASSES]
        for index, line in enumerate(lines):
            for frame in range(4):
                path = root / CLIPS / line.split()[0] / f"{frame + 1:04d}.jpg"
                write_face(path, seed=100 * number + index, side=112)
        if split == "train":
            lines.append("Crisis/Happy/9999 Happy")
        (root / LISTS).mkdir(parents=True, exist_ok=True)
        (root / LISTS / f"{split}_All.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


FERV39K = Benchmark(
    name="ferv39k",
    title="FERV39k",
    classes=ClassNames(category=CLASSES),
    splits=SPLITS,
    read=read_ferv39k,
    licence="non-commercial research, by agreement; the films belong to their makers",
    how_to_get="https://github.com/wangyanckxx/FERV39k (by e-mail); 2_ClipsforFaceCrop and 4_setups unpacked",
    fake=fake_ferv39k,
    notes="the lists of all scenes; the same programmes may be in train and in test",
    protocols="faces",
)
