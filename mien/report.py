"""The report of a training run: gathers what its page shows, from the run, the results and the models."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from mien.config import dump_yaml, load_config
from mien.data.clips import ClipDataset, collate
from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import is_fake
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.features import extract_features
from mien.eval.pictures import AttentionPicture, Still, hmn_attention
from mien.eval.report import EmbeddingMap, NamedResult, ReportContent, SampleFrame, write_report
from mien.eval.results import EvalResult
from mien.inference import Mien
from mien.media.boxes import coverage
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig
from mien.types import EMOTIONS, Clip, ClipBatch, LabeledClip, MienError, Skipped

T = TypeVar("T")
MAP_CLIPS = 300
ATTENTION_CLIPS = 6
LOOKED_AT = 500
"""Clips of a store among which those for the attention are looked for; it may have a million."""
GALLERY_CLIPS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportInputs:
    """Where a report's parts come from; the run alone gives its curves, its settings and what its model attends to.

    `results` holds the JSON files of `mien evaluate`; `root` is the release of `benchmark`, for the parts that need
    true labels. `store` is the one the run was trained on by default. `models` are compared with the run's own in the
    maps, by name.
    """

    run: Path
    store: Path | None = None
    root: Path | None = None
    results: Path | None = None
    models: dict[str, Path] = field(default_factory=dict)
    benchmark: str = "theatre"
    split: str = "test"


def report(inputs: ReportInputs, out: Path) -> ReportContent:
    """Writes the self-contained page `out` about a run, and returns what is on it."""
    if not (inputs.run / "config.yaml").is_file():
        raise MienError(f"{inputs.run} is not the folder of a run: no config.yaml in it; `mien train` writes one")
    config = load_config(RunConfig, inputs.run / "config.yaml")
    if out.is_dir():
        raise MienError(f"{out} is a folder; name the page to write, say {out}/report.html")
    if inputs.models and not inputs.root:
        raise MienError(f"{', '.join(inputs.models)} would be compared in the map of embeddings, which needs --root")
    results = _results(inputs.results) if inputs.results else ()
    store = _store(inputs, config)
    model = Mien.from_pretrained(inputs.run / "model") if inputs.root or (inputs.run / "model").is_dir() else None
    labelled = _Labelled()
    if inputs.root and store and model:
        labelled = _labelled(inputs, inputs.root, store, model)
    attention = tuple[AttentionPicture, ...]()
    if store and model:
        chosen = speaking_among_others(_clips(labelled, store, config), store, ATTENTION_CLIPS)
        attention = attention_pictures(model, store, chosen)
    content = ReportContent(
        title=f"{config.method.kind}: {config.method.model.subject}, {config.method.objective_in_words}",
        is_generated=labelled.is_generated or any(named.result.is_generated for named in results),
        facts=_facts(config, store),
        settings=dump_yaml(config),
        metrics=tuple(read_metrics(inputs.run / "metrics.jsonl")),
        results=results,
        maps=labelled.maps,
        attention=attention,
        gallery=labelled.gallery,
    )
    write_report(out, content)
    return content


def left_off(content: ReportContent) -> list[Skipped]:
    """The parts that are not on a page, and what each of them needs."""
    parts = (
        (content.metrics, "curves", "the run has measured nothing yet"),
        (content.results, "probes", "they need --results, what `mien evaluate` wrote"),
        (content.maps, "map and true emotions", "they need --root, a benchmark's release, and --store"),
        (content.attention, "attention", "it needs a finished model with a subject token, and the run's store"),
    )
    return [Skipped(what=what, reason=reason) for part, what, reason in parts if not part]


def _clips(labelled: _Labelled, store: Store, config: RunConfig) -> list[Clip]:
    """The benchmark's clips, else some of those that the run measured itself on, else of those it was trained on."""
    if labelled.samples:
        return [sample.clip for sample in labelled.samples]
    return _spread((config.data.validation or config.data.filter).apply(store.clips()), LOOKED_AT)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Labelled:
    """What is shown of clips whose true emotion a benchmark tells."""

    is_generated: bool = False
    samples: tuple[LabeledClip, ...] = ()
    maps: tuple[EmbeddingMap, ...] = ()
    gallery: tuple[SampleFrame, ...] = ()


def _labelled(inputs: ReportInputs, root: Path, store: Store, model: Mien) -> _Labelled:
    benchmark = load_benchmark(inputs.benchmark)
    samples, _ = labelled_clips(benchmark.read(root, inputs.split), store)
    if not samples:
        raise MienError(f"no clip of {inputs.benchmark}'s split {inputs.split} is in {store.path}")
    models = {name: Mien.from_pretrained(path) for name, path in inputs.models.items()} | {"trained": model}
    return _Labelled(
        is_generated=benchmark.is_generated or is_fake(root),
        samples=tuple(samples),
        maps=tuple(_map(name, each, store, _spread(samples, MAP_CLIPS)) for name, each in models.items()),
        gallery=_gallery(model, store, _spread(samples, GALLERY_CLIPS)),
    )


def _results(folder: Path) -> tuple[NamedResult, ...]:
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise MienError(f"no results in {folder}; `mien evaluate … --out {folder}/NAME.json` writes one")
    return tuple(NamedResult(name=path.stem, result=EvalResult.load(path)) for path in paths)


def _store(inputs: ReportInputs, config: RunConfig) -> Store | None:
    """The store that is named, else the one of the run's config, if it is still where it was."""
    if inputs.store or inputs.root:
        return Store(inputs.store or config.data.store)
    return Store(config.data.store) if config.data.store.is_dir() else None


def _facts(config: RunConfig, store: Store | None) -> tuple[tuple[str, str], ...]:
    model = config.method.model
    boxes = f"{store.settings['boxes']['source']}, " if store else ""
    subject = config.data.clip.subject or (store.settings["subject"] if store else "as the store says")
    data = f"store {store.path if store else config.data.store}"
    return (
        ("data", data if config.trained_on == "unknown" else f"{config.trained_on}; {data}"),
        ("boxes", f"{boxes}subject: {subject}"),
        ("image tower", f"{model.vision.layers} layers of {model.vision.width}, patch {model.vision.patch_size} at "
         f"{model.vision.image_size} px, {config.data.clip.num_frames} frames a clip"),
        ("subject, temporal", f"{model.subject}, {model.temporal.kind}"),
        ("objective", config.method.objective_in_words),
        ("training", f"{config.train.steps} steps of {config.train.batch_size} clips, seed {config.seed}"),
    )  # fmt: skip


def _map(name: str, model: Mien, store: Store, samples: Sequence[LabeledClip]) -> EmbeddingMap:
    features = extract_features(model.embed_batch, model.loader(store, [s.clip for s in samples]), samples=samples)
    if features.category is None:
        raise MienError("the map colours clips by emotion, and this benchmark has no single emotion a clip")
    return EmbeddingMap(name=name, x=features.x, category=features.category)


def attention_pictures(model: Mien, store: Store, clips: Sequence[Clip]) -> tuple[AttentionPicture, ...]:
    """What `hmn` attends to in the middle frame of each clip; nothing for a model without that token."""
    architecture = model.config.architecture
    if architecture.subject == "vanilla" or not clips:
        return ()
    batch = _batch(model, store, clips)
    middle = batch.frames.shape[1] // 2
    frames, boxes = batch.frames[:, middle], batch.boxes[:, middle]
    patch, (height, width) = architecture.vision.patch_size, frames.shape[-2:]
    matrices = model.network.attention(
        model.config.preprocess.normalize(frames.to(model.device)),
        coverage(boxes, height=height, width=width, patch=patch).to(model.device),
    )
    weights = hmn_attention(matrices, grid=architecture.vision.grid)
    return tuple(
        AttentionPicture(still=_still(frames[i], boxes[i]), attention=weights[i], caption=clip.text)
        for i, clip in enumerate(clips)
    )


def _gallery(model: Mien, store: Store, samples: Sequence[LabeledClip]) -> tuple[SampleFrame, ...]:
    batch = _batch(model, store, [s.clip for s in samples])
    middle = batch.frames.shape[1] // 2
    return tuple(
        SampleFrame(
            still=_still(batch.frames[i, middle], batch.boxes[i, middle]),
            sentence=sample.clip.text,
            emotion=EMOTIONS[sample.labels.category or 0],
        )
        for i, sample in enumerate(samples)
    )


def _batch(model: Mien, store: Store, clips: Sequence[Clip]) -> ClipBatch:
    """The clips as one batch, as the model sees them."""
    dataset = ClipDataset(store, clips, settings=model.config.clip, preprocess=model.config.preprocess)
    text = model.config.architecture.text
    collate_batch = functools.partial(
        collate, tokenizer=model.tokenizer, context_length=text.context_length if text else 0
    )
    return collate_batch([dataset[0, i] for i in range(len(clips))])


def _still(frame: torch.Tensor, boxes: torch.Tensor) -> Still:
    is_box = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Still(frame=np.ascontiguousarray(frame.permute(1, 2, 0).numpy()), boxes=boxes[is_box].numpy())


def _spread(items: Sequence[T], count: int) -> list[T]:
    """`count` of the items, evenly from first to last."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in dict.fromkeys(chosen.tolist())]


def speaking_among_others(clips: Sequence[Clip], store: Store, count: int) -> list[Clip]:
    """Clips in which more than one person is seen, if there are such: there it matters who the subject is."""

    def num_persons(clip: Clip) -> int:
        frame = (clip.start_frame + clip.end_frame) // 2
        first, last = np.searchsorted(store.boxes(clip.video).frame, [frame, frame + 1])
        return int(last - first)

    return _spread([clip for clip in clips if num_persons(clip) > 1] or list(clips), count)
