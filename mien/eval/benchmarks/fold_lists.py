"""Sets of videos with five official folds, a list each: DFEW and MAFW. A figure of theirs is the mean over the folds.

| set | list of a fold | a line | videos |
|---|---|---|---|
| DFEW | `EmoLabel_DataSplit/train(single-labeled)/set_1.csv` | `video_name,label`, then `1,4` | `Clip/…/00001.avi` |
| MAFW | `Train & Test Set/single/no_caption/set_1/train.txt` | `00001.mp4 anger` | `data/clips/00001.mp4` |
| MAFW, compound | `Train & Test Set/compound/no_caption/set_1/train.txt` | `00001.mp4 anger_disgust` | the same |

DFEW's videos are found by their number, in `Clip/clip_224x224_avi` (faces) if that is there, else anywhere in
`Clip/original` (scenes); its folders of frames are no videos and are not read. MAFW's videos are scenes. The layouts
are those of public readers of the sets; no copy was at hand. MAFW's counts are those of a public inspection of its
lists, in which each set's five tests add up to the set; its 43 compound classes (11 single emotions, 32 of two or
three, as in the paper: Liu et al., ACM MM 2022, arXiv 2208.00847) are those of a public reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.folds import FOLD_SPLITS, NUM_FOLDS, counts_of_folds, part_and_fold
from mien.eval.benchmarks.release import Release, Sample, whole_pictures
from mien.eval.protocol import ClassNames
from mien.media.video import VIDEO_SUFFIXES
from mien.theatre.drawn import write_drawn_video
from mien.types import Labels, MienError


@dataclass(frozen=True, kw_only=True, slots=True)
class FoldLists:
    """How one set is laid out. `lists` has {part} and {fold} in braces; `line` the groups `video` and `code`."""

    title: str
    lists: str
    header: str
    """The list's first line; empty where there is none."""
    line: str
    codes: Mapping[str, str]
    clips: tuple[str, ...]
    """Folders of videos, the first that is there."""
    clip: str
    """A video's name, with its {number}."""
    fake_line: str
    faces: tuple[str, ...] = ()
    """Those of `clips` whose videos show nothing but their subject."""

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.codes.values())


def read_fold(lists: FoldLists, root: Path, split: str) -> Release:
    """The videos of one part of one fold, in the order of its list, whether or not they are there."""
    part, fold = part_and_fold(split, title=f"{lists.title} in {root}")
    path = root / lists.lists.format(part=part, fold=fold)
    if not path.is_file():
        raise MienError(f"{path} is not there; name the folder that {lists.title} was unpacked to, whole")
    clips = next((name for name in lists.clips if (root / name).is_dir()), None)
    if clips is None:
        raise MienError(f"{root} has no videos of {lists.title}: no folder {' or '.join(lists.clips)}; unpack one")
    there = _videos(root / clips)
    samples = list[Sample]()
    for number, code in _rows(lists, path):
        category = lists.classes.index(lists.codes[code])
        video = there.get(number, root / clips / lists.clip.format(number=number))
        file = video.relative_to(root).as_posix()
        samples.append(Sample(id=f"{number:05d}", file=file, labels=Labels(category=category)))
    boxes = whole_pictures(samples) if clips in lists.faces else {}
    return Release(samples=tuple(samples), boxes=boxes)


def _videos(folder: Path) -> dict[int, Path]:
    """The videos at any depth, by the numbers they are named by."""
    there = dict[int, Path]()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in VIDEO_SUFFIXES and path.stem.isdecimal() and path.is_file():
            first = there.setdefault(int(path.stem), path)
            if first is not path:
                raise MienError(f"{first} and {path} are both video {int(path.stem)}; keep one of them below {folder}")
    return there


def _rows(lists: FoldLists, path: Path) -> list[tuple[int, str]]:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if lists.header and (not lines or lines[0].strip() != lists.header):
        raise MienError(f"{path}, line 1: {''.join(lines[:1])!r} is not the header {lists.header!r}; is it the list?")
    rows = list[tuple[int, str]]()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (lists.header and number == 1):
            continue
        found = re.fullmatch(lists.line, line.strip())
        if not found or found["code"] not in lists.codes:
            raise MienError(
                f"{path}, line {number}: {line!r} is not a video's number and one of {', '.join(lists.codes)}"
            )
        rows.append((int(found["video"]), found["code"]))
    return rows


def fake_folds(lists: FoldLists, root: Path) -> None:
    """Two videos a class: each fold tests the one or the other; of one more there is only the label."""
    videos = [(number, code) for number, code in enumerate((*lists.codes, *lists.codes), start=1)]
    for number, _ in videos:
        path = root / lists.clips[0] / lists.clip.format(number=number)
        write_drawn_video(path, seed=number, num_frames=8, width=64, height=64)
    for fold in range(1, NUM_FOLDS + 1):
        half = len(lists.codes)
        halves = (videos[:half], videos[half:]) if fold % 2 else (videos[half:], videos[:half])
        for part, rows in zip(("train", "test"), halves, strict=True):
            path = root / lists.lists.format(part=part, fold=fold)
            path.parent.mkdir(parents=True, exist_ok=True)
            lost = [(999, next(iter(lists.codes)))] if part == "train" else []
            lines = [lists.fake_line.format(number=number, code=code) for number, code in (*rows, *lost)]
            path.write_text("\n".join(([lists.header] if lists.header else []) + lines) + "\n", encoding="utf-8")


def fold_benchmark(
    name: str, lists: FoldLists, *, licence: str, how_to_get: str, expected: Mapping[str, int] | None = None
) -> Benchmark:
    """The benchmark of a set with five official folds."""
    return Benchmark(
        name=name,
        title=lists.title,
        classes=ClassNames(category=lists.classes),
        splits=FOLD_SPLITS,
        read=partial(read_fold, lists),
        licence=licence,
        how_to_get=how_to_get,
        expected=expected or {},
        fake=partial(fake_folds, lists),
        notes="five official folds; a figure is the mean over fold1 to fold5, and the protocol `paper` is fold 1 alone",
        protocols="five_folds",
    )


MAFW_CLASSES = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness",
    "surprise", "contempt", "anxiety", "helplessness", "disappointment",
)  # fmt: skip
MAFW_COMPOUNDS = (
    "anger_anxiety", "anger_disgust", "anger_disgust_anxiety", "anger_disgust_contempt", "anger_helplessness",
    "anger_sadness", "anger_surprise", "anxiety_helplessness", "anxiety_helplessness_disappointment", "disgust_anxiety",
    "disgust_anxiety_helplessness", "disgust_contempt", "disgust_disappointment", "disgust_helplessness",
    "disgust_helplessness_disappointment", "disgust_sadness", "disgust_surprise", "fear_anxiety", "fear_sadness",
    "fear_sadness_anxiety", "fear_surprise", "fear_surprise_anxiety", "happiness_contempt", "happiness_surprise",
    "helplessness_disappointment", "sadness_anxiety", "sadness_anxiety_helplessness", "sadness_disappointment",
    "sadness_helplessness", "sadness_helplessness_disappointment", "sadness_surprise", "surprise_anxiety",
)  # fmt: skip
DFEW = fold_benchmark(
    "dfew",
    FoldLists(
        title="DFEW",
        lists="EmoLabel_DataSplit/{part}(single-labeled)/set_{fold}.csv",
        header="video_name,label",
        line=r"(?P<video>\d+),(?P<code>\d)",
        codes={
            "1": "happy", "2": "sad", "3": "neutral", "4": "angry", "5": "surprise", "6": "disgust", "7": "fear",
        },
        clips=("Clip/clip_224x224_avi", "Clip/original"),
        faces=("Clip/clip_224x224_avi",),
        clip="{number:05d}.avi",
        fake_line="{number},{code}",
    ),
    licence="research only, by agreement; the films belong to their makers",
    how_to_get="https://dfew-dataset.github.io (by e-mail); DFEW-part2 unpacked",
)  # fmt: skip
MAFW_LISTS = FoldLists(
    title="MAFW",
    lists="Train & Test Set/single/no_caption/set_{fold}/{part}.txt",
    header="",
    line=r"(?P<video>\d+)\.mp4 +(?P<code>\w+)",
    codes={name: name for name in MAFW_CLASSES},
    clips=("data/clips",),
    clip="{number:05d}.mp4",
    fake_line="{number:05d}.mp4 {code}",
)
MAFW = fold_benchmark(
    "mafw",
    MAFW_LISTS,
    licence="research only, by agreement; the films belong to their makers",
    how_to_get="https://mafw-database.github.io/MAFW (form)",
    expected=counts_of_folds((1_839, 1_837, 1_833, 1_832, 1_831)),
)
MAFW_COMPOUND = fold_benchmark(
    "mafw_compound",
    replace(
        MAFW_LISTS,
        title="MAFW (compound)",
        lists="Train & Test Set/compound/no_caption/set_{fold}/{part}.txt",
        codes={name: " and ".join(name.rsplit("_", 1)).replace("_", ", ") for name in (*MAFW_CLASSES, *MAFW_COMPOUNDS)},
    ),
    licence=MAFW.licence,
    how_to_get=MAFW.how_to_get,
    expected=counts_of_folds((1_818, 1_809, 1_798, 1_788, 1_783)),
)
