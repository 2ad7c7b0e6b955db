"""Evaluation: a frozen model on a benchmark, from its clips to a record of what it scored."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mien.data.store import Store
from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fakes import is_fake
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.feature_cache import FeatureCache, KnownFeatures
from mien.eval.features import Embed, extract_features, features_of
from mien.eval.fewshot import run_few_shot
from mien.eval.finetune import Finetune
from mien.eval.folds import mean_over_folds
from mien.eval.probe import Retrieval
from mien.eval.protocol import Protocol
from mien.eval.results import EvalResult, SkippedSample, hardware, versions
from mien.eval.retrieval_task import run_retrieval
from mien.eval.sweep import choose
from mien.eval.tasks import combine, run_task
from mien.eval.tuned import FineTune, run_fine_tuned
from mien.eval.zeroshot import TextTower
from mien.types import Clip, ClipBatch, Features, LabeledClip, MienError, Skipped

MakeLoader = Callable[[Sequence[Clip]], Iterable[ClipBatch]]
"""Clips → their batches, each clip once and in order."""


def evaluate(
    benchmark: Benchmark,
    *,
    root: Path,
    store: Store,
    embed: Embed,
    make_loader: MakeLoader,
    model_id: str,
    weights_hash: str,
    protocol: str | Protocol = "paper",
    split: str | None = None,
    seed: int | None = None,
    text: TextTower | None = None,
    reading: Mapping[str, Any] | None = None,
    out: Path | None = None,
    heads: Path | None = None,
    cache: FeatureCache | KnownFeatures | None = None,
    fine_tune: FineTune | None = None,
) -> EvalResult:
    """Fit the protocol's probes on the training split's features, and score them on `split`, the protocol's by default.

    A protocol that fits nothing has no training split, and none is embedded.

    root: the benchmark's release; store: what `mien prepare` made of it. seed: the model's, if there is one (nothing
    here is random but few-shot draws, whose seeds the protocol tells). text: the model's text tower, for zero-shot
    tasks. reading: how clips are read, for the record; its `subject`, if any, overrules the store's. out: the JSON file
    to write; heads: a folder for the probes, `TASK.safetensors` each but for few-shot ones. cache: where features are
    looked for before they are computed, and kept. fine_tune: what trains the model for fine-tuned tasks.
    """
    scored = benchmark.protocol(protocol) if isinstance(protocol, str) else protocol
    if scored.folds > 1:
        settings = {"root": root, "store": store, "embed": embed, "make_loader": make_loader, "model_id": model_id}
        settings |= {"weights_hash": weights_hash, "seed": seed, "text": text, "reading": reading}
        return _evaluate_folds(benchmark, scored, split=split, out=out, heads=heads, cache=cache, **settings)
    split = split or scored.report[0]
    if split not in benchmark.splits:
        raise MienError(f"{benchmark.name} has no split {split!r}; it has {', '.join(benchmark.splits)}")
    if split == scored.train_split:
        raise MienError(f"protocol {scored.name} fits its probes on {split!r}; score them on another split")
    begin, started_at = time.perf_counter(), datetime.now(UTC)

    @functools.cache
    def read(name: str) -> tuple[list[LabeledClip], list[Skipped]]:
        return read_split(benchmark, name, root=root, store=store)

    def features(name: str) -> tuple[Features, list[Skipped]]:
        samples, left_out = read(name)
        if scored.is_fine_tuned:  # each task has a model of its own to embed them
            return features_of(np.zeros((len(samples), 0), np.float32), samples=samples), [*left_out]
        return embed_samples(samples, embed=embed, make_loader=make_loader, cache=cache), [*left_out]

    train, skipped = features(scored.train_split) if scored.train_split is not None else (None, [])
    test, test_skipped = features(split)
    results = []
    skipped += test_skipped
    validations: dict[str | None, Features | None] = {None: None}
    for name in scored.validation_splits:
        _require_apart(name, benchmark=benchmark, split=split)
        validations[name], validation_skipped = features(name)
        skipped += validation_skipped
    for named in scored.tasks:
        if isinstance(named.probe, Finetune) and scored.train_split is not None:
            chosen_on = named.probe.choose_on
            result, head = run_fine_tuned(
                named,
                named.probe,
                fine_tune,
                classes=benchmark.classes,
                train=read(scored.train_split)[0],
                validation=read(chosen_on)[0] if chosen_on is not None else None,
                test=read(split)[0],
            )
            results.append(result)
            if heads is not None:
                head.save(heads / f"{named.name}.safetensors")
            continue
        if isinstance(named.probe, Retrieval):
            texts = [sample.clip.text for sample in read(split)[0]]
            results.append(run_retrieval(named, test=test, texts=texts, text=text))
            continue
        validation = validations[named.sweep.validation_split] if named.sweep is not None else None
        task = named
        if train is not None:
            task = choose(named, classes=benchmark.classes, train=train, validation=validation)
        if task.few_shot is not None and train is not None:
            results.append(run_few_shot(task, task.few_shot, classes=benchmark.classes, train=train, test=test))
            continue
        result, head = run_task(task, classes=benchmark.classes, train=train, test=test, text=text)
        results.append(result)
        if heads is not None:
            head.save(heads / f"{task.name}.safetensors")
    record = EvalResult(
        benchmark=benchmark.name,
        is_generated=benchmark.is_generated or is_fake(root),
        split=split,
        protocol=scored.model_dump(mode="json"),
        model_id=model_id,
        weights_hash=weights_hash,
        seed=seed,
        tasks=tuple(results),
        combined=tuple(combine(score, results) for score in scored.combined),
        num_train=len(train.ids) if train is not None else 0,
        num_used=len(test.ids),
        grouped_by=benchmark.group_name,
        num_skipped=len(skipped),
        skipped=tuple(SkippedSample(what=s.what, reason=s.reason) for s in skipped),
        boxes=store.settings["boxes"]["source"],
        subject=dict(reading or {}).get("subject") or store.settings["subject"],
        reading=dict(reading or {}),
        store_settings=store.settings,
        versions=versions(),
        hardware=hardware(),
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - begin, 2),
    )
    if out is not None:
        record.save(out)
    return record


def _evaluate_folds(
    benchmark: Benchmark,
    protocol: Protocol,
    *,
    split: str | None,
    out: Path | None,
    heads: Path | None,
    cache: FeatureCache | KnownFeatures | None,
    **settings: Any,
) -> EvalResult:
    """The mean over the protocol's folds, each clip embedded once; or the one fold that is scored on `split`."""
    folds = protocol.every_fold
    if split is not None:
        alone = next((each for each in folds if split in each.report), folds[0])
        return evaluate(
            benchmark, protocol=alone, split=split, out=out, heads=heads, cache=cache, fine_tune=None, **settings
        )
    each_split = [
        read_split(benchmark, name, root=settings["root"], store=settings["store"])[0] for name in protocol.splits()
    ]
    samples = list({sample.clip: sample for samples in each_split for sample in samples}.values())
    features = embed_samples(samples, embed=settings["embed"], make_loader=settings["make_loader"], cache=cache)
    known = KnownFeatures({sample.clip: x for sample, x in zip(samples, features.x, strict=True)})
    results = [
        evaluate(
            benchmark,
            protocol=each,
            heads=None if heads is None else heads / each.report[0],
            cache=known,
            **settings,
        )
        for each in folds
    ]
    record = mean_over_folds(results, protocol=protocol)
    if out is not None:
        record.save(out)
    return record


def _require_apart(name: str, *, benchmark: Benchmark, split: str) -> None:
    """Probes may be chosen on split `name` if there is such a one, and it is not the one they are scored on."""
    if name not in benchmark.splits:
        raise MienError(f"{benchmark.name} has no split {name!r} to choose on; it has {', '.join(benchmark.splits)}")
    if name == split:
        raise MienError(f"probes chosen on {name!r} must not be scored on it; ask for another split")


def read_split(
    benchmark: Benchmark, split: str, *, root: Path, store: Store
) -> tuple[list[LabeledClip], list[Skipped]]:
    """The samples of one split that the store has, and what of it could not be used."""
    release = benchmark.read(root, split)
    samples, skipped = labelled_clips(release, store, root=root)
    if not samples:
        lost = skipped[len(release.skipped) :]  # after what the release itself leaves out
        why = f"; the first, {lost[0].what}, because {lost[0].reason}" if lost else "; none of them can be used at all"
        raise MienError(
            f"no clip of {benchmark.name}'s split {split!r} is in {store.path}, of {len(skipped)}{why}; is it the "
            f"store of this release ({root})?"
        )
    return samples, skipped


def embed_samples(
    samples: Sequence[LabeledClip],
    *,
    embed: Embed,
    make_loader: MakeLoader,
    cache: FeatureCache | KnownFeatures | None = None,
) -> Features:
    """The features and labels of samples, the features from the cache if it has them."""
    clips = [sample.clip for sample in samples]
    if cache is not None and (x := cache.load(clips)) is not None:
        return features_of(x, samples=samples)
    features = extract_features(embed, make_loader(clips), samples=samples)
    if cache is not None:
        cache.save(clips, features.x)
    return features
