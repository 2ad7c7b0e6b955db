"""A fine-tuning run: a model and a linear head trained on a benchmark's labels by the training loop of methods."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch

from mien.checkpoint import checkpoints, load_state, load_weights, read_metadata
from mien.data.clips import ClipDataset, collate
from mien.data.loader import BatchPlan, load_for_training
from mien.data.mixed import MixedDataset, collate_mixed
from mien.data.store import Store
from mien.eval.features import extract_features
from mien.eval.finetune import Finetune
from mien.eval.head import Head, HeadInput
from mien.eval.label_scores import LESS_IS_BETTER, value_of
from mien.eval.probe import LinearProbe
from mien.eval.results import FinetuneResult
from mien.eval.tuned import FinetuneJob, Tuned, score_head
from mien.hub import ModelFolder, save_model, weights_hash
from mien.inference import Mien, embed_clips
from mien.methods.flops import video_forward_flops
from mien.methods.supervised import Supervised
from mien.models.layer_depth import head_depth, layer_depths
from mien.models.video_clip import VideoClip
from mien.train.epochs import BestEpoch, Epochs, OnEpoch, say_nothing
from mien.train.finetune_record import digest_of, record_run
from mien.train.head_probe import probe_of_head
from mien.train.layer_decay import build_decayed_optimizer
from mien.train.metrics import MetricsWriter, read_metrics
from mien.train.optim import OptimConfig
from mien.train.targets import share_of, targets_of
from mien.train.trainer import Trainer, TrainerConfig
from mien.types import ClipBatch, Features, LabeledClip, MienError

BEST, HEAD = "best.safetensors", "head.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finetuning:
    """What all tasks of a benchmark are fine-tuned from, and where.

    base: the model that each task starts from; it stays as it is. `told` goes into the record of a run's settings (the
    weights' hash, the benchmark). A task's run folder is `run`/TASK: checkpoints, `metrics.jsonl`, and at the end
    `model` and `head.safetensors`.
    """

    base: Mien
    store: Store
    run: Path
    features: Literal["video", "frame"]
    told: Mapping[str, Any]
    trained_on: str
    workers: int = 0
    on_epoch: OnEpoch = say_nothing

    def __call__(self, job: FinetuneJob) -> Tuned:
        """Trains, going on from the latest checkpoint if there is one, and embeds the job's `test`.

        Raises MienError for what cannot be trained, and where the run folder holds a run of other settings or samples;
        `Interrupted` after a stop request, with a checkpoint written.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise MienError("fine-tuning runs in one process; start it without torchrun")
        return _Task(job, self).fit()


class _Task:
    """One task's run."""

    def __init__(self, job: FinetuneJob, given: Finetuning) -> None:
        settings = job.settings
        self.job, self.given, self.settings = job, given, settings
        self.fitted = share_of(job.train, labels=settings.labels, fraction=settings.fraction, seed=settings.seed)
        self.run = given.run / job.task.name
        if len(self.fitted) < settings.batch_size:
            raise MienError(
                f"task {job.task.name!r} has {len(self.fitted)} samples to train on, fewer than a batch of "
                f"{settings.batch_size}; give `mien finetune` batch_size={max(2, len(self.fitted))} or less"
            )
        self.folder = _read_as(given.base.config, self.fitted, settings, trained_on=given.trained_on)
        self.targets = targets_of(self.fitted, settings.labels, positive_at=job.task.positive_at, task=job.task.name)
        self.steps_per_epoch = len(self.fitted) // settings.batch_size

    def fit(self) -> Tuned:
        self._begin()
        torch.manual_seed(self.settings.seed)
        method = self._build()
        base = self.given.base
        tuned = Mien(
            cast(VideoClip, method.deployed.model), config=self.folder, tokenizer=base.tokenizer, device=base.device
        )
        best = BestEpoch(self.run / BEST, less_is_better=self.settings.metric in LESS_IS_BETTER)
        self._train(method, tuned, best)
        if self.job.validation is not None:
            load_weights(method.deployed, self.run / BEST)
        method.eval()
        save_model(
            self.run / "model",
            weights=tuned.network.state_dict(),
            config=self.folder,
            tokenizer=base.tokenizer,
            notes=f"Fine-tuned by labels: {self.given.trained_on}, task {self.job.task.name}.",
        )
        head = Head(
            probe=self._head(method),
            reads=HeadInput(
                model=str(self.run / "model"),
                weights_hash=weights_hash(self.run / "model"),
                features=self.given.features,
            ),
            fitted_on=f"{self.given.trained_on}, task {self.job.task.name}",
        )
        head.save(self.run / HEAD)
        return Tuned(head=head, x=self._features(tuned, self.job.test).x, told=self._told(best))

    def _begin(self) -> None:
        made_of = {
            **self.given.told,
            **self.settings.model_dump(mode="json"),
            "features": self.given.features,
            "samples": digest_of([*self.fitted, *(self.job.validation or ())]),
        }
        if not record_run(self.run, made_of):
            (self.run / BEST).unlink(missing_ok=True)  # of a run that ended before its first checkpoint

    def _build(self) -> Supervised:
        settings, base = self.settings, self.given.base
        model = copy.deepcopy(base.network)
        model.vision.transformer.drop_paths(settings.drop_path)
        method = Supervised(
            model,
            embed=functools.partial(embed_clips, config=self.folder, features=self.given.features),
            width=self.folder.architecture.embed_dim,
            num_outputs=len(self.job.classes),
            labels=settings.labels,
            ids=[sample.clip.id for sample in self.fitted],
            targets=self.targets.values,
            label_smoothing=settings.label_smoothing if settings.labels == "category" else 0.0,
            class_weights=self.targets.class_weights(len(self.job.classes)) if settings.class_weights else None,
            ema_decay=settings.ema_decay,
            clip_flops=video_forward_flops(self.folder.architecture, num_frames=self.folder.clip.num_frames),
        )
        return method.to(base.device)

    def _train(self, method: Supervised, tuned: Mien, best: BestEpoch) -> None:
        optimizer = self._optimizer(method)
        found = checkpoints(self.run / "checkpoints")
        if found:
            load_state(found[-1], method, optimizer)
        first_step = int(read_metadata(found[-1])["step"]) if found else 0
        config = TrainerConfig(
            steps=self.settings.epochs * self.steps_per_epoch,
            batch_size=self.settings.batch_size,
            accumulate=self.settings.accumulate,
            precision=self.settings.precision,
            log_every=min(10, self.steps_per_epoch),
            checkpoint_every=self.steps_per_epoch,
            evaluate_every=self.steps_per_epoch,
        )
        trainer = Trainer(
            method,
            optimizer,
            config=config,
            optim=self._schedule(),
            seed=self.settings.seed,
            run=self.run,
            device=tuned.device,
            metadata={"task": self.job.task.name},
        )
        epochs = Epochs(
            task=self.job.task.name,
            epochs=self.settings.epochs,
            steps_per_epoch=self.steps_per_epoch,
            metric=self.settings.metric,
            scores=None if self.job.validation is None else functools.partial(self._scores, tuned=tuned),
            best=best,
        )
        trainer.fit(
            self._batches(first_step=first_step),
            first_step=first_step,
            metrics=MetricsWriter(self.run, first_step=first_step),
            evaluate=functools.partial(epochs.end, on_epoch=self.given.on_epoch),
            on_step=epochs.on_step,
        )

    def _schedule(self) -> OptimConfig:
        return OptimConfig(
            lr=self.settings.lr,
            warmup_steps=round(self.settings.warmup_epochs * self.steps_per_epoch),
            clip_grad_norm=self.settings.clip_grad_norm,
        )

    def _optimizer(self, method: Supervised) -> torch.optim.AdamW:
        """Over the parameters that the features depend on; the others are left out of training."""
        depths = layer_depths(method.trained.model, features=self.given.features)
        for name, parameter in method.trained.model.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and name in depths)  # MAE's positions stay as they are
        of_head = {f"head.{name}": head_depth(depths) for name, _ in method.trained.head.named_parameters()}
        return build_decayed_optimizer(
            [(name, p) for name, p in method.trained.named_parameters() if p.requires_grad],
            depths={f"model.{name}": depth for name, depth in depths.items()} | of_head,
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
            layer_decay=self.settings.layer_decay,
        )

    def _batches(self, *, first_step: int) -> Generator[ClipBatch, None, None]:
        clips = [sample.clip for sample in self.fitted]
        plan = BatchPlan(
            videos=[clip.video for clip in clips],
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            accumulate=self.settings.accumulate,
        )
        dataset = ClipDataset(
            self.given.store,
            clips,
            settings=self.folder.clip,
            preprocess=self.folder.preprocess,
            augment=self.settings.augment,
            seed=self.settings.seed,
        )
        mixes = self.settings.mix.mixes
        return load_for_training(
            MixedDataset(dataset, self.settings.mix) if mixes else dataset,
            plan,
            collate=collate_mixed if mixes else functools.partial(collate, tokenizer=None, context_length=0),
            first_step=first_step,
            workers=self.given.workers,
            pin_memory=self.given.base.device != "cpu",
        )

    def _features(self, tuned: Mien, samples: Sequence[LabeledClip]) -> Features:
        embed = tuned.embed_batch if self.given.features == "video" else tuned.embed_first_frames
        loader = tuned.loader(self.given.store, [s.clip for s in samples], workers=self.given.workers)
        return extract_features(embed, loader, samples=samples)

    def _head(self, method: Supervised) -> LinearProbe:
        head = method.deployed.head
        return probe_of_head(head, self.targets, labels=self.settings.labels, classes=self.job.classes)

    def _told(self, best: BestEpoch) -> FinetuneResult:
        metric = f"eval/{self.settings.metric}"
        rows = {row["step"]: row[metric] for row in read_metrics(self.run / "metrics.jsonl") if metric in row}
        is_chosen = self.job.validation is not None
        ends = [epoch * self.steps_per_epoch for epoch in range(1, self.settings.epochs + 1)]
        return FinetuneResult(
            num_fitted=len(self.fitted),
            num_frames=self.folder.clip.num_frames,
            epochs=self.settings.epochs,
            epoch=best.epoch if is_chosen else self.settings.epochs,
            chosen_on=self.settings.choose_on,
            chosen_by=self.settings.metric if is_chosen else None,
            scores=tuple(rows.get(end) for end in ends) if is_chosen else (),
        )

    def _scores(self, method: Supervised, *, tuned: Mien) -> dict[str, float]:
        """What the method scores on the validation samples as it is."""
        features = self._features(tuned, self.job.validation or ())
        scored = score_head(self._head(method), features, task=self.job.task, labels=self.settings.labels)
        return {name: value for name, score in scored.items() if (value := value_of(score)) is not None}


def _read_as(base: ModelFolder, fitted: Sequence[LabeledClip], settings: Finetune, *, trained_on: str) -> ModelFolder:
    """The fine-tuned model's folder: as the base's, with the frames it reads and what it was trained on."""
    longest = max(sample.clip.num_frames for sample in fitted)
    num_frames = settings.num_frames or min(base.clip.num_frames, longest)
    clip = base.clip.model_copy(update={"num_frames": num_frames})
    return base.model_copy(update={"clip": clip, "trained_on": f"{base.trained_on}; {trained_on}"})
