"""Which parts of UniEmoX help? Its three losses and its fusion, in the generated world, with seeds.

    python bench/uniemox_study.py --out runs/uniemox-study            (resumable)

The teacher is the demo's EmotionCLIP, trained as scripts/demo.sh trains it, which is told where the person is. The
pupils learn in another theatre, in which everyone is alone, so that the largest person is the one who speaks: a small
encoder from random weights for every variant and seed. Two features are probed for the emotion that is shown, by the
same linear probes: of the whole scene, of which the encoder is told nothing, the mean of its patches, which is what is
exported; and of the person, cut out, `[cls]`, which is what distillation acts on. The table (mean and standard error
over seeds) goes to OUT/table.md and the terminal. Trainings and the first probe are verbs that a user would type.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import torch
from study import Scores, as_markdown, mien, run_study, scores_in, slug
from torch import Tensor

from mien.data.clips import ClipDataset
from mien.data.loader import load_in_order
from mien.data.store import Store
from mien.data.views import ViewDataset, ViewSettings, collate_views
from mien.eval.benchmarks import load_benchmark
from mien.eval.run import evaluate as run_probes
from mien.hub import weights_hash
from mien.inference import Mien
from mien.theatre import TheatreSettings, write_theatre
from mien.types import Clip, ViewBatch

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
METRICS = (
    "scene, patches: emotion macro_auc",
    "person, [cls]: emotion macro_auc",
    "person, [cls]: emotion accuracy",
    "person, [cls]: vad r2",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/uniemox-study"))
    parser.add_argument("--config", default="configs/uniemox.yaml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=800, help="training steps of each encoder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time, one thread each")
    args = parser.parse_args()
    torch.set_num_threads(1)  # of the probes in this process, `jobs` of which run at a time

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
    return {f"scene, patches: {name}": value for name, value in scores_in(result).items()}


def one_run(args: argparse.Namespace, name: str, seed: int) -> Scores:
    """Trains and probes one variant with one seed, unless its result is there already."""
    run, result = args.out / f"{slug(name)}-{seed}", args.out / "results" / f"{slug(name)}-{seed}.json"
    if not result.is_file():
        given = [f"seed={seed}", f"train.steps={args.steps}", f"method.teacher={args.out / 'teacher' / 'model'}"]
        given += [f"data.store={args.out / 'store'}", *VARIANTS[name]]
        mien("train", args.config, *SMALL, *given, "--out", run, threads=1)
        evaluate(args, model=run / "model", result=result)
    of_person = result.with_name(f"{result.stem}-person.json")
    if not of_person.is_file():
        probe_persons(args, model=run / "model", result=of_person)
    scene, person = scores_in(result), scores_in(of_person)
    return {f"scene, patches: {name}": value for name, value in scene.items()} | {
        f"person, [cls]: {name}": value for name, value in person.items()
    }


def evaluate(args: argparse.Namespace, *, model: Path, result: Path) -> None:
    mien(
        "evaluate", "theatre", "--root", args.out / "theatre", "--store", args.out / "store",
        "--model", model, "--out", result, threads=1,
    )  # fmt: skip


def probe_persons(args: argparse.Namespace, *, model: Path, result: Path) -> None:
    """The theatre's probes on `[cls]` of the largest person's view."""
    loaded, store = Mien.from_pretrained(model), Store(args.out / "store")
    vision, config = loaded.network.vision, loaded.config

    def make_loader(clips: Sequence[Clip]) -> Iterable[ViewBatch]:
        pictures = ClipDataset(store, clips, settings=config.clip, preprocess=config.preprocess)
        views = ViewDataset(pictures, ViewSettings(), patches=config.architecture.vision.grid**2)
        collate = partial(collate_views, tokenizer=None, context_length=0)
        return load_in_order(views, collate=collate, batch_size=64, workers=0)

    def embed(batch: ViewBatch) -> Tensor:
        tokens = vision.encode(vision.embed(config.preprocess.normalize(batch.person)))
        return vision.project(tokens[:, 0])

    probed = {"model_id": str(model), "weights_hash": weights_hash(model), "embed": embed, "make_loader": make_loader}
    run_probes(load_benchmark("theatre"), root=args.out / "theatre", store=store, out=result, **probed)


if __name__ == "__main__":
    main()
