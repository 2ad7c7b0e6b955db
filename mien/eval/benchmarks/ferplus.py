"""FER+: FER2013's faces with the votes of ten people each, by the majority of which they are labelled.

```
FER2013Train.zip  FER2013Valid.zip  FER2013Test.zip     28,558 / 3,579 / 3,573 pictures
  FER2013Train/fer0000000.png …
  FER2013Train/label.csv                                fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0
```
Unpacked folders will do (in `data/` too, where the labels' repository has them). A row has a file, the face's box, and
the votes; there is no header. The majority is that of the labels' released code: an emotion with a single vote loses
it; what then has more than half of the votes left is the label, and where nothing has, nothing is. Counted on a copy of
the release: 25,045 / 3,191 / 3,137 pictures have a label. `fer2013new.csv`, which lies beside it, has other votes for
1,602 of the pictures, by which 25,057 / 3,199 / 3,152 would; it is not read.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fake_pictures import draw_face, encode
from mien.eval.benchmarks.folders import Folders, read_copy
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.prepare.sidecar import SidecarRow
from mien.types import Labels, MienError, Skipped

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTED = (*CLASSES, "unknown", "NF")
"""The columns of votes; NF is no face."""
PARTS = {"train": "FER2013Train", "val": "FER2013Valid", "test": "FER2013Test"}
BOX = re.compile(r"\((-?\d+), *(-?\d+), *(-?\d+), *(-?\d+)\)")  # left, top, right, bottom
FOLDERS = Folders(title="FER+", classes=CLASSES, cut_out=("*",))


def read_ferplus(root: Path, split: str) -> Release:
    """The faces of one split that have a label, in the order of the csv; the others are skipped."""
    if split not in PARTS:
        raise MienError(f"FER+ in {root} has no split {split!r}; it has {', '.join(PARTS)}")
    part = PARTS[split]
    for place in (root, root / "data"):
        if (place / part / "label.csv").is_file():
            return _read_folder(place / part, root=root)
        if (place / f"{part}.zip").is_file():
            return _read_archive(place / f"{part}.zip", part=part)
    return read_copy(FOLDERS, root, split, lacks=f"has neither {part}.zip nor {part}/label.csv")


def _read_folder(folder: Path, *, root: Path) -> Release:
    if not any(folder.glob("fer*.png")):
        raise MienError(
            f"{folder} has labels and no pictures; make them from fer2013.csv with FER+'s generate_training_data.py"
        )
    source, below = folder / "label.csv", folder.relative_to(root).as_posix()
    text = source.read_text(encoding="utf-8-sig", errors="replace")
    return _release(text, source=str(source), below=below, packed=lambda _: None)


def _read_archive(path: Path, *, part: str) -> Release:
    try:
        archive = zipfile.ZipFile(path)
        names = frozenset(archive.namelist())
        text = archive.read(f"{part}/label.csv").decode("utf-8-sig", errors="replace")
    except (zipfile.BadZipFile, KeyError) as error:
        raise MienError(f"{path} is not FER+'s archive, or not whole: {error}; get it again") from error

    def packed(file: str) -> Callable[[], bytes] | None:
        return partial(archive.read, file) if file in names else None

    return _release(text, source=f"{path}:{part}/label.csv", below=part, packed=packed)


def _release(text: str, *, source: str, below: str, packed: Callable[[str], Callable[[], bytes] | None]) -> Release:
    samples, skipped, boxes = list[Sample](), list[Skipped](), dict[str, list[SidecarRow]]()
    contents = dict[str, Callable[[], bytes]]()
    for name, box, votes in _rows(text, source=source):
        winner = majority(votes)
        if winner is None or winner not in CLASSES:
            reason = "no majority" if winner is None else f"the majority says {winner}"
            skipped.append(Skipped(what=name, reason=reason))
            continue
        sample = Sample(
            id=Path(name).stem,
            file=f"{below}/{name}",
            labels=Labels(category=CLASSES.index(winner)),
            votes={emotion: count for emotion, count in zip(VOTED, votes, strict=True) if count},
        )
        samples.append(sample)
        boxes[sample.video] = [SidecarRow(time_s=0.0, track=0, xyxy=box)]
        if content := packed(sample.file):
            contents[sample.file] = content
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=boxes, packed=contents)


def majority(votes: Sequence[int]) -> str | None:
    """What of VOTED has more than half of the votes that are not alone; None if nothing has, so too at a tie.

    [4, 0, 0, 1, 3, 2, 0, 0, 0, 0] → 4 of the 9 votes that are not alone, None
    """
    left = [count if count > 1 else 0 for count in votes]
    most = max(left)
    return VOTED[left.index(most)] if 2 * most > sum(left) else None


def _rows(text: str, *, source: str) -> Iterator[tuple[str, tuple[float, float, float, float], list[int]]]:
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        box = BOX.fullmatch(row[1]) if len(row) == 2 + len(VOTED) else None
        if box is None or not all(vote.isdigit() for vote in row[2:]):
            raise MienError(
                f"{source}, line {number}: {','.join(row)!r} is not a file, a box '(0, 0, 48, 48)' and "
                f"{len(VOTED)} votes; is this FER+'s label.csv?"
            )
        x0, y0, x1, y1 = map(float, box.groups())
        yield row[0], (x0, y0, x1, y1), [int(vote) for vote in row[2:]]


def fake_ferplus(root: Path) -> None:
    """The three archives: a face a class, one without a majority, one unknown and one that is no face."""
    root.mkdir(parents=True, exist_ok=True)
    clear = [[8 if i == k else 0 for i in range(10)] for k in range(10)]
    votes = [*(row if k % 2 else [v + (i == 9) for i, v in enumerate(row)] for k, row in enumerate(clear))]
    votes.append([5, 5, 0, 0, 0, 0, 0, 0, 0, 0])
    for start, part in zip((0, 28_638, 32_220), PARTS.values(), strict=True):
        with zipfile.ZipFile(root / f"{part}.zip", "w") as archive:
            lines = list[str]()
            for index, row in enumerate(votes):
                name = f"fer{start + index:07d}.png"
                content = encode(draw_face(seed=start + index)[:, :, 1], suffix=".png")
                archive.writestr(zipfile.ZipInfo(f"{part}/{name}"), content)
                lines.append(f'{name},"(0, 0, 48, 48)",{",".join(map(str, row))}\n')
            archive.writestr(zipfile.ZipInfo(f"{part}/label.csv"), "".join(lines))


FERPLUS = Benchmark(
    name="ferplus",
    title="FER+",
    classes=ClassNames(category=CLASSES),
    splits=tuple(PARTS),
    read=read_ferplus,
    licence="votes: MIT (Microsoft); pictures: FER2013, research only",
    how_to_get="https://github.com/microsoft/FERPlus for the votes, with the pictures made from fer2013.csv",
    expected={"train": 28_558, "val": 3_579, "test": 3_573},
    fake=fake_ferplus,
    notes="labels by the majority of the labels' released code, which leaves out a tenth of the pictures; "
    "the votes are those of label.csv, from which fer2013new.csv differs for 1,602 pictures and 392 labels",
    protocols="faces",
)
