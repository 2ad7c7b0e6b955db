"""Which parts of UniEmoX help? Its three losses and its fusion, in the generated world, with seeds.

    python bench/uniemox_study.py --out runs/uniemox-study            (resumable)

The teacher is the demo's EmotionCLIP, trained as scripts/demo.sh trains it, which is told where the person is. The
pupils learn in another theatre, in which everyone is alone, so that the largest person is the one who speaks: a small
encoder from random weights for every variant and seed. Its features of whole scenes, of which it is told nothing, are
probed for the emotion that is shown. The table (mean and standard error over seeds) goes to OUT/table.md and the
terminal. Apart from making the second theatre, it calls the same verbs a user would type. The default
of 200 steps of 32 pictures was too short for the two variants tried: raise --steps where there is time.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from study import Scores, as_markdown, mien, run_study, scores_in, slug

from mien.theatre import TheatreSettings, write_theatre

SMALL = [
    "init_from=null",
    "method.model={preset: MAE-B/16, embed_dim: 96, "
    "vision: {image_size: 96, patch_size: 16, width: 96, layers: 3, heads: 3, mlp_width: 384}}",
    "method.decoder={width: 64, layers: 1, heads: 2}",
    "data.filter.videos=train/*",
    "data.clip.min_box_score=0",
    "optim={preset: scratch, warmup_steps: 50}",
    "train.batch_size=32",
    "train.precision=float32",
    "train.workers=0",
]
TERMS = {"L1": "profile", "L2": "image", "L3": "reconstruction"}
SUMS = (("L1", "L2", "L3"), ("L1", "L2"), ("L2",), ("L1",))


def weighted(terms: tuple[str, ...], *, fusion: str) -> list[str]:
    """The overrides by which just these terms are learnt from."""
    weights = [f"method.{word}_weight={int(term in terms)}" for term, word in TERMS.items()]
    return [*weights, f"method.fusion={fusion}"]


VARIANTS = {
    "random weights": [*weighted(("L2",), fusion="none"), "train.steps=0"],
    "L3 (MAE)": [*weighted(("L3",), fusion="none"), "method.teacher=null"],
    **{
        f"{' + '.join(terms)}, {said}": weighted(terms, fusion=fusion)
        for terms in SUMS
        for fusion, said in (("none", "scene alone"), ("figure", "fused with person"))
    },
}
METRICS = ("emotion macro_auc", "emotion accuracy", "vad r2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/uniemox-study"))
    parser.add_argument("--config", default="configs/uniemox.yaml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="training steps of each encoder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time, one thread each")
    args = parser.parse_args()

    demo = args.out / "demo"
    mien("theatre", demo / "theatre", "--train", 100, "--test", 30, "--wordings", 15)
    mien("prepare", demo / "theatre", "--out", demo / "store", "--boxes", "sidecar", "--subject", "speaking")
    everyone_alone = TheatreSettings(num_train=100, num_test=30, wordings=15, alone_share=1.0)
    write_theatre(args.out / "theatre", settings=everyone_alone, workers=args.jobs)
    mien("prepare", args.out / "theatre", "--out", args.out / "store", "--boxes", "sidecar", "--subject", "speaking")
    teacher = teachers_scores(args, store=demo / "store")
    results = run_study(VARIANTS, seeds=args.seeds, jobs=args.jobs, one_run=lambda *job: one_run(args, *job))
    table = as_markdown({"the teacher, told of the speaker": [teacher], **results}, METRICS)
    (args.out / "table.md").write_text(table, encoding="utf-8")
    print(table)


def teachers_scores(args: argparse.Namespace, *, store: Path) -> Scores:
    """Trains the teacher and probes it where the pupils learn, unless its result is there already."""
    result = args.out / "results" / "teacher.json"
    if not result.is_file():
        mien("train", "configs/demo.yaml", f"data.store={store}", "--out", args.out / "teacher")
        evaluate(args, model=args.out / "teacher" / "model", result=result)
    return scores_in(result)


def one_run(args: argparse.Namespace, name: str, seed: int) -> Scores:
    """Trains and probes one variant with one seed, unless its result is there already."""
    run, result = args.out / f"{slug(name)}-{seed}", args.out / "results" / f"{slug(name)}-{seed}.json"
    if not result.is_file():
        given = [f"seed={seed}", f"train.steps={args.steps}", f"method.teacher={args.out / 'teacher' / 'model'}"]
        given += [f"data.store={args.out / 'store'}", *VARIANTS[name]]
        mien("train", args.config, *SMALL, *given, "--out", run, threads=1)
        evaluate(args, model=run / "model", result=result)
    return scores_in(result)


def evaluate(args: argparse.Namespace, *, model: Path, result: Path) -> None:
    mien(
        "evaluate", "theatre", "--root", args.out / "theatre", "--store", args.out / "store",
        "--model", model, "--out", result, threads=1,
    )  # fmt: skip


if __name__ == "__main__":
    main()
