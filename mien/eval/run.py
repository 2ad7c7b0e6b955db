"""Evaluation: a frozen model on a benchmark, from its clips to a record of what it scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.data.store import Store
from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fakes import is_fake
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.feature_cache import FeatureCache, KnownFeatures
from mien.eval.features import Embed, extract_features, features_of, labels_alone
from mien.eval.fewshot import run_few_shot
from mien.eval.finetune import Finetune
from mien.eval.folds import mean_over_folds
from mien.eval.head import Head, HeadInput
from mien.eval.probe import LinearProbe, Retrieval
from mien.eval.protocol import ClassNames, Protocol, Task
from mien.eval.results import EvalResult, SkippedSample, TaskResult, hardware, versions
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
    trained_on: str = "",
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
    here is random but few-shot draws and fine-tuning, whose seeds the protocol tells). text: the model's text tower,
    for zero-shot tasks and retrieval. reading: how clips are read, for the record; its `subject`, if any, overrules the
    store's. out: the JSON file to write; heads: a folder for the probes, `TASK.safetensors` each but for few-shot tasks
    and retrieval. cache: where features are looked for before they are computed, and kept. fine_tune: what trains the
    model for fine-tuned tasks.
    """
    scored = benchmark.protocol(protocol) if isinstance(protocol, str) else protocol
    if scored.folds > 1:
        settings = {"root": root, "store": store, "embed": embed, "make_loader": make_loader, "model_id": model_id}
        settings |= {
            "weights_hash": weights_hash,
            "trained_on": trained_on,
            "seed": seed,
            "text": text,
            "reading": reading,
        }
        return _evaluate_folds(benchmark, scored, split=split, out=out, heads=heads, cache=cache, **settings)
    split = split or scored.report[0]
    if split not in benchmark.splits:
        raise MienError(f"{benchmark.name} has no split {split!r}; it has {', '.join(benchmark.splits)}")
    if split == scored.train_split:
        raise MienError(f"protocol {scored.name} fits its probes on {split!r}; score them on another split")
    begin, started_at = time.perf_counter(), datetime.now(UTC)
    for name in scored.validation_splits:
        _require_apart(name, benchmark=benchmark, split=split)
    read = {name: read_split(benchmark, name, root=root, store=store) for name in scored.splits(split)}
    data = _Data(
        split=split,
        samples={name: samples for name, (samples, _) in read.items()},
        features={
            # Each fine-tuned task has a model of its own to embed them.
            name: labels_alone(samples)
            if scored.is_fine_tuned
            else embed_samples(samples, embed=embed, make_loader=make_loader, cache=cache)
            for name, (samples, _) in read.items()
        },
    )
    train, test = data.features.get(scored.train_split or ""), data.features[split]
    skipped = [each for _, left_out in read.values() for each in left_out]
    results = []
    for task in scored.tasks:
        result, head = _run(task, scored, data, classes=benchmark.classes, text=text, fine_tune=fine_tune)
        results.append(result)
        if heads is not None and head is not None:
            reads = HeadInput(
                model=model_id,
                weights_hash=weights_hash,
                features=scored.features,
                mean_of_frames=scored.mean_of_frames,
            )
            _as_head(head, reads=reads, fitted_on=f"{benchmark.name}, task {task.name}, protocol {scored.name}").save(
                heads / f"{task.name}.safetensors"
            )
    record = EvalResult(
        benchmark=benchmark.name,
        is_generated=benchmark.is_generated or is_fake(root),
        split=split,
        protocol=scored.model_dump(mode="json"),
        model_id=model_id,
        weights_hash=weights_hash,
        trained_on=trained_on,
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    """What was read of each split, and what the model made of it; `split` is the one that is scored."""

    split: str
    samples: Mapping[str, Sequence[LabeledClip]]
    features: Mapping[str, Features]


def _run(
    task: Task,
    protocol: Protocol,
    data: _Data,
    *,
    classes: ClassNames,
    text: TextTower | None,
    fine_tune: FineTune | None,
) -> tuple[TaskResult, LinearProbe | Head | None]:
    """What the task scored, and its head if it has a single one: that of a fine-tuned task reads another model."""
    train, test = data.features.get(protocol.train_split or ""), data.features[data.split]
    if isinstance(task.probe, Retrieval):
        texts = [sample.clip.text for sample in data.samples[data.split]]
        return run_retrieval(task, test=test, texts=texts, text=text), None
    if train is None or protocol.train_split is None:
        return run_task(task, classes=classes, train=None, test=test, text=text)
    if isinstance(task.probe, Finetune):
        return run_fine_tuned(
            task,
            task.probe,
            fine_tune,
            classes=classes,
            train=data.samples[protocol.train_split],
            validation=None if task.probe.choose_on is None else data.samples[task.probe.choose_on],
            test=data.samples[data.split],
        )
    if task.few_shot is not None:
        return run_few_shot(task, task.few_shot, classes=classes, train=train, test=test), None
    chosen_on = task.sweep.validation_split if task.sweep is not None else None
    validation = None if chosen_on is None else data.features[chosen_on]
    chosen = choose(task, classes=classes, train=train, validation=validation)
    return run_task(chosen, classes=classes, train=train, test=test, text=text)


def _as_head(fitted: LinearProbe | Head, *, reads: HeadInput, fitted_on: str) -> Head:
    return fitted if isinstance(fitted, Head) else Head(probe=fitted, reads=reads, fitted_on=fitted_on)


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
