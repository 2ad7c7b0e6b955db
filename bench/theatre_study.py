"""Does subject prompting help, does sentiment guidance? EmotionCLIP's claims in the generated world, with seeds.

    python bench/theatre_study.py --out runs/study            (resumable; about an hour on two cores)

One theatre and one store; every variant is trained from random weights for every seed and probed; the table (mean and
standard error over seeds) goes to OUT/table.md and the terminal. It calls the same verbs a user would type.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from study import Scores, as_markdown, mien, run_study, scores_in, slug

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
    results = run_study(VARIANTS, seeds=args.seeds, jobs=args.jobs, one_run=lambda *job: one_run(args, *job))
    table = as_markdown(results, METRICS)
    (args.out / "table.md").write_text(table, encoding="utf-8")
    print(table)


def one_run(args: argparse.Namespace, name: str, seed: int) -> Scores:
    """Trains and probes one variant with one seed, unless its result is there already."""
    run, result = args.out / f"{slug(name)}-{seed}", args.out / "results" / f"{slug(name)}-{seed}.json"
    if not result.is_file():
        overrides = [f"seed={seed}", f"data.store={args.out / 'store'}", "train.workers=0", "train.evaluate_every=0"]
        overrides += [f"train.steps={args.steps}"] if args.steps else []
        mien("train", args.config, *overrides, *VARIANTS[name], "--out", run, threads=1)
        mien(
            "evaluate", "theatre", "--root", args.out / "theatre", "--store", args.out / "store",
            "--model", run / "model", "--out", result, threads=1,
        )  # fmt: skip
    return scores_in(result)


if __name__ == "__main__":
    main()
