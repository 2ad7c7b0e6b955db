"""The report of a training run: gathers what its page shows, from the run, the results and the models."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mien.config import load_config
from mien.data.clips import ClipDataset, collate
from mien.data.store import Store
from mien.eval.benchmarks import load_benchmark
from mien.eval.features import extract_features
from mien.eval.pictures import AttentionPicture, Still, hmn_attention
from mien.eval.report import EmbeddingMap, NamedResult, ReportContent, SampleFrame, write_report
from mien.eval.results import EvalResult
from mien.inference import Mien
from mien.media.boxes import coverage
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig
from mien.types import EMOTIONS, ClipBatch, LabeledClip, MienError

MAP_CLIPS = 300
ATTENTION_CLIPS = 6
GALLERY_CLIPS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportInputs:
    """Where a report's parts come from. `results` holds the JSON files of `mien evaluate`; `models` are compared in
    the maps, by name, the run's own among them."""

    run: Path
    store: Path
    root: Path
    results: Path
    models: dict[str, Path]
    benchmark: str = "theatre"
    split: str = "test"


def report(inputs: ReportInputs, out: Path) -> ReportContent:
    """Writes the self-contained page `out` about a run, and returns what is on it."""
    config = load_config(RunConfig, inputs.run / "config.yaml")
    benchmark, store = load_benchmark(inputs.benchmark), Store(inputs.store)
    if not any(inputs.results.glob("*.json")):
        raise MienError(
            f"no results in {inputs.results}; `mien evaluate … --out {inputs.results}/NAME.json` writes one"
        )
    if out.is_dir():
        raise MienError(f"{out} is a folder; name the page to write, say {out}/report.html")
    samples, _ = benchmark.clips(inputs.root, store, inputs.split)
    if not samples:
        raise MienError(f"no clip of {inputs.benchmark}'s split {inputs.split} is in {inputs.store}")
    model = Mien.from_pretrained(inputs.run / "model")
    content = ReportContent(
        title=f"{config.method.kind}: {config.method.model.subject}, β = {config.method.beta:g}",
        is_generated=benchmark.is_generated,
        facts=_facts(config, inputs, store),
        metrics=tuple(read_metrics(inputs.run / "metrics.jsonl")),
        results=tuple(
            NamedResult(name=path.stem, result=EvalResult.load(path)) for path in sorted(inputs.results.glob("*.json"))
        ),
        maps=tuple(
            _map(name, Mien.from_pretrained(path), store, _spread(samples, MAP_CLIPS))
            for name, path in inputs.models.items()
        ),
        attention=attention_pictures(model, store, speaking_among_others(samples, store, ATTENTION_CLIPS)),
        gallery=_gallery(model, store, _spread(samples, GALLERY_CLIPS)),
    )
    write_report(out, content)
    return content


def _facts(config: RunConfig, inputs: ReportInputs, store: Store) -> tuple[tuple[str, str], ...]:
    model = config.method.model
    boxes = store.settings["boxes"]["source"]
    return (
        ("data", f"{config.trained_on}; store {inputs.store}"),
        ("boxes", f"{boxes}, subject: {config.data.clip.subject or store.settings['subject']}"),
        ("image tower", f"{model.vision.layers} layers of {model.vision.width}, patch {model.vision.patch_size} at "
         f"{model.vision.image_size} px, {config.data.clip.num_frames} frames a clip"),
        ("subject, temporal", f"{model.subject}, {model.temporal.kind}"),
        ("objective", f"SNCE, β {config.method.beta:g}" if config.method.beta else "InfoNCE"),
        ("training", f"{config.train.steps} steps of {config.train.batch_size} clips, seed {config.seed}"),
    )  # fmt: skip


def _map(name: str, model: Mien, store: Store, samples: Sequence[LabeledClip]) -> EmbeddingMap:
    features = extract_features(model.embed_batch, model.loader(store, [s.clip for s in samples]), samples=samples)
    if features.category is None:
        raise MienError("the map colours clips by emotion, and this benchmark has no single emotion a clip")
    return EmbeddingMap(name=name, x=features.x, category=features.category)


def attention_pictures(model: Mien, store: Store, samples: Sequence[LabeledClip]) -> tuple[AttentionPicture, ...]:
    """What `hmn` attends to in the middle frame of each sample; nothing for a model without that token."""
    architecture = model.config.architecture
    if architecture.subject == "vanilla" or not samples:
        return ()
    batch = _batch(model, store, samples)
    middle = batch.frames.shape[1] // 2
    frames, boxes = batch.frames[:, middle], batch.boxes[:, middle]
    patch, (height, width) = architecture.vision.patch_size, frames.shape[-2:]
    matrices = model.model.attention(
        model.config.preprocess.normalize(frames.to(model.device)),
        coverage(boxes, height=height, width=width, patch=patch).to(model.device),
    )
    weights = hmn_attention(matrices, grid=architecture.vision.grid)
    return tuple(
        AttentionPicture(still=_still(frames[i], boxes[i]), attention=weights[i], caption=sample.clip.text)
        for i, sample in enumerate(samples)
    )


def _gallery(model: Mien, store: Store, samples: Sequence[LabeledClip]) -> tuple[SampleFrame, ...]:
    batch = _batch(model, store, samples)
    middle = batch.frames.shape[1] // 2
    return tuple(
        SampleFrame(
            still=_still(batch.frames[i, middle], batch.boxes[i, middle]),
            sentence=sample.clip.text,
            emotion=EMOTIONS[sample.labels.category or 0],
        )
        for i, sample in enumerate(samples)
    )


def _batch(model: Mien, store: Store, samples: Sequence[LabeledClip]) -> ClipBatch:
    """The samples as one batch, as the model sees them."""
    dataset = ClipDataset(
        store, [s.clip for s in samples], settings=model.config.clip, preprocess=model.config.preprocess
    )
    collate_batch = functools.partial(
        collate, tokenizer=model.tokenizer, context_length=model.config.architecture.text.context_length
    )
    return collate_batch([dataset[0, i] for i in range(len(samples))])


def _still(frame: torch.Tensor, boxes: torch.Tensor) -> Still:
    is_box = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Still(frame=np.ascontiguousarray(frame.permute(1, 2, 0).numpy()), boxes=boxes[is_box].numpy())


def _spread(samples: Sequence[LabeledClip], count: int) -> list[LabeledClip]:
    """`count` of the samples, evenly from first to last."""
    chosen = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[i] for i in dict.fromkeys(chosen.tolist())]


def speaking_among_others(samples: Sequence[LabeledClip], store: Store, count: int) -> list[LabeledClip]:
    """Samples in which more than one person is seen, if there are such: there it matters who the subject is."""

    def num_persons(sample: LabeledClip) -> int:
        frame = (sample.clip.start_frame + sample.clip.end_frame) // 2
        first, last = np.searchsorted(store.boxes(sample.clip.video).frame, [frame, frame + 1])
        return int(last - first)

    return _spread([s for s in samples if num_persons(s) > 1] or list(samples), count)
