"""A model folder on a benchmark: where inference and evaluation meet."""

from __future__ import annotations

from pathlib import Path

from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.hub import resolve, weights_hash
from mien.inference import Mien


def evaluate_model(
    benchmark: str,
    *,
    model: str,
    root: Path,
    store: Path,
    split: str = "test",
    out: Path | None = None,
    heads: Path | None = None,
) -> EvalResult:
    """The benchmark's probes on the model's frozen features of `split`.

    root: the benchmark's release; store: what `mien prepare` made of it. out: the JSON file to write; heads: a folder
    for the fitted probes.
    """
    scored, opened, loaded = load_benchmark(benchmark), Store(store), Mien.from_pretrained(model)
    return evaluate(
        scored,
        root=root,
        store=opened,
        embed=loaded.embed_batch,
        make_loader=lambda clips: loaded.loader(opened, clips),
        model_id=model,
        weights_hash=weights_hash(resolve(model)),
        split=split,
        reading=loaded.config.clip.model_dump(mode="json"),
        out=out,
        heads=heads,
    )
