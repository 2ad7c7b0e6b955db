"""BoLD: people in clips of films, each with scores of 26 categories and with valence, arousal, dominance.

```
BOLD_public/
  annotations/train.csv  val.csv  test_meta.csv     without headers; the labels of test are withheld
  videos/003/<youtube_id>.mp4/<NNNN>.mp4
  joints/003/<youtube_id>.mp4/<NNNN>.npy            everybody's joints in a clip, a row a person and frame
```
A sample is one person in one clip, with boxes of that person alone: the extent of the detected joints. Its labels are
of the whole clip, as EmotionCLIP's loader takes it; in the splits `train_annotated` and `val_annotated` it lasts from
`min_frame` to `max_frame`, taken to count from the clip's first frame and to include the last. Only a line that is
commented out in entrants' loaders bears on that: it adds `min_frame + 1` to frames that they number from 1, so 0 is the
first. Whether the last is included is told nowhere. Frames of the joints are renumbered from the first row's by all.

The layout was taken from the loaders that EmotionCLIP's authors and entrants to the challenge published. This file has
not been tried on the release itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.bold_annotations import VAD, Extents, Row, boxes_of, read_extents, read_rows
from mien.eval.benchmarks.bold_fake import write_fake_bold
from mien.eval.benchmarks.contents import contents
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.media.video import frame_rate
from mien.prepare.sidecar import SidecarRow
from mien.types import CATEGORIES, Labels, MienError, Skipped

ANNOTATED = "_annotated"
SPLITS = ("train", "val", "test", f"train{ANNOTATED}", f"val{ANNOTATED}")
FOLDERS = ("annotations", "videos", "joints")


def read_bold(root: Path, split: str) -> Release:
    """The persons of a split, in the order of its csv; one whose joints or video cannot be read is skipped."""
    if split == "test":
        raise MienError(f"the labels of BoLD's test split are withheld ({root}/annotations/test_meta.csv); score val")
    if split not in SPLITS:
        raise MienError(f"BoLD has no split {split!r}; it has {', '.join(SPLITS)}")
    file = root / "annotations" / f"{split.removesuffix(ANNOTATED)}.csv"
    _check_root(root, file)
    clip_of = lru_cache(maxsize=64)(lambda video: _read_clip(root, video))  # rows of one clip are near each other
    samples, skipped, seen = list[Sample](), list[Skipped](), dict[str, Row]()
    for row in read_rows(file):
        try:
            clip = clip_of(row.video)
            sample = _sample(row, clip, is_annotated=split.endswith(ANNOTATED))
        except MienError as error:
            skipped.append(Skipped(what=_id(row), reason=str(error)))
            continue
        samples.append(sample)
        if clip.fps is not None:
            seen[sample.video] = row
    if not samples and not skipped:
        raise MienError(f"{file} is empty; extract it from BoLD's archive again")
    return Release(samples=tuple(samples), skipped=tuple(skipped), boxes=_Boxes(seen=seen, clip_of=clip_of))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Clip:
    """What the rows of one clip share; `fps` is None where the video is missing, which `Release.missing` tells."""

    extents: Extents
    fps: float | None


def _read_clip(root: Path, video: str) -> _Clip:
    joints, file = (root / "joints" / video).with_suffix(".npy"), root / "videos" / video
    if not joints.is_file():
        raise MienError(f"{joints} is missing; extract it from BoLD's archive")
    return _Clip(extents=read_extents(joints), fps=frame_rate(file) if file.is_file() else None)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Boxes(Mapping[str, tuple[SidecarRow, ...]]):
    """The boxes of each person in `seen`, made when they are asked for: all of train's and val's take 700 MB."""

    seen: Mapping[str, Row]
    clip_of: Callable[[str], _Clip]

    def __getitem__(self, video: str) -> tuple[SidecarRow, ...]:
        row = self.seen[video]
        clip = self.clip_of(row.video)
        assert clip.fps is not None  # of a missing video nobody is in `seen`
        return boxes_of(clip.extents, person=row.person, fps=clip.fps)

    def __iter__(self) -> Iterator[str]:
        return iter(self.seen)

    def __len__(self) -> int:
        return len(self.seen)


def _sample(row: Row, clip: _Clip, *, is_annotated: bool) -> Sample:
    start_s, end_s = 0.0, None
    if is_annotated:
        if clip.fps is None:
            raise MienError(
                f"videos/{row.video} is missing, by whose frame rate frames {row.min_frame} to {row.max_frame} would "
                "be found; extract it from BoLD's archive"
            )
        start_s, end_s = row.min_frame / clip.fps, (row.max_frame + 1) / clip.fps
    return Sample(
        id=_id(row),
        file=f"videos/{row.video}",
        labels=Labels(scores=row.scores, vad=row.vad),
        start_s=start_s,
        end_s=end_s,
        subject=str(row.person),
        group=PurePosixPath(row.video).parent.as_posix(),
        attributes=row.attributes,
    )


def _id(row: Row) -> str:
    """Clip, person and line: nothing says that a person is annotated once a clip."""
    return f"{row.video}#{row.person}:{row.line}"


# ── where things are ─────────────────────────────────────────────────────────────────────────────


def _check_root(root: Path, file: Path) -> None:
    if file.is_file() and (lacking := [name for name in FOLDERS if not (root / name).is_dir()]):
        raise MienError(
            f"{root} has {file.relative_to(root)}, but no folder {' or '.join(lacking)}; extract all of BoLD's "
            "archive, and keep videos/ and joints/ as they come out of it"
        )
    if file.is_file():
        return
    lacks = f"no {file.relative_to(root)} in {root}"
    if (root / "BOLD_public").is_dir():
        raise MienError(f"{lacks}; give {root / 'BOLD_public'}")
    if root.name in FOLDERS and (root.parent / "annotations").is_dir():
        raise MienError(f"{lacks}, which is a part of BoLD; give {root.parent}")
    if (root / "Annotations" / "Annotations.mat").is_file() or (root / "Annotations.mat").is_file():
        raise MienError(f"{lacks}; it is EMOTIC, whose categories are the same and whose pictures are others")
    raise MienError(
        f"{lacks}, which has {contents(root)}; a BoLD release has {', '.join(FOLDERS)}. To get it: {HOW_TO_GET}"
    )


# ── the benchmark ────────────────────────────────────────────────────────────────────────────────

HOW_TO_GET = "ask the authors of ARBEE (Penn State) with their request form; extract BOLD_public and give that folder"

BOLD = Benchmark(
    name="bold",
    title="BoLD",
    classes=ClassNames(scores=CATEGORIES, vad=VAD),
    splits=SPLITS,
    read=read_bold,
    licence="for research, on request to the authors; not to be passed on",
    how_to_get=HOW_TO_GET,
    expected={split: {"train": 9222, "val": 1153, "test": 2864}[split.removesuffix(ANNOTATED)] for split in SPLITS},
    fake=write_fake_bold,
    group_name="source video",
    notes=(
        "Published linear probes report val, since the labels of test are withheld. EmotionCLIP spreads frames over "
        "the whole clip (protocol paper); with protocol annotated they are those in which the person is annotated."
    ),
)
