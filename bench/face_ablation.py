"""Which parts of EmoCapCLIP help on faces? Its terms and its mining of positives, on FER+, with seeds.

    python bench/face_ablation.py FERPLUS --out runs/ablation            (resumable; an hour and more on two cores)

A small tower is trained from random weights for every variant and seed, on captions written from the votes of FER+'s
training split, and scored on its test split: zero-shot by prompts, and by a linear probe. The table (mean and standard
error over seeds) goes to OUT/table.md and the terminal. It calls the same verbs a user would type.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from study import Scores, as_markdown, mien, run_study, scores_in, slug

SMALL = [
    "method.model.vision.stem={widths: [24, 48, 96], depths: [1, 1, 1]}",
    "method.model.vision.width=96",
    "method.model.vision.heads=3",
    "method.model.vision.mlp_width=192",
    "method.model.text.width=64",
    "method.model.text.layers=1",
    "method.model.text.heads=2",
    "method.model.text.mlp_width=256",
    "method.model.embed_dim=128",
    "optim.warmup_steps=100",
    "data.validation=null",
    "data.augment.distort={}",
    "train.workers=0",
    "train.evaluate_every=0",
]
PLAIN = ["method.naming_weight=0", "method.mining={space: none, warmup_steps: 100}"]
ALONE = [*PLAIN, "method.local_weight=0", "method.summary_weight=0"]
VARIANTS = {
    "random weights": [*ALONE, "train.steps=0"],
    "global, one-to-one": ALONE,
    "+ local": [*ALONE, "method.local_weight=0.5"],
    "+ summary": [*ALONE, "method.summary_weight=1"],
    "+ local + summary": PLAIN,
    "the same, mined by text": [*PLAIN, "method.mining.space=text"],
    "the same, mined by image": [*PLAIN, "method.mining.space=image"],
    "the same, mined by both": [*PLAIN, "method.mining.space=both"],
    "extension: positives by votes": ["method.naming_weight=0"],
    "extensions: votes, and emotions named": [],
}
METRICS = ("zero-shot accuracy", "zero-shot uar", "probe accuracy", "probe uar")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="FER+ in its official layout")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--store", type=Path, help="what was prepared of it; made in OUT by default")
    parser.add_argument("--config", default="configs/face.yaml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=585, help="three epochs by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time, one thread each")
    args = parser.parse_args()
    args.store = args.store or args.out / "store"
    captions = args.out / "captions.jsonl"
    if not captions.is_file():
        mien("captions", "write", "ferplus", "--root", args.root, "--split", "train", "--out", captions)
    mien("data", "prepare", "ferplus", args.root, "--out", args.store, "--split", "train", "--split", "test")
    results = run_study(VARIANTS, seeds=args.seeds, jobs=args.jobs, one_run=lambda *job: one_run(args, *job))
    table = as_markdown(results, METRICS)
    (args.out / "table.md").write_text(table, encoding="utf-8")
    print(table)


def one_run(args: argparse.Namespace, name: str, seed: int) -> Scores:
    """Trains and scores one variant with one seed, unless its results are there already."""
    run = args.out / f"{slug(name)}-{seed}"
    found = Scores()
    for shown, protocol in (("zero-shot", "zeroshot"), ("probe", "paper")):
        result = args.out / "results" / f"{slug(name)}-{seed}-{protocol}.json"
        if not result.is_file():
            if not (run / "model").is_dir():
                train(args, [f"seed={seed}", f"train.steps={args.steps}", *VARIANTS[name]], run=run)
            evaluate(args, protocol=protocol, model=run / "model", result=result)
        scores = scores_in(result)
        found |= {f"{shown} {metric}": scores[f"emotion {metric}"] for metric in ("accuracy", "uar")}
    return found


def train(args: argparse.Namespace, overrides: list[str], *, run: Path) -> None:
    data = [f"data.store={args.store}", f"data.captions.file={args.out / 'captions.jsonl'}"]
    mien("train", args.config, *SMALL, *data, *overrides, "--out", run, threads=1)


def evaluate(args: argparse.Namespace, *, protocol: str, model: Path, result: Path) -> None:
    mien(
        "evaluate", "ferplus", "--root", args.root, "--store", args.store, "--model", model,
        "--protocol", protocol, "--out", result, threads=1,
    )  # fmt: skip


if __name__ == "__main__":
    main()
