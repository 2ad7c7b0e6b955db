"""The report of a training run: gathers what its page shows, from the run, the results and the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.config import dump_yaml, load_config
from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import is_fake
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.features import extract_features
from mien.eval.neighbours import Neighbours
from mien.eval.pictures import AttentionPicture
from mien.eval.report import EmbeddingMap, NamedResult, ReportContent, SampleFrame, write_report
from mien.eval.results import EvalResult
from mien.inference import Mien
from mien.methods import UniEmoxConfig
from mien.run_pictures import attention_pictures, batch_of, neighbour_rows, rebuilt_pictures, spread, still_of
from mien.train.metrics import read_metrics
from mien.train.reading import pictures_of_store
from mien.train.run import RunConfig
from mien.types import EMOTIONS, Clip, LabeledClip, MienError, Skipped

MAP_CLIPS = 300
ATTENTION_CLIPS = 6
LOOKED_AT = 500
"""Clips of a store among which those for the attention are looked for; it may have a million."""
GALLERY_CLIPS = 8
QUERIES, NEIGHBOURS = 6, 5


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
    clips = _clips(labelled, store, config) if store else []
    chosen = speaking_among_others(clips, store, ATTENTION_CLIPS) if store else []
    is_drawn = isinstance(config.method, UniEmoxConfig) or config.method.model.subject != "vanilla"
    attention, neighbours = tuple[AttentionPicture, ...](), tuple[Neighbours, ...]()
    if store and model and is_drawn:
        attention = attention_pictures(model, store, chosen)
    if store and model and isinstance(config.method, UniEmoxConfig):
        neighbours = neighbour_rows(model, store, clips, queries=QUERIES, count=NEIGHBOURS)
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
        rebuilt=rebuilt_pictures(inputs.run, config, store, chosen),
        mask_ratio=config.method.mask_ratio if isinstance(config.method, UniEmoxConfig) else 0.0,
        neighbours=neighbours,
        num_searched=len(clips),
        searched=_searched(labelled, inputs, config),
    )
    write_report(out, content)
    return content


def left_off(content: ReportContent) -> list[Skipped]:
    """The parts that are not on a page, and what each of them needs."""
    parts = (
        (content.metrics, "curves", "the run has measured nothing yet"),
        (content.results, "probes", "they need --results, what `mien evaluate` wrote"),
        (content.maps, "map and true emotions", "they need --root, a benchmark's release, and --store"),
        (content.attention, "attention", "it needs a finished model, with a subject token or UniEmoX's, and its store"),
        (content.rebuilt != (), "rebuilt pictures", "they need a checkpoint, and the run's store"),
    )
    return [Skipped(what=what, reason=reason) for part, what, reason in parts if not part]


def _clips(labelled: _Labelled, store: Store, config: RunConfig) -> list[Clip]:
    """The benchmark's clips, else some of those that the run measured itself on, else of those it was trained on."""
    if labelled.samples:
        return [sample.clip for sample in labelled.samples]
    every = store.clips() if config.data.views is None else pictures_of_store(store, None)
    return spread((config.data.validation or config.data.filter).apply(every), LOOKED_AT)


def _searched(labelled: _Labelled, inputs: ReportInputs, config: RunConfig) -> str:
    """What the clips of `_clips` are."""
    if labelled.samples:
        return f"clips of the split {inputs.split}"
    return "held-out pictures" if config.data.validation else "pictures that were trained on"


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
        maps=tuple(_map(name, each, store, spread(samples, MAP_CLIPS)) for name, each in models.items()),
        gallery=_gallery(model, store, spread(samples, GALLERY_CLIPS)),
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


def _gallery(model: Mien, store: Store, samples: Sequence[LabeledClip]) -> tuple[SampleFrame, ...]:
    batch = batch_of(model, store, [s.clip for s in samples])
    middle = batch.frames.shape[1] // 2
    return tuple(
        SampleFrame(
            still=still_of(batch.frames[i, middle], batch.boxes[i, middle]),
            sentence=sample.clip.text,
            emotion=EMOTIONS[sample.labels.category or 0],
        )
        for i, sample in enumerate(samples)
    )


def speaking_among_others(clips: Sequence[Clip], store: Store, count: int) -> list[Clip]:
    """Clips in which more than one person is seen, if there are such: there it matters who the subject is."""

    def num_persons(clip: Clip) -> int:
        frame = (clip.start_frame + clip.end_frame) // 2
        first, last = np.searchsorted(store.boxes(clip.video).frame, [frame, frame + 1])
        return int(last - first)

    return spread([clip for clip in clips if num_persons(clip) > 1] or list(clips), count)
