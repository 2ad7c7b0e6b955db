"""EmotionCLIP (Zhang, Pan, Wang, CVPR 2023): clips match what is said in them, guided by the utterance's sentiment."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from mien import distributed
from mien.config import Config
from mien.losses import KLDirection, sentiment_guided_contrastive_loss
from mien.media.boxes import coverage
from mien.media.transforms import Preprocess
from mien.methods.base import Embeddings, Method
from mien.methods.batch_logs import alignment, batch_accuracy, negatives_suppressed, uniformity
from mien.methods.flops import text_forward_flops, video_forward_flops
from mien.models.video_clip import MAX_LOGIT_SCALE, VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import ClipBatch, StepOutput


class EmotionClipConfig(Config):
    """The model, and the objective SNCE."""

    kind: Literal["emotionclip"] = "emotionclip"
    model: VideoClipConfig = VideoClipConfig()
    normalization: Literal["clip", "imagenet"] = "clip"
    beta: float = Field(10.0, ge=0)
    """How strongly equal sentiments are taken out of the negatives; 0 is CLIP's InfoNCE."""
    kl_direction: KLDirection = "paper"
    loss_chunk: int | None = Field(None, gt=0)
    """Anchors whose logits are computed at a time. The loss then needs memory for loss_chunk × batch numbers rather
    than (batch / processes) × batch; value and gradients stay the same. All at once by default."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""

    @property
    def preprocess(self) -> Preprocess:
        return Preprocess(image_size=self.model.vision.image_size, normalization=self.normalization)

    @property
    def objective_in_words(self) -> str:
        return f"SNCE, β = {self.beta:g}" if self.beta else "InfoNCE"

    def build(self) -> EmotionClip:
        return EmotionClip(self)


class EmotionClip(Method):
    """`VideoClip` trained with `sentiment_guided_contrastive_loss` over the global batch."""

    def __init__(self, config: EmotionClipConfig) -> None:
        super().__init__()
        self.config = config
        self.model = VideoClip(config.model, checkpointing=config.checkpointing)

    @property
    def deployed(self) -> VideoClip:
        """What is evaluated and exported."""
        return self.model

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes the token ids of a batch."""
        return Tokenizer.clip(vocab_size=self.config.model.reads.vocab_size)

    @property
    def context_length(self) -> int:
        """The longest text that is read, in tokens."""
        return self.config.model.reads.context_length

    def embeddings(self, batch: ClipBatch) -> Embeddings:
        return {
            "video": F.normalize(self.embed(batch).float(), dim=-1),
            "text": F.normalize(self.embed_text(batch.token_ids).float(), dim=-1),
            "sentiment_logits": batch.sentiment_logits,
        }

    def objective(self, embeddings: Embeddings) -> StepOutput:
        own_video, own_text = embeddings["video"], embeddings["text"]
        video, text = distributed.gather(own_video), distributed.gather(own_text)
        sentiment_logits = distributed.gather(embeddings["sentiment_logits"])
        anchors, chunk = distributed.own_rows(len(own_video)), self.config.loss_chunk
        beta, kl_direction = self.config.beta, self.config.kl_direction
        logit_scale = self.model.logit_scale.exp()
        loss = sentiment_guided_contrastive_loss(
            video,
            text,
            logit_scale=logit_scale,
            sentiment_logits=sentiment_logits,
            beta=beta,
            kl_direction=kl_direction,
            anchors=anchors,
            chunk=chunk,
        )
        logs = {
            "logit_scale": logit_scale.detach(),
            "batch_accuracy": batch_accuracy(video, text, anchors=anchors, chunk=chunk),
            "negatives_suppressed": negatives_suppressed(
                sentiment_logits, beta=beta, kl_direction=kl_direction, anchors=anchors, chunk=chunk
            ),
            "alignment": alignment(own_video, own_text),
            "uniformity_video": uniformity(video),
            "uniformity_text": uniformity(text),
        }
        return StepOutput(loss=loss, logs=logs)

    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        return self.model.encode_video(
            self.config.preprocess.normalize(batch.frames), subject_coverage(batch, self.config.model)
        )

    def embed_text(self, token_ids: Int64[Tensor, "n l"]) -> Float[Tensor, "n e"]:
        return self.model.encode_text(token_ids)

    def flops(self, batch: ClipBatch) -> float:
        video = video_forward_flops(self.config.model, num_frames=batch.frames.shape[1])
        text = text_forward_flops(self.config.model, length=batch.token_ids.shape[1])
        return len(batch.ids) * (
            video * passes(self.model.vision, self.model.temporal) + text * passes(self.model.reader)
        )

    @torch.no_grad()
    def after_step(self) -> None:
        self.model.logit_scale.clamp_(max=MAX_LOGIT_SCALE)


def subject_coverage(batch: ClipBatch, config: VideoClipConfig) -> Float[Tensor, "b t gh gw"]:
    """The share of each patch that the batch's subjects cover."""
    height, width = batch.frames.shape[-2:]
    return coverage(batch.boxes, height=height, width=width, patch=config.vision.patch_size)


def passes(*parts: nn.Module) -> int:
    """The forward pass, the one back to the inputs if anything is trained, the one to the weights if matrices are."""
    trained = [p for part in parts for p in part.parameters() if p.requires_grad]
    return 1 + bool(trained) + any(p.ndim > 1 for p in trained)
