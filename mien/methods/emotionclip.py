"""EmotionCLIP (Zhang, Pan, Wang, CVPR 2023): clips match what is said in them, guided by the utterance's sentiment."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from mien import distributed
from mien.config import Config
from mien.losses import KLDirection, negative_weight, sentiment_guided_contrastive_loss
from mien.media.boxes import coverage
from mien.media.transforms import Preprocess
from mien.methods.base import Method
from mien.models.video_clip import MAX_LOGIT_SCALE, VideoClip, VideoClipConfig
from mien.types import ClipBatch, StepOutput

SUPPRESSED = 10.0
"""A negative whose logit loses more than this (its term shrinks by e^10) counts as taken out of the denominator."""


class EmotionClipConfig(Config):
    """The model, and the objective SNCE."""

    kind: Literal["emotionclip"] = "emotionclip"
    model: VideoClipConfig = VideoClipConfig()
    normalization: Literal["clip", "imagenet"] = "clip"
    beta: float = Field(10.0, ge=0)
    """How strongly equal sentiments are taken out of the negatives; 0 is CLIP's InfoNCE."""
    kl_direction: KLDirection = "paper"
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""

    @property
    def preprocess(self) -> Preprocess:
        return Preprocess(image_size=self.model.vision.image_size, normalization=self.normalization)

    def build(self) -> EmotionClip:
        return EmotionClip(self)


class EmotionClip(Method):
    """`VideoClip` trained with `sentiment_guided_contrastive_loss` over the global batch."""

    def __init__(self, config: EmotionClipConfig) -> None:
        super().__init__()
        self.config = config
        self.model = VideoClip(config.model, checkpointing=config.checkpointing)

    def forward(self, batch: ClipBatch) -> StepOutput:
        own_video = F.normalize(self.embed(batch).float(), dim=-1)
        own_text = F.normalize(self.embed_text(batch).float(), dim=-1)
        video, text = distributed.gather(own_video), distributed.gather(own_text)
        sentiment_logits = distributed.gather(batch.sentiment_logits)
        anchors = distributed.own_rows(len(own_video))
        logit_scale = self.model.logit_scale.exp()
        loss = sentiment_guided_contrastive_loss(
            video,
            text,
            logit_scale=logit_scale,
            sentiment_logits=sentiment_logits,
            beta=self.config.beta,
            kl_direction=self.config.kl_direction,
            anchors=anchors,
        )
        with torch.no_grad(), torch.autocast(video.device.type, enabled=False):
            weight = negative_weight(
                sentiment_logits, beta=self.config.beta, kl_direction=self.config.kl_direction, anchors=anchors
            )
            is_hit = (video[anchors] @ text.T).argmax(dim=1) == torch.arange(len(video), device=video.device)[anchors]
            logs = {
                "logit_scale": logit_scale.detach(),
                "batch_accuracy": is_hit.float().mean(),
                "negatives_suppressed": (weight > SUPPRESSED).float().mean(),
                "alignment": (own_video - own_text).square().sum(dim=-1).mean(),
            }
        return StepOutput(loss=loss, logs=logs)

    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        return self.model.encode_video(
            self.config.preprocess.normalize(batch.frames), subject_coverage(batch, self.config.model)
        )

    def embed_text(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        return self.model.encode_text(batch.token_ids)

    @torch.no_grad()
    def after_step(self) -> None:
        self.model.logit_scale.clamp_(max=MAX_LOGIT_SCALE)


def subject_coverage(batch: ClipBatch, config: VideoClipConfig) -> Float[Tensor, "b t gh gw"]:
    """The share of each patch that the batch's subjects cover."""
    height, width = batch.frames.shape[-2:]
    return coverage(batch.boxes, height=height, width=width, patch=config.vision.patch_size)
