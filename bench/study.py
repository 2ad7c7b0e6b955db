"""What studies share: variants × seeds by the verbs a user would type, and a table of means and standard errors."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Scores = dict[str, float]


def mien(*words: object, threads: int | None = None) -> None:
    """Runs `mien WORDS`; what it prints is shown only where its threads are not limited, as several run at a time."""
    env = dict(os.environ) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    command = [sys.executable, "-m", "mien", *map(str, words)]
    print("$ mien", *words, flush=True)
    done = subprocess.run(command, env=env, capture_output=threads is not None, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr or ''}")


def run_study(
    variants: Iterable[str], *, seeds: int, jobs: int, one_run: Callable[[str, int], Scores]
) -> dict[str, list[Scores]]:
    """The scores of every variant, seed by seed; `jobs` runs at a time."""
    every = [(name, seed) for seed in range(seeds) for name in variants]
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda job: one_run(*job), every))
    found = dict[str, list[Scores]]()
    for (name, _), scores in zip(every, results, strict=True):
        found.setdefault(name, []).append(scores)
    return found


def slug(name: str) -> str:
    """A variant's name for folders."""
    return "".join(c for c in name.lower() if c.isascii() and c.isalnum())


def scores_in(result: Path) -> Scores:
    """TASK METRIC → value, of a file that `mien evaluate` wrote."""
    tasks = json.loads(result.read_text(encoding="utf-8"))["tasks"]
    return {f"{task['name']} {metric}": value for task in tasks for metric, value in task["metrics"].items()}


def as_markdown(results: Mapping[str, Sequence[Scores]], metrics: Sequence[str]) -> str:
    """A row a variant: each metric's mean over seeds, and its standard error; a dash where a variant has none."""
    lines = ["| | " + " | ".join(metrics) + " | seeds |", "|---" * (len(metrics) + 2) + "|"]
    for name, runs in results.items():
        cells = []
        for metric in metrics:
            values = [run[metric] for run in runs if metric in run]
            if not values:
                cells.append("–")
                continue
            error = f" ± {statistics.stdev(values) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{error}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(runs)} |")
    return "\n".join(lines) + "\n"
