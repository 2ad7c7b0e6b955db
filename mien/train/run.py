"""A training run from its config: the one place where store, method, optimiser, loop and model folder meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field, model_validator
from torch import Tensor

from mien import distributed
from mien.checkpoint import checkpoints, load_state, read_metadata
from mien.config import Config, dump_yaml, load_config
from mien.data.loader import BatchPlan, load_for_training, load_in_order
from mien.data.pictures import Shown
from mien.hub import ModelFolder, load_model, load_pretraining, save_model
from mien.media.transforms import Augment
from mien.methods import EmoCapClipConfig, EmotionClipConfig, Method, MethodConfig, Pretraining, UniEmoxConfig
from mien.models.mae_weights import start_pretraining
from mien.models.weights import load_matching
from mien.text import Tokenizer
from mien.train.metrics import MetricsWriter, NoMetrics
from mien.train.optim import OptimConfig, build_optimizer, freeze_untrained
from mien.train.reading import DataConfig, Reading, open_reading
from mien.train.same_run import require_same_run
from mien.train.sharding import SHARDS, full_weights, load_shards, shard
from mien.train.trainer import Evaluate, OnStep, Trainer, TrainerConfig
from mien.train.validation import held_out_losses, validation_scores
from mien.types import MienError


class RunConfig(Config):
    """A training run as a file."""

    seed: int = Field(0, ge=0)
    method: MethodConfig = EmotionClipConfig()
    init_from: str | None = None
    """A model folder, or `hf:OWNER/NAME` of one on the hub, whose weights training starts from; random by default."""
    data: DataConfig
    optim: OptimConfig = OptimConfig()
    train: TrainerConfig = TrainerConfig()
    shown: Shown = "scenes"
    """Goes into the model folder, so that others' pictures are cut as the store's are."""
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
        wants_views = isinstance(self.method, UniEmoxConfig)
        if wants_views != (self.data.views is not None):
            raise ValueError(
                f"method {self.method.kind} "
                + (
                    "looks at scene and person: set data.views ({} will do)"
                    if wants_views
                    else "has no use for data.views"
                )
            )
        if wants_views and (self.data.augment.distort.changes_anything or self.data.augment.crop != Augment().crop):
            raise ValueError(
                "data.views says how pictures are cut: leave out data.augment.crop and data.augment.distort"
            )
        wants_captions = isinstance(self.method, EmoCapClipConfig)
        if not wants_views and wants_captions != (self.data.captions is not None):
            raise ValueError(
                f"method {self.method.kind} learns from "
                + ("captions: give data.captions.file" if wants_captions else "what is said: remove data.captions")
            )
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """What a run had to work with, for the user to see before it starts."""

    num_clips: int
    num_excluded: int
    num_uncaptioned: int
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
        fresh = () if checkpoints(run / "checkpoints") else _load_initial_weights(config, method)
        reading = open_reading(
            config.data,
            preprocess=config.method.preprocess,
            tokenizer=method.tokenizer,
            context_length=method.context_length,
            patches=config.method.model.vision.grid**2,
            seed=config.seed,
        )
        plan = BatchPlan(
            videos=[clip.video for clip in reading.clips],
            batch_size=config.train.batch_size,
            seed=config.seed,
            neighbours=config.data.neighbours,
            accumulate=config.train.accumulate,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        if reading.tokenizer and not any(clip.text for clip in reading.clips) and config.data.views is not None:
            raise MienError(
                f"nothing is said in {config.data.store}, so that there are no likenesses to texts to learn: give "
                "data.captions.file, or set method.profile_weight=0"
            )
        checkpoint = _latest_checkpoint(config, run, clips=reading.digest)
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
                    num_clips=len(reading.clips),
                    num_excluded=reading.num_excluded,
                    num_uncaptioned=reading.num_uncaptioned,
                    num_truncated=reading.num_truncated,
                    steps_per_epoch=plan.steps_per_epoch,
                    first_step=first_step,
                    fresh=fresh,
                    num_parameters=sum(p.numel() for p in method.model.parameters()),
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
            metadata={"config": config.model_dump(mode="json"), "clips": reading.digest},
        )
        trainer.fit(
            load_for_training(
                reading.dataset(reading.clips, augment=config.data.augment),
                plan,
                collate=reading.collate,
                first_step=first_step,
                workers=config.train.workers,
                pin_memory=device != "cpu",
            ),
            first_step=first_step,
            metrics=MetricsWriter(run, first_step=first_step, tensorboard=config.train.tensorboard)
            if distributed.is_main()
            else NoMetrics(),
            evaluate=_evaluator(config, reading, device),
            on_step=on_step if distributed.is_main() else None,
        )
        weights = full_weights(method.deployed)
        if distributed.is_main():
            reads = config.method.model.text is not None
            export(config, weights, method.tokenizer if reads else None, run / "model")
        distributed.barrier()
    return run / "model"


def export(config: RunConfig, weights: Mapping[str, Tensor], tokenizer: Tokenizer | None, path: Path) -> None:
    """Writes the model folder others load with `Mien.from_pretrained`."""
    save_model(
        path,
        weights=weights,
        config=ModelFolder(
            architecture=config.method.model,
            preprocess=config.method.preprocess,
            clip=config.data.clip,
            method=config.method.kind,
            shown=config.shown,
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
        require_same_run(run, _what_matters(before).model_dump(), _what_matters(config).model_dump())


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


def _latest_checkpoint(config: RunConfig, run: Path, *, clips: str) -> Path | None:
    """Where the run goes on, if it was begun.

    `clips` is the digest of what is trained on: with other clips than before, the run would not go on as it began.
    """
    found = checkpoints(run / "checkpoints")
    if found and read_metadata(found[-1])["clips"] != clips:
        captions = f", or {config.data.captions.file} other captions," if config.data.captions else ""
        raise MienError(
            f"{config.data.store} holds other clips{captions} than when {run} began; choose another folder (--out) for "
            "a new run"
        )
    return found[-1] if found else None


def _resume(config: RunConfig, checkpoint: Path, method: Pretraining, optimizer: torch.optim.Optimizer) -> int:
    """Loads the checkpoint, be it of as many processes as there are now or not; the next step."""
    if config.train.fsdp:
        load_shards(checkpoint / SHARDS, method, optimizer)
    else:
        load_state(checkpoint, method, optimizer)
    return int(read_metadata(checkpoint)["step"])


def _load_initial_weights(config: RunConfig, method: Pretraining) -> tuple[str, ...]:
    """Starts from `init_from`; the parts of the model that it has no weights for, and that start from random ones."""
    if config.init_from is None:
        return ()
    model, _, _ = load_model(config.init_from)
    initialised = load_matching(method.model, model.state_dict(), name=config.init_from)
    beside = start_pretraining(method, load_pretraining(config.init_from))
    return tuple(sorted({*(name.split(".")[0] for name in initialised.fresh), *beside}))


def _evaluator(config: RunConfig, reading: Reading, device: str) -> Evaluate | None:
    """A function from the method to its scores on the validation clips."""
    if not reading.validation:
        return None
    dataset = reading.dataset(reading.validation, augment=None)

    def evaluate(method: Method) -> dict[str, float]:
        batches = load_in_order(dataset, collate=reading.collate, workers=config.train.workers)
        if reading.tokenizer is None or config.method.model.text is None:
            return held_out_losses(method, batches, device=device)
        return validation_scores(
            method,
            batches,
            tokenizer=reading.tokenizer,
            emotions=reading.captions.emotions if reading.captions else (),
            device=device,
        )

    return evaluate
