"""A model folder on a benchmark: where preparation, inference and evaluation meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mien.config import validate
from mien.data.store import Store
from mien.eval.benchmarks import Benchmark, load_benchmark
from mien.eval.benchmarks.fakes import is_fake
from mien.eval.benchmarks.release import Release, stage
from mien.eval.benchmarks.splits import read_splits, with_splits
from mien.eval.feature_cache import FeatureCache
from mien.eval.features import Embed
from mien.eval.finetune import Finetune
from mien.eval.protocol import Protocol
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.eval.zeroshot import TextTower
from mien.hub import resolve, weights_hash
from mien.inference import Mien
from mien.prepare import Engine, PrepareReport, PrepareSettings, prepare
from mien.train.epochs import OnEpoch, say_nothing
from mien.train.finetune import Finetuning
from mien.types import Clip, MienError

OnVideo = Callable[[int, int], None]


def evaluate_model(
    benchmark: str,
    *,
    model: str,
    root: Path,
    store: Path | None = None,
    protocol: str = "paper",
    split: str | None = None,
    splits: Path | None = None,
    out: Path | None = None,
    heads: Path | None = None,
    workers: int = 1,
    on_video: OnVideo = lambda done, total: None,
    run: Path | None = None,
    overrides: Sequence[str] = (),
    on_epoch: OnEpoch = say_nothing,
) -> EvalResult:
    """The benchmark's probes on the model's frozen features of `split`, the protocol's own by default.

    root: the benchmark's release. store: what `mien prepare` made of it; where there is none it is made. Without one,
    `stores/NAME` (NAME-fake of a fake) is made from the release, or brought up to date. splits: a file of splits that
    the release does not have (`mien data splits`), whose digest becomes part of the protocol's name. out: the JSON file
    to write; heads: a folder for the fitted probes.

    For a protocol that fine-tunes (see `mien.train.finetune`): run is the folder that training writes to and goes on
    from, `runs/finetune-NAME-HASH` by default; overrides are `key=value` settings, which become part of the protocol's
    name; on_epoch is told of each epoch.
    """
    scored, chosen = chosen_protocol(benchmark, protocol, overrides=overrides, splits=splits)
    loaded = Mien.from_pretrained(model)
    if chosen.is_fine_tuned:
        _ = loaded.network  # raises where onnxruntime computes
    if loaded.config.architecture.text is None and any(t.probe.kind in ("zeroshot", "retrieval") for t in chosen.tasks):
        raise MienError(f"protocol {chosen.name} asks for texts, but {model} reads none; take paper, sweep or finetune")
    usual = Path("stores") / (f"{scored.name}-fake" if is_fake(root) else scored.name)
    if store is None or not store.exists():
        store = store or usual
        prepare_release(scored, root=root, store=store, splits=chosen.splits(split), workers=workers, on_video=on_video)
    opened = Store(store)
    weights = weights_hash(resolve(model))
    made_by = {
        "weights": weights,
        "config": loaded.config.model_dump(mode="json"),
        "features": chosen.features,
        "mean_of_frames": chosen.mean_of_frames,
        "device": loaded.device,
    }
    reading = loaded.config.clip.model_dump(mode="json")
    if chosen.is_fine_tuned:  # each task's record has the frames that its model reads
        del reading["num_frames"]
    if chosen.mean_of_frames is not None:
        reading["num_frames"] = chosen.mean_of_frames
    return evaluate(
        scored,
        root=root,
        store=opened,
        embed=_embedder(loaded, chosen),
        make_loader=lambda clips: loaded.loader(opened, clips, midpoints=_midpoints(chosen, clips)),
        model_id=model,
        weights_hash=weights,
        trained_on=loaded.config.trained_on,
        protocol=chosen,
        split=split,
        text=TextTower(encode=loaded.encode_text, logit_scale=loaded.model.logit_scale.exp().item()),
        reading=reading,
        out=out,
        heads=heads,
        cache=FeatureCache(store=opened, model=made_by),
        fine_tune=Finetuning(
            base=loaded,
            store=opened,
            run=run or Path("runs") / f"finetune-{usual.name}-{weights[:8]}",
            features=chosen.features,
            told={"benchmark": scored.name, "model": weights},
            trained_on=f"{scored.title}, labels",
            workers=workers,
            on_epoch=on_epoch,
        ),
    )


def chosen_protocol(
    benchmark: str, protocol: str, *, overrides: Sequence[str] = (), splits: Path | None = None
) -> tuple[Benchmark, Protocol]:
    """The benchmark, split as the file `splits` says, and its protocol with `key=value` settings, named by both."""
    scored = load_benchmark(benchmark)
    chosen = with_settings(scored.protocol(protocol), overrides)
    if splits is None:
        return scored, chosen
    drawn = read_splits(splits)
    named = chosen.model_copy(update={"name": f"{chosen.name} splits={drawn.digest[:8]}"})
    return with_splits(scored, drawn, source=str(splits)), named


def _embedder(model: Mien, protocol: Protocol) -> Embed:
    if protocol.features == "video":
        return model.embed_batch
    return model.embed_first_frames if protocol.mean_of_frames is None else model.embed_mean_of_frames


def _midpoints(protocol: Protocol, clips: Sequence[Clip]) -> int | None:
    """The frames to read of each clip; one of pictures, whose mean is the same."""
    if protocol.mean_of_frames is None or any(clip.num_frames > 1 for clip in clips):
        return protocol.mean_of_frames
    return 1


def with_settings(protocol: Protocol, overrides: Sequence[str]) -> Protocol:
    """The protocol with settings of fine-tuning changed, and named by them: other settings are another protocol."""
    if not overrides:
        return protocol
    if not protocol.is_fine_tuned:
        raise MienError(f"protocol {protocol.name} fine-tunes nothing, so {overrides[0]} has no use in it")
    tasks = []
    for task in protocol.tasks:
        settings = validate(Finetune, task.probe.model_dump(), source="the settings", overrides=overrides)
        tasks.append(task.model_dump() | {"probe": settings.model_dump()})
    named = protocol.model_dump() | {"name": " ".join((protocol.name, *overrides)), "tasks": tasks}
    return validate(Protocol, named, source="the settings")


def prepare_release(
    benchmark: Benchmark,
    *,
    root: Path,
    store: Path,
    splits: Sequence[str],
    workers: int = 1,
    on_video: OnVideo = lambda done, total: None,
) -> PrepareReport:
    """Make a store of the splits' videos and pictures: decoded, with the release's own boxes or else detected ones.

    The release itself is not written to: links to its files lie in `STORE.files`. What is there already is not made
    again. A file that is missing or broken costs the samples in it, which evaluation lists.
    """
    if benchmark.is_generated:
        raise MienError(f"{benchmark.name} wants --store: {benchmark.how_to_get}")
    releases = [benchmark.read(root, split) for split in splits]
    files = store.with_name(f"{store.name}.files")
    if not stage(root, releases, files):
        raise MienError(f"none of the files that {benchmark.name}'s annotations name is in {root}; is it unpacked?")
    return prepare(files, store, settings=settings_for(releases), engine=Engine(workers=workers), on_video=on_video)


def settings_for(releases: Sequence[Release]) -> PrepareSettings:
    """How a release is prepared: nothing left out, and its own boxes where it has any."""
    source = "sidecar" if any(release.boxes for release in releases) else "detector"
    return PrepareSettings.model_validate(
        {"images": True, "exclude": (), "expect_words": False, "keep_duplicates": True, "boxes": {"source": source}}
    )
