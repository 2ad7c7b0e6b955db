"""A training run from its config: the one place where store, method, optimiser, loop and model folder meet."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from mien import distributed
from mien.checkpoint import checkpoints, load_state, read_metadata
from mien.config import Config, dump_yaml, load_config
from mien.data.clips import ClipDataset, ClipFilter, ClipSettings, collate
from mien.data.loader import BatchPlan, Collate, load_for_training, load_in_order
from mien.data.store import Store
from mien.hub import ModelFolder, load_model, save_model
from mien.losses import info_nce_loss
from mien.media.transforms import Augment
from mien.methods import EmotionClip, Method, MethodConfig
from mien.models.weights import load_matching
from mien.text import Tokenizer
from mien.train.metrics import MetricsWriter, NoMetrics
from mien.train.optim import OptimConfig, build_optimizer, freeze_untrained
from mien.train.sharding import SHARDS, full_weights, load_shards, shard
from mien.train.trainer import Evaluate, OnStep, Trainer, TrainerConfig
from mien.types import Clip, MienError


class DataConfig(Config):
    """Where the clips are and which are used."""

    store: Path
    filter: ClipFilter = ClipFilter()
    validation: ClipFilter | None = None
    """Clips to evaluate on while training (loss and retrieval); must not overlap with `filter`'s."""
    max_validation_clips: int = Field(512, gt=0)
    neighbours: int = Field(1, gt=0)
    """So many clips that follow each other in a video share a batch, as hard negatives; 1 (published) shuffles."""
    clip: ClipSettings = ClipSettings()
    augment: Augment = Augment()


class RunConfig(Config):
    """A training run as a file."""

    seed: int = Field(0, ge=0)
    method: MethodConfig = MethodConfig()
    init_from: str | None = None
    """A model folder, or `hf:OWNER/NAME` of one on the hub, whose weights training starts from; random by default."""
    data: DataConfig
    optim: OptimConfig = OptimConfig()
    train: TrainerConfig = TrainerConfig()
    weights_license: str = "unknown"
    trained_on: str = "unknown"

    @model_validator(mode="after")
    def _parts_fit(self) -> RunConfig:
        frames, temporal = self.data.clip.num_frames, self.method.model.temporal
        if temporal.kind == "transformer" and frames > temporal.num_frames:
            raise ValueError(
                f"data.clip.num_frames is {frames}, but method.model.temporal.num_frames is {temporal.num_frames}; "
                "make the latter as large"
            )
        if temporal.kind == "conv1d" and frames < 3:
            raise ValueError(f"data.clip.num_frames is {frames}; the conv1d temporal encoder needs 3 or more")
        if self.train.evaluate_every and not self.data.validation:
            raise ValueError("train.evaluate_every needs data.validation: the clips to evaluate on")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """What a run had to work with, for the user to see before it starts."""

    num_clips: int
    num_excluded: int
    num_truncated: int
    steps_per_epoch: int
    first_step: int
    fresh: tuple[str, ...]
    """Parts of the model that `init_from` has no weights for."""
    num_parameters: int
    device: str


OnStart = Callable[[RunSummary], None]


def train(config: RunConfig, run: Path, *, on_start: OnStart | None = None, on_step: OnStep | None = None) -> Path:
    """Trains, resuming from the run folder's latest checkpoint if there is one; returns the finished model folder.

    Raises MienError for settings that cannot work, before anything is computed; `Interrupted` after a stop request.
    """
    with distributed.process_group(config.train.resolve_device()) as device:
        _refuse_other_settings(config, run)
        torch.manual_seed(config.seed)
        method = config.method.build()
        tokenizer = _check_tokenizer(Tokenizer.clip(), config)
        fresh = () if checkpoints(run / "checkpoints") else _load_initial_weights(config, method)
        store = Store(config.data.store)
        every_clip = store.clips()
        clips = config.data.filter.apply(every_clip)
        plan = BatchPlan(
            videos=[clip.video for clip in clips],
            batch_size=config.train.batch_size,
            seed=config.seed,
            neighbours=config.data.neighbours,
            accumulate=config.train.accumulate,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        clips_digest = digest(clips)
        checkpoint = _latest_checkpoint(config, run, clips=clips_digest)
        context_length = config.method.model.text.context_length
        collate_batch: Collate = functools.partial(collate, tokenizer=tokenizer, context_length=context_length)
        evaluate = _evaluator(config, store, every_clip, clips, collate_batch, device)
        _write_config(config, run)  # nothing is refused from here on: a refused run leaves no folder
        freeze_untrained(config.optim, method)
        if config.train.fsdp:
            shard(method, device=device)
        method.to(device)  # after sharding, which moves a layer at a time: the whole may not fit
        if config.train.compile:
            method.model.compile_towers()
        optimizer = build_optimizer(config.optim, method)
        first_step = 0 if checkpoint is None else _resume(config, checkpoint, method, optimizer)
        if on_start and distributed.is_main():
            on_start(
                RunSummary(
                    num_clips=len(clips),
                    num_excluded=len(every_clip) - len(clips),
                    num_truncated=len(tokenizer.truncated([c.text for c in clips], context_length=context_length)),
                    steps_per_epoch=plan.steps_per_epoch,
                    first_step=first_step,
                    fresh=fresh,
                    num_parameters=sum(p.numel() for p in method.parameters()),
                    device=device,
                )
            )
        trainer = Trainer(
            method,
            optimizer,
            config=config.train,
            optim=config.optim,
            seed=config.seed,
            run=run,
            device=device,
            metadata={"config": config.model_dump(mode="json"), "clips": clips_digest},
        )
        trainer.fit(
            load_for_training(
                _dataset(config, store, clips, augment=config.data.augment),
                plan,
                collate=collate_batch,
                first_step=first_step,
                workers=config.train.workers,
                pin_memory=device != "cpu",
            ),
            first_step=first_step,
            metrics=MetricsWriter(run, first_step=first_step, tensorboard=config.train.tensorboard)
            if distributed.is_main()
            else NoMetrics(),
            evaluate=evaluate,
            on_step=on_step if distributed.is_main() else None,
        )
        weights = full_weights(method.model)
        if distributed.is_main():
            export(config, weights, tokenizer, run / "model")
        distributed.barrier()
    return run / "model"


def export(config: RunConfig, weights: Mapping[str, Tensor], tokenizer: Tokenizer, path: Path) -> None:
    """Writes the model folder others load with `Mien.from_pretrained`."""
    save_model(
        path,
        weights=weights,
        config=ModelFolder(
            architecture=config.method.model,
            preprocess=config.method.preprocess,
            clip=config.data.clip,
            weights_license=config.weights_license,
            trained_on=config.trained_on,
        ),
        tokenizer=tokenizer,
    )


def _refuse_other_settings(config: RunConfig, run: Path) -> None:
    """Raises MienError where the run folder has a run that was begun with other settings."""
    path = run / "config.yaml"
    if path.is_file() and (checkpoints(run / "checkpoints") or (run / "model").exists()):
        before = load_config(RunConfig, path)
        if _what_matters(before) != _what_matters(config):
            changed = [
                f"{name}: {old!r} then, {new!r} now"
                for name, old, new in _differences(
                    _what_matters(before).model_dump(), _what_matters(config).model_dump()
                )
            ]
            raise MienError(
                f"{run} holds a run with other settings; choose another folder (--out) or remove it.\n  "
                + "\n  ".join(changed)
            )


def _write_config(config: RunConfig, run: Path) -> None:
    """Puts the resolved config into the run folder."""
    distributed.barrier()
    if distributed.is_main():
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.yaml").write_text(dump_yaml(config), encoding="utf-8")


def _what_matters(config: RunConfig) -> RunConfig:
    """The config without what may differ between a run and its continuation."""
    free = dict.fromkeys(("workers", "log_every", "checkpoint_every", "keep_last", "evaluate_every", "tensorboard"))
    kept = {key: value for key, value in config.train.model_dump().items() if key not in free}
    return config.model_copy(update={"train": TrainerConfig.model_validate(kept)})


def _differences(before: dict, now: dict, prefix: str = "") -> list[tuple[str, object, object]]:
    rows: list[tuple[str, object, object]] = []
    for key in before:
        if isinstance(before[key], dict) and isinstance(now[key], dict):
            rows += _differences(before[key], now[key], f"{prefix}{key}.")
        elif before[key] != now[key]:
            rows.append((prefix + key, before[key], now[key]))
    return rows


def _check_tokenizer(tokenizer: Tokenizer, config: RunConfig) -> Tokenizer:
    vocab_size = config.method.model.text.vocab_size
    if tokenizer.vocab_size != vocab_size:
        raise MienError(
            f"method.model.text.vocab_size is {vocab_size}, but the tokenizer has {tokenizer.vocab_size} tokens"
        )
    return tokenizer


def _latest_checkpoint(config: RunConfig, run: Path, *, clips: str) -> Path | None:
    """Where the run goes on, if it was begun.

    `clips` is the digest of what is trained on: with other clips than before, the run would not go on as it began.
    """
    found = checkpoints(run / "checkpoints")
    if found and read_metadata(found[-1])["clips"] != clips:
        raise MienError(
            f"{config.data.store} holds other clips than when {run} began; choose another folder (--out) for a new run"
        )
    return found[-1] if found else None


def _resume(config: RunConfig, checkpoint: Path, method: EmotionClip, optimizer: torch.optim.Optimizer) -> int:
    """Loads the checkpoint, be it of as many processes as there are now or not; the next step."""
    if config.train.fsdp:
        load_shards(checkpoint / SHARDS, method, optimizer)
    else:
        load_state(checkpoint, method, optimizer)
    return int(read_metadata(checkpoint)["step"])


def digest(clips: Sequence[Clip]) -> str:
    """A fingerprint of which clips are trained on, in which order, and what is said in them."""
    text = "\n".join(f"{c.id}\t{c.start_frame}\t{c.end_frame}\t{c.text}" for c in clips)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _load_initial_weights(config: RunConfig, method: EmotionClip) -> tuple[str, ...]:
    """Starts from `init_from`; the parts of the model that it has no weights for, and that start from random ones."""
    if config.init_from is None:
        return ()
    model, _, _ = load_model(config.init_from)
    initialised = load_matching(method.model, model.state_dict(), name=config.init_from)
    return tuple(sorted({name.split(".")[0] for name in initialised.fresh}))


def _dataset(config: RunConfig, store: Store, clips: list[Clip], *, augment: Augment | None) -> ClipDataset:
    return ClipDataset(
        store,
        clips,
        settings=config.data.clip,
        preprocess=config.method.preprocess,
        augment=augment,
        seed=config.seed,
    )


def _evaluator(
    config: RunConfig,
    store: Store,
    every_clip: list[Clip],
    training: list[Clip],
    collate_batch: Collate,
    device: str,
) -> Evaluate | None:
    """A function from the method to its InfoNCE loss and retrieval on the validation clips."""
    if config.data.validation is None:
        return None
    clips = config.data.validation.apply(every_clip)[: config.data.max_validation_clips]
    shared = {clip.id for clip in clips} & {clip.id for clip in training}
    if shared:
        raise MienError(f"{len(shared)} clips are in data.filter and in data.validation both, first {min(shared)}")
    if not clips:
        raise MienError(f"no clip of {config.data.store} passes data.validation ({config.data.validation.videos!r})")
    dataset = _dataset(config, store, clips, augment=None)

    def evaluate(method: Method) -> dict[str, float]:
        videos, texts = [], []
        for batch in load_in_order(dataset, collate=collate_batch, workers=config.train.workers):
            moved = batch.to(device)
            videos.append(F.normalize(method.embed(moved).float(), dim=-1))
            texts.append(F.normalize(method.embed_text(moved).float(), dim=-1))
        video, text = torch.cat(videos), torch.cat(texts)
        rank_of_own = (video @ text.T).argsort(dim=1, descending=True).argsort(dim=1).diagonal()
        return {
            "loss": float(info_nce_loss(video, text, logit_scale=1 / 0.07)),
            "recall@1": float((rank_of_own < 1).float().mean()),
            "recall@10": float((rank_of_own < 10).float().mean()),
        }

    return evaluate
