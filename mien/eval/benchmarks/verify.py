"""Verification: what of a release is there, against what should be, before anybody spends hours on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fakes import is_fake
from mien.eval.benchmarks.release import Note, Release, Sample
from mien.eval.protocol import Protocol, Task
from mien.types import MienError, Skipped

NUM_EXAMPLES = 3
WORTH_A_WARNING = 0.05  # share of a split's samples left out; MELD's eight are 0.1 %


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Samples with the same thing to say of them, words with digits in them (files, ids, counts) told as `…`."""

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """Over which numbers a dimension's labels go."""

    least: float
    mean: float
    greatest: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitReport:
    """One split of a release. `unread` is why it has no samples, for a split without labels say; else empty."""

    split: str
    is_needed: bool
    """Whether the protocol fits or scores on it."""
    unread: str = ""
    num_samples: int = 0
    num_expected: int | None = None
    """Annotated samples of the official release; None where that is not known."""
    num_skipped: int = 0
    num_missing: int = 0
    num_videos: int = 0
    num_videos_with_boxes: int = 0
    skipped: tuple[Group, ...] = ()
    missing: tuple[Group, ...] = ()
    num_notes: int = 0
    notes: tuple[Group, ...] = ()
    """What is odd about the release, but costs no sample, and so is no fault."""
    categories: dict[str, int] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    """Samples that are positive for each label."""
    dimensions: dict[str, Extent] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """Why a number from this split would not be comparable with a published one."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """A release as a protocol sees it. `is_faithful`: nothing known speaks against comparing results on it."""

    benchmark: str
    root: str
    protocol: str
    is_generated: bool
    is_faithful: bool
    faults: tuple[str, ...]
    splits: tuple[SplitReport, ...]


def verify(benchmark: Benchmark, root: Path, *, protocol: str = "paper") -> Verification:
    """Read every split's annotations and look for its files; nothing is decoded.

    Faithful: the root is no fake, and each split that the protocol uses can be read, has labels for its probes, no
    missing files, no more samples than the official release has, and no fewer once the skipped ones are counted.
    """
    if not root.is_dir():
        raise MienError(f"there is no folder {root}; name the root of {benchmark.title}: {benchmark.how_to_get}")
    scored = benchmark.protocol(protocol)
    splits = tuple(_verify_split(benchmark, root, split, protocol=scored) for split in benchmark.splits)
    generated = benchmark.is_generated or is_fake(root)
    faults = [f"{split.split}: {fault}" for split in splits if split.is_needed for fault in split.faults]
    if generated:
        faults.insert(0, "the data are generated: no score on them is one on a real benchmark")
    return Verification(
        benchmark=benchmark.name,
        root=str(root),
        protocol=scored.name,
        is_generated=generated,
        is_faithful=not faults,
        faults=tuple(faults),
        splits=splits,
    )


def _verify_split(benchmark: Benchmark, root: Path, split: str, *, protocol: Protocol) -> SplitReport:
    needed, expected = split in (*protocol.fit_splits, *protocol.report_splits), benchmark.expected.get(split)
    try:
        release = benchmark.read(root, split)
    except MienError as error:
        faults = (str(error),) if needed else ()
        return SplitReport(split=split, is_needed=needed, unread=str(error), num_expected=expected, faults=faults)
    missing = release.missing(root)
    videos = {sample.video for sample in release.samples}
    return SplitReport(
        split=split,
        is_needed=needed,
        num_samples=len(release.samples),
        num_expected=expected,
        num_skipped=len(release.skipped),
        num_missing=len(missing),
        num_videos=len(videos),
        num_videos_with_boxes=len(videos & release.boxes.keys()),
        skipped=group(release.skipped),
        missing=group(missing),
        num_notes=len(release.notes),
        notes=group(release.notes),
        categories=_count_categories(release, benchmark),
        scores=_count_scores(release, benchmark, positive_at=_positive_at(protocol)),
        dimensions=_extents(release, benchmark),
        faults=tuple(_faults(release, num_missing=len(missing), expected=expected, protocol=protocol)),
        warnings=tuple(_warnings(release, expected=expected)),
    )


# ── judging ──────────────────────────────────────────────────────────────────────────────────────


def _faults(release: Release, *, num_missing: int, expected: int | None, protocol: Protocol) -> list[str]:
    found, annotated = len(release.samples), len(release.samples) + len(release.skipped)
    faults = list[str]()
    if not found:
        faults.append("no sample can be used")
    if expected is not None and found > expected:
        faults.append(f"{found:,} samples, more than the {expected:,} of the official release")
    if expected is not None and annotated < expected:
        faults.append(f"{annotated:,} of the {expected:,} samples of the official release are annotated")
    if num_missing:
        faults.append(f"the files of {num_missing:,} of {found:,} samples are missing")
    for task in protocol.tasks:
        without = sum(_labels_for(task, sample) is None for sample in release.samples)
        if without:
            faults.append(f"{without:,} of {found:,} samples have no labels for task {task.name!r}")
    return faults


def _warnings(release: Release, *, expected: int | None) -> list[str]:
    annotated = len(release.samples) + len(release.skipped)
    warnings = list[str]()
    if expected is None:
        warnings.append("how many samples the official release has is not known here: the count is not checked")
    if len(release.skipped) > WORTH_A_WARNING * annotated:
        warnings.append(f"{len(release.skipped):,} of {annotated:,} samples are left out; read the reasons")
    return warnings


def _labels_for(task: Task, sample: Sample) -> object | None:
    match task.labels:
        case "scores":
            return sample.labels.scores
        case "vad":
            return sample.labels.vad
        case "text":
            return sample.text.strip() or None
        case "category":
            return sample.labels.category


# ── counting ─────────────────────────────────────────────────────────────────────────────────────


def group(skipped: Sequence[Skipped | Note]) -> tuple[Group, ...]:
    """Equal reasons together, the most frequent first."""
    together: dict[str, list[Skipped | Note]] = {}
    for each in skipped:
        together.setdefault(re.sub(r"\S*\d\S*", "…", each.reason.replace(each.what, "…")), []).append(each)
    groups = [
        Group(
            reason=members[0].reason if len(members) == 1 else reason,
            count=len(members),
            examples=tuple(member.what for member in members[:NUM_EXAMPLES]),
        )
        for reason, members in together.items()
    ]
    return tuple(sorted(groups, key=lambda each: -each.count))


def _count_categories(release: Release, benchmark: Benchmark) -> dict[str, int]:
    counts = Counter(sample.labels.category for sample in release.samples if sample.labels.category is not None)
    return {name: counts[index] for index, name in enumerate(benchmark.classes.category)} if counts else {}


def _count_scores(release: Release, benchmark: Benchmark, *, positive_at: float) -> dict[str, int]:
    scores = [sample.labels.scores for sample in release.samples if sample.labels.scores is not None]
    if not scores:
        return {}
    positive = (np.array(scores) >= positive_at).sum(axis=0)
    return dict(zip(benchmark.classes.scores, positive.tolist(), strict=True))


def _extents(release: Release, benchmark: Benchmark) -> dict[str, Extent]:
    rows = [sample.labels.vad for sample in release.samples if sample.labels.vad is not None]
    if not rows:
        return {}
    columns = zip(benchmark.classes.vad, np.array(rows, dtype=np.float64).T, strict=True)
    return {n: Extent(least=float(c.min()), mean=float(c.mean()), greatest=float(c.max())) for n, c in columns}


def _positive_at(protocol: Protocol) -> float:
    return next((task.positive_at for task in protocol.tasks if task.labels == "scores"), 0.5)
