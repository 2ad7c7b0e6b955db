"""Fake releases: small trees with a benchmark's official layout, people drawn, and a mark that tells them for ever."""

from __future__ import annotations

from pathlib import Path

from mien.eval.benchmarks.base import Benchmark
from mien.types import MienError

MARKER = "GENERATED-BY-MIEN.txt"


def write_fake(benchmark: Benchmark, root: Path) -> None:
    """Write the benchmark's fake into `root`, which must be empty or not there.

    The mark is written first, so that not even a fake that was interrupted can be taken for the release.
    """
    if benchmark.fake is None:
        raise MienError(f"{benchmark.name} has no fake; {benchmark.how_to_get}")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise MienError(f"{root} is not an empty folder; name a new one, so that nothing real is mixed with a fake")
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text(
        f"This is not {benchmark.title}. `mien data fake {benchmark.name}` made it: the layout is the release's, the "
        "labels are arbitrary and the people drawn. No score on it means anything.\n",
        encoding="utf-8",
    )
    benchmark.fake(root)


def is_fake(root: Path) -> bool:
    """Whether `root` is a fake, lies in one, or has one as a folder in it (readers look a folder deep)."""
    root = root.resolve()
    above = any((folder / MARKER).is_file() for folder in (root, *root.parents))
    return above or any(root.glob(f"*/{MARKER}"))
