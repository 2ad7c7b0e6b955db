"""Splits of sets whose release has none, drawn so that everybody who has the set draws the same.

The rule: within each folder of a class, files are put in the order of the SHA-256 of SEED, a line feed and the file's
id (UTF-8, NFC), and cut where the shares end: of n files the first `floor(n · share + 1/2)`, and so on with the sum of
the shares. An id is CLASS/NAME, as `read_unsplit` makes it, so neither the disk's order nor the folder's place matters;
a file that somebody lacks moves at most one other across each border. A file of splits is a CSV, `file,split`, in order
of ids: equal splits are equal bytes, whose SHA-256 is the splits' digest.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.contents import first_few
from mien.eval.benchmarks.release import Release
from mien.types import MienError, Skipped
from mien.whole_file import whole_file

HEADER = ["file", "split"]
ORDER = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Splits:
    """Of each file's id the split it is in, and the digest of both."""

    of: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in ORDER if name in self.of.values())

    @property
    def content(self) -> bytes:
        """The file: bytes that depend on the splits alone."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *sorted(self.of.items())])
        return text.getvalue().encode()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def draw_splits(benchmark: Benchmark, root: Path, *, seed: int) -> tuple[Splits, tuple[Skipped, ...]]:
    """Splits of what is in `root`, and what of it cannot be used. Raises MienError where the release has its own."""
    if benchmark.drawn is None:
        raise MienError(f"{benchmark.name} has splits of its own, {', '.join(benchmark.splits)}: there is none to draw")
    release = benchmark.drawn.read(root)
    of = dict[str, str]()
    for official, shares in benchmark.drawn.shares.items():
        prefix = f"{official}/" if official else ""
        of |= cut([sample.id for sample in release.samples if sample.id.startswith(prefix)], shares=shares, seed=seed)
    return Splits(of=of), release.skipped


def cut(ids: Iterable[str], *, shares: Mapping[str, int], seed: int) -> dict[str, str]:
    """Ids → splits, folder by folder by the rule; shares in per cent."""
    folders = defaultdict[str, list[str]](list)
    for each in ids:
        folders[PurePosixPath(each).parent.as_posix()].append(each)
    of = dict[str, str]()
    for names in folders.values():
        ordered = sorted(names, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest())
        begin, share = 0, 0
        for split, own in shares.items():
            share += own
            end = (2 * len(ordered) * share + 100) // 200  # floor(n · share + 1/2), in whole numbers
            of |= dict.fromkeys(ordered[begin:end], split)
            begin = end
    return of


def write_splits(splits: Splits, path: Path) -> None:
    with whole_file(path) as part:
        part.write_bytes(splits.content)


def read_splits(path: Path) -> Splits:
    """What `write_splits` wrote, or somebody else did; in any order of lines."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise MienError(f"{path} cannot be read as a file of splits: {error}; `mien data splits` writes one") from error
    if not rows or rows[0] != HEADER:
        raise MienError(
            f"{path} does not begin with the line {','.join(HEADER)}; `mien data splits` writes such a file"
        )
    of = dict[str, str]()
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or row[1] not in ORDER:
            raise MienError(f"{path}, line {number}: {','.join(row)!r} is no file and one of {', '.join(ORDER)}")
        if row[0] in of:
            raise MienError(f"{path}, line {number}: {row[0]!r} stands there twice")
        of[row[0]] = row[1]
    return Splits(of=of)


def with_splits(benchmark: Benchmark, splits: Splits, *, source: str) -> Benchmark:
    """The benchmark, read by these splits. What is in the release but in none of them is listed, and the other way
    round. source: of the splits, for messages."""
    if benchmark.drawn is None:
        raise MienError(f"{benchmark.name} has splits of its own, {', '.join(benchmark.splits)}; leave out {source}")
    return replace(benchmark, splits=splits.names, expected={}, read=partial(_read, benchmark, splits, source))


def _read(benchmark: Benchmark, splits: Splits, source: str, root: Path, split: str) -> Release:
    assert benchmark.drawn is not None
    release = benchmark.drawn.read(root)
    there = {sample.id for sample in release.samples}
    if not there & splits.of.keys():
        raise MienError(
            f"none of the files that {source} names is in {root}: it names {first_few(sorted(splits.of))}, and there "
            f"is {first_few(sorted(there))}"
        )
    wanted = {name for name, own in splits.of.items() if own == split}
    skipped = [Skipped(what=name, reason=f"in {source}, and not in {root}") for name in sorted(wanted - there)]
    skipped += [Skipped(what=name, reason=f"in no split of {source}") for name in sorted(there - splits.of.keys())]
    samples = tuple(sample for sample in release.samples if sample.id in wanted)
    return Release(samples=samples, skipped=(*release.skipped, *skipped))
