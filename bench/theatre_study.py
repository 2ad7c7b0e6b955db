"""Does subject prompting help, does sentiment guidance? EmotionCLIP's claims in the generated world, with seeds.

    python bench/theatre_study.py --out runs/study            (resumable; about an hour on two cores)

One theatre and one store; every variant is trained from random weights for every seed and probed; the table (mean and
standard error over seeds) goes to OUT/table.md and the terminal. It calls the same verbs a user would type.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VARIANTS = {
    "SAP + SNCE": ["method.model.subject=sap", "method.beta=1"],
    "SAP": ["method.model.subject=sap", "method.beta=0"],
    "vanilla": ["method.model.subject=vanilla", "method.beta=0"],
    "random weights": ["method.model.subject=sap", "train.steps=0"],
}
METRICS = ("emotion macro_auc", "emotion accuracy", "categories macro_map", "vad r2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    parser.add_argument("--config", default="configs/demo.yaml")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="training steps; the config's by default")
    parser.add_argument(
        "--jobs", type=int, default=max(1, (os.cpu_count() or 1)), help="runs at a time, one thread each"
    )
    args = parser.parse_args()

    theatre, store = args.out / "theatre", args.out / "store"
    mien("theatre", theatre, "--train", 100, "--test", 30, "--wordings", 15)
    mien("prepare", theatre, "--out", store, "--boxes", "sidecar", "--subject", "speaking")
    jobs = [(name, seed) for seed in range(args.seeds) for name in VARIANTS]
    with ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda job: one_run(args, *job), jobs))
    table = as_markdown({name: [r for (n, _), r in zip(jobs, results, strict=True) if n == name] for name in VARIANTS})
    (args.out / "table.md").write_text(table, encoding="utf-8")
    print(table)


def one_run(args: argparse.Namespace, name: str, seed: int) -> dict[str, float]:
    """Trains and probes one variant with one seed, unless its result is there already; its metrics."""
    slug = "".join(c for c in name.lower() if c.isascii() and c.isalnum())
    run, result = args.out / f"{slug}-{seed}", args.out / "results" / f"{slug}-{seed}.json"
    if not result.is_file():
        overrides = [f"seed={seed}", f"data.store={args.out / 'store'}", "train.workers=0", "train.evaluate_every=0"]
        overrides += [f"train.steps={args.steps}"] if args.steps else []
        mien("train", args.config, *overrides, *VARIANTS[name], "--out", run, threads=1)
        mien(
            "evaluate", "theatre", "--root", args.out / "theatre", "--store", args.out / "store",
            "--model", run / "model", "--out", result, threads=1,
        )  # fmt: skip
    tasks = json.loads(result.read_text(encoding="utf-8"))["tasks"]
    return {f"{task['name']} {metric}": value for task in tasks for metric, value in task["metrics"].items()}


def mien(*words: object, threads: int | None = None) -> None:
    env = dict(os.environ) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    command = [sys.executable, "-m", "mien", *map(str, words)]
    print("$ mien", *words, flush=True)
    done = subprocess.run(command, env=env, capture_output=threads is not None, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr or ''}")


def as_markdown(results: dict[str, list[dict[str, float]]]) -> str:
    lines = ["| | " + " | ".join(METRICS) + " | seeds |", "|---" * (len(METRICS) + 2) + "|"]
    for name, runs in results.items():
        cells = []
        for metric in METRICS:
            values = [run[metric] for run in runs]
            error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            cells.append(f"{statistics.mean(values):.3f} ± {error:.3f}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(runs)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
