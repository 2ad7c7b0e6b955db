"""Fine-tuning: a linear head and the model below it trained on a benchmark's labels, and by which settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mien.config import Config
from mien.data.mixed import MixSettings
from mien.media.transforms import Augment
from mien.types import LabelKind

CHOOSE_BY: dict[LabelKind, tuple[str, ...]] = {
    "category": ("accuracy", "uar", "weighted_f1", "top3_accuracy", "macro_f1", "macro_auc"),
    "scores": ("macro_map", "top1_hit", "macro_auc"),
    "vad": ("r2", "mse", "pearson"),
}
"""The metrics by which an epoch can be chosen, of each kind of label; the first unless another is named."""


class Finetune(Config):
    """AdamW, linear warm-up, then a cosine to 0; the rate shrinks from layer to layer below the head.

    Losses: cross-entropy of a category, binary cross-entropy of labels that go together, squares of numbers (each
    dimension scaled to the training split's mean and deviation).
    """

    kind: Literal["finetune"] = "finetune"
    labels: LabelKind = "category"
    """Exclusive classes, labels that go together, or numbers."""
    epochs: int = Field(20, gt=0)
    batch_size: int = Field(64, ge=2)
    accumulate: int = Field(1, gt=0)
    """Parts in which a batch is computed, for less memory; the loss is that of the whole."""
    lr: float = Field(5e-4, gt=0)
    """The head's; a layer d below it has `layer_decay ** d` of it."""
    layer_decay: float = Field(0.75, gt=0, le=1)
    weight_decay: float = Field(0.05, ge=0)
    warmup_epochs: float = Field(2.0, ge=0)
    clip_grad_norm: float | None = Field(1.0, gt=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Of exclusive classes; the others have none."""
    class_weights: bool = False
    """Count each exclusive class alike, however many samples it has."""
    augment: Augment | None = Augment(crop=0.875, horizontal_flip=True)
    """Random crops and mirrored clips; null reads clips as evaluation does."""
    mix: MixSettings = MixSettings()
    """Mixup and CutMix: clips and labels blended with another's; none by default. Reading takes twice as long."""
    drop_path: float = Field(0.0, ge=0, lt=1)
    """The share of clips for which the last block adds nothing; fewer from block to block below (stochastic depth)."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Evaluate and keep a running mean of the weights of this decay a step; 0 for the weights themselves."""
    num_frames: int | None = Field(None, gt=0)
    """Frames read of a clip; as many as the model reads by default, but no more than the longest clip has: one of a
    picture. The fine-tuned model reads as many."""
    precision: Literal["float32", "bfloat16"] = "float32"
    fraction: float = Field(1.0, gt=0, le=1)
    """The share of the training split that is trained on, of each class alike; drawn by the seed."""
    seed: int = Field(0, ge=0)
    choose_on: str | None = None
    """The split on which the best epoch is chosen; without one the last is taken."""
    choose_by: str | None = None
    """The metric, as results name it; accuracy, macro_map or r2 by default."""

    @model_validator(mode="after")
    def _parts_divide_the_batch(self) -> Finetune:
        if self.batch_size % self.accumulate or self.batch_size // self.accumulate < 2:
            raise ValueError(f"batch_size {self.batch_size} in {self.accumulate} parts: give each part 2 clips or more")
        return self

    @model_validator(mode="after")
    def _weights_exclusive_classes(self) -> Finetune:
        if self.class_weights and self.labels != "category":
            raise ValueError(f"class_weights go with labels: category, not {self.labels}")
        return self

    @model_validator(mode="after")
    def _chooses_by_a_score_of_its_labels(self) -> Finetune:
        if self.choose_by is not None and self.choose_by not in CHOOSE_BY[self.labels]:
            raise ValueError(f"choose_by {self.choose_by!r} is none of {', '.join(CHOOSE_BY[self.labels])}")
        return self

    @property
    def metric(self) -> str:
        """The metric by which the epoch is chosen."""
        return self.choose_by or CHOOSE_BY[self.labels][0]
