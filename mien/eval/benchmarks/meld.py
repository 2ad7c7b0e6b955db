"""MELD: utterances of a television series, cut out as videos, each with an emotion (7) and a sentiment (3).

```
MELD.Raw/ train/train_sent_emo.csv  train/train_splits/dia<D>_utt<U>.mp4
          dev_sent_emo.csv          dev/dev_splits_complete/dia<D>_utt<U>.mp4
          test_sent_emo.csv         test/output_repeated_splits_test/[final_videos_test]dia<D>_utt<U>.mp4
```
The root is this folder or the one that holds it. A csv may lie beside its split's folder or in it, and the folder of
videos in the split's or beside it: the archives within MELD.Raw.tar.gz are unpacked either way.

A sample is a whole video: `StartTime` and `EndTime` are times in the episode, by which it was cut. Videos without a
row, and the `._*` files of the system that packed the archive, are no samples.

The layout was taken from the authors' repository (github.com/declare-lab/MELD: its csv files and issues) and from what
public readers of the release do. This file has not been tried on the release itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.contents import contents
from mien.eval.benchmarks.meld_annotations import Utterance, known_bad, read_utterances
from mien.eval.benchmarks.meld_fake import write_fake_meld
from mien.eval.benchmarks.release import Release, Sample
from mien.eval.protocol import ClassNames
from mien.types import EMOTIONS, Labels, MienError, Skipped

RAW = "MELD.Raw"
VIDEO_FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
CORRECTED = "final_videos_test"
"""Begins the names of test videos that were cut again; the plain files beside them are other cuts, wrong ones."""
VIDEO_NAME = re.compile(rf"({CORRECTED})?dia\d+_utt\d+\.mp4")
LOOKALIKES = {
    "*_sent_emo_dya.csv": "MELD_Dyadic, a selection of MELD with other dialogue numbers",
    "emorynlp_*_final.csv": "EmoryNLP, which has other emotions",
}


def read_meld(root: Path, split: str) -> Release:
    """The utterances of a split, in the order of its csv; `skipped` are those without a usable video."""
    if split not in VIDEO_FOLDERS:
        raise MienError(f"MELD has no split {split!r}; it has {', '.join(VIDEO_FOLDERS)}")
    utterances = _find_utterances(root, split)
    folder, there = _find_videos(root, split)
    if not any(_file(utterance, there) in there for utterance in utterances):
        raise MienError(
            f"{folder} has videos, but none of the utterances of {split}_sent_emo.csv; unpack {split} again"
        )
    bad = known_bad(split)
    samples, skipped = list[Sample](), list[Skipped]()
    for utterance in utterances:
        issue = bad.get(utterance.name)
        if issue and issue.treatment == "skipped":
            skipped.append(Skipped(what=f"{split}/{utterance.name}", reason=issue.reason))
            continue
        file = (folder / _file(utterance, there)).relative_to(root).as_posix()
        samples.append(_sample(utterance, split=split, file=file, issue=issue.reason if issue else None))
    return Release(samples=tuple(samples), skipped=tuple(skipped))


def _sample(utterance: Utterance, *, split: str, file: str, issue: str | None) -> Sample:
    return Sample(
        id=f"{split}/{utterance.name}",
        file=file,
        labels=Labels(category=EMOTIONS.index(utterance.emotion)),
        text=utterance.text,
        group=f"{split}/dia{utterance.dialogue}",
        attributes={"speaker": utterance.speaker, "sentiment": utterance.sentiment}
        | ({} if issue is None else {"known_issue": issue}),
    )


def _file(utterance: Utterance, there: frozenset[str]) -> str:
    """The name of its video among those that are there; the plain one where it is missing."""
    corrected = f"{CORRECTED}{utterance.name}.mp4"
    return corrected if corrected in there else f"{utterance.name}.mp4"


# ── where things are ─────────────────────────────────────────────────────────────────────────────


def _places(root: Path, split: str) -> Iterator[Path]:
    for raw in (root, root / RAW):
        yield raw
        yield raw / split


def _find_utterances(root: Path, split: str) -> tuple[Utterance, ...]:
    """The rows of the split's csv; there may be copies of it, which must say the same."""
    name = f"{split}_sent_emo.csv"
    found = [place / name for place in _places(root, split) if (place / name).is_file()]
    if not found:
        raise _refusal(root, split, lacks=name)
    utterances = read_utterances(found[0])
    for copy in found[1:]:
        if read_utterances(copy) != utterances:
            raise MienError(f"{found[0]} and {copy} differ; keep the one that is MELD's")
    return utterances


def _find_videos(root: Path, split: str) -> tuple[Path, frozenset[str]]:
    """The folder of the split's videos, and the names of those in it."""
    name = VIDEO_FOLDERS[split]
    found = dict[Path, tuple[Path, frozenset[str]]]()
    for place in _places(root, split):
        folder = place / name
        files = folder.iterdir() if folder.is_dir() else ()
        there = frozenset(file.name for file in files if VIDEO_NAME.fullmatch(file.name))
        if there:
            found.setdefault(folder.resolve(), (folder, there))  # a link to the same folder is no second one
    if not found:
        raise _refusal(root, split, lacks=f"{name}/*.mp4")
    if len(found) > 1:
        folders = " and ".join(str(folder) for folder, _ in found.values())
        raise MienError(f"{folders} both have videos of {split}; keep one of them")
    return next(iter(found.values()))


def _refusal(root: Path, split: str, *, lacks: str) -> MienError:
    """Why there is no such file, as far as can be told."""
    if not root.is_dir():
        return MienError(f"{root} is not a folder; give the one that MELD.Raw.tar.gz was unpacked to")
    places = list(_places(root, split))
    for archive in (place / name for name in (f"{split}.tar.gz", f"{RAW}.tar.gz") for place in places):  # inner first
        if archive.is_file():
            return MienError(f"no {lacks} in {root}, but {archive} is there; unpack it: tar -xzf {archive.name}")
    for place in places:
        for pattern, what in LOOKALIKES.items():
            for file in place.glob(pattern):
                return MienError(f"{file} is of {what}; mien reads MELD itself: {HOW_TO_GET}")
    return MienError(
        f"no {lacks} in {root}, nor in its folders {split} and {RAW}; it has {contents(root)}. "
        f"Is it MELD's release? To get that: {HOW_TO_GET}"
    )


# ── the benchmark ────────────────────────────────────────────────────────────────────────────────

HOW_TO_GET = "MELD.Raw.tar.gz from https://affective-meld.github.io; unpack it, and the splits' archives in it"

MELD = Benchmark(
    name="meld",
    title="MELD",
    classes=ClassNames(category=EMOTIONS),
    splits=tuple(VIDEO_FOLDERS),
    read=read_meld,
    licence="annotations GPL-3.0; the videos are a television series, under its owners' copyright",
    how_to_get=HOW_TO_GET,
    expected={"train": 9989, "dev": 1109, "test": 2610},
    fake=write_fake_meld,
    group_name="dialogue",
    notes=(
        "142 of the 143 episodes of test also occur in train, and so do its main characters: a score on test says "
        "nothing about people, rooms and stories that were not seen in training. Two utterances (one of train, one of "
        "dev) have no usable video and are skipped; eleven whose cut is known to be wrong are used, as in published "
        "results, and have the attribute known_issue."
    ),
)
