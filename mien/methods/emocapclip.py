"""EmoCapCLIP (Sun et al., arXiv 2507.21015): faces match captions as a whole, in sum, and sentence by region.

A reconstruction: neither formulas nor code have been published. What the paper leaves open is settled in
`mien.losses` and here, and said so there.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from mien import distributed
from mien.config import Config
from mien.losses import (
    MiningSpace,
    Positives,
    local_info_nce,
    mine_positives,
    multi_positive_info_nce,
    soft_positives,
)
from mien.media.transforms import Preprocess
from mien.methods.base import Embeddings, Method
from mien.methods.batch_logs import alignment, batch_accuracy, uniformity
from mien.methods.emotionclip import passes, subject_coverage
from mien.methods.flops import pooling_forward_flops, video_forward_flops
from mien.methods.running_mean import RunningMean
from mien.methods.texts import read_flops, read_texts
from mien.models.region_pooling import RegionPooling
from mien.models.video_clip import MAX_LOGIT_SCALE, VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import CaptionBatch, ClipBatch, MienError, StepOutput


class MiningConfig(Config):
    """Which other pictures of the batch share a picture's caption.

    `votes` is an extension of this project's, for captions derived from votes: how alike the votes are says how much
    two belong together. The others are the reconstruction's; `none` is one-to-one.
    """

    space: MiningSpace | Literal["votes"] = "both"
    theta_text: float = Field(95.0, ge=0, le=100)
    """Percentile of the batch's similarities that texts must exceed; for the local sentences too."""
    theta_image: float = Field(95.0, ge=0, le=100)
    k: int = Field(5, ge=0)
    """At most so many beside a picture's own caption."""
    warmup_steps: int = Field(500, ge=0)
    """Untrained embeddings mine noise: one-to-one for so many steps. Votes need none."""
    sharpness: float = Field(1.0, gt=0)
    """Of `votes`: the exponent of their likeness."""
    floor: float = Field(0.0, ge=0, lt=1)
    """Of `votes`: what is less alike counts as nothing."""


class EmoCapClipConfig(Config):
    """The model, and the objective `L = L_glob + a L_sum + b L_loc (+ c L_name)`."""

    kind: Literal["emocapclip"] = "emocapclip"
    model: VideoClipConfig = VideoClipConfig(subject="vanilla")
    normalization: Literal["clip", "imagenet"] = "clip"
    grayscale: bool = False
    """Look at pictures without their colours."""
    summary_weight: float = Field(1.0, ge=0)
    """a; 0 leaves the summary out."""
    local_weight: float = Field(1.0, ge=0)
    """b; 0 leaves the local sentences out."""
    naming_weight: float = Field(0.0, ge=0)
    """c, an extension of this project's, for captions with votes: each picture chooses among the emotions' names."""
    mining: MiningConfig = MiningConfig()
    loss_chunk: int | None = Field(None, gt=0)
    """Anchors whose logits are computed at a time; all at once by default."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Evaluate and export a running mean of the weights of this decay a step; 0 for the weights themselves."""

    @property
    def preprocess(self) -> Preprocess:
        return Preprocess(
            image_size=self.model.vision.image_size, normalization=self.normalization, grayscale=self.grayscale
        )

    @property
    def objective_in_words(self) -> str:
        others = {"summary": self.summary_weight, "local": self.local_weight, "naming": self.naming_weight}
        parts = ["global", *(f"{weight:g} {name}" for name, weight in others.items() if weight)]
        return f"{' + '.join(parts)}, positives by {self.mining.space}"

    def build(self) -> EmoCapClip:
        return EmoCapClip(self)


class EmoCapClip(Method):
    """`VideoClip` on captioned pictures, with the losses over the global batch."""

    steps_done: Tensor

    def __init__(self, config: EmoCapClipConfig) -> None:
        super().__init__()
        self.config = config
        self.model = VideoClip(config.model, checkpointing=config.checkpointing)
        self.pooling = RegionPooling(width=config.model.embed_dim) if config.local_weight else None
        self.averaged = RunningMean(self.model, decay=config.ema_decay) if config.ema_decay else None
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    @property
    def deployed(self) -> VideoClip:
        """What is evaluated and exported: the running mean, or where there is none (yet) the model that is trained."""
        if self.averaged is None or not self.averaged.num_averaged:
            return self.model
        return cast(VideoClip, self.averaged.model)

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes the token ids of a batch."""
        return Tokenizer.clip(vocab_size=self.config.model.reads.vocab_size)

    @property
    def context_length(self) -> int:
        """The longest text that is read, in tokens."""
        return self.config.model.reads.context_length

    def embeddings(self, batch: ClipBatch) -> Embeddings:
        assert isinstance(batch, CaptionBatch)
        image, patches = self._look(batch)
        found = {"image": F.normalize(image.float(), dim=-1), "votes": batch.votes}
        found |= read_texts(self.model, self._texts(batch))
        if self.pooling is not None and patches is not None:
            sentences = rearrange(found["sentences"], "(b s) e -> b s e", b=len(batch.ids))
            found |= {
                "regions": self.pooling(patches, sentences),
                "sentences": sentences,
                "present": batch.present.float(),
            }
        if self.config.naming_weight:
            found["naming"] = self._naming_losses(found["image"], batch)
        return found

    def objective(self, embeddings: Embeddings) -> StepOutput:
        own = distributed.own_rows(len(embeddings["image"]))
        x = {name: distributed.gather(rows) for name, rows in embeddings.items()}
        positives = self._positives(x, own)
        parts = self._losses(x, positives, own)
        loss = parts["loss_global"]
        weights = {"summary": self.config.summary_weight, "local": self.config.local_weight}
        for name, weight in (weights | {"naming": self.config.naming_weight}).items():
            if f"loss_{name}" in parts:
                loss = loss + weight * parts[f"loss_{name}"]
        logs = {name: part.detach() for name, part in parts.items()} | {
            "logit_scale": self.model.logit_scale.detach().exp(),
            "positives": (positives.rows > 0).float().sum(dim=1).mean(),
            "batch_accuracy": batch_accuracy(x["image"], x["global"], anchors=own, chunk=self.config.loss_chunk),
            "alignment": alignment(embeddings["image"], embeddings["global"]),
            "uniformity_image": uniformity(x["image"]),
            "uniformity_text": uniformity(x["global"]),
        }
        return StepOutput(loss=loss, logs=logs)

    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        return self.deployed.encode_video(*self._pixels(batch))

    def embed_text(self, token_ids: Int64[Tensor, "n l"]) -> Float[Tensor, "n e"]:
        return self.deployed.encode_text(token_ids)

    def flops(self, batch: ClipBatch) -> float:
        """Of the sentences, equal ones count once: that is how they are computed."""
        assert isinstance(batch, CaptionBatch)
        config, num_frames = self.config.model, batch.frames.shape[1]
        regions = self.pooling is not None
        video = video_forward_flops(config, num_frames=num_frames, regions=regions)
        total = len(batch.ids) * video * passes(self.model.vision, self.model.temporal)
        total += read_flops(self.model, self._texts(batch))
        if self.config.naming_weight:
            total += read_flops(self.model, {"names": _names(batch)})
        if self.pooling is not None:
            patches, sentences = num_frames * config.vision.grid**2, batch.local_ids.shape[1]
            pooled = pooling_forward_flops(width=config.embed_dim, patches=patches, sentences=sentences)
            total += len(batch.ids) * pooled * passes(self.pooling)
        return total

    @torch.no_grad()
    def after_step(self) -> None:
        self.model.logit_scale.clamp_(max=MAX_LOGIT_SCALE)
        self.steps_done += 1
        if self.averaged is not None:
            self.averaged.update(self.model)

    def _look(self, batch: CaptionBatch) -> tuple[Tensor, Tensor | None]:
        """The pictures' embeddings, and their patches' if the local loss wants them."""
        if self.pooling is None:
            return self.model.encode_video(*self._pixels(batch)), None
        return self.model.encode_regions(*self._pixels(batch))

    def _pixels(self, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        return self.config.preprocess.normalize(batch.frames), subject_coverage(batch, self.config.model)

    def _texts(self, batch: CaptionBatch) -> dict[str, Int64[Tensor, "_ l"]]:
        """The texts that the objective reads; all local sentences one after the other."""
        texts = {"global": batch.token_ids}
        if self.config.summary_weight:
            texts["summary"] = batch.summary_ids
        if self.pooling is not None:
            texts["sentences"] = rearrange(batch.local_ids, "b s l -> (b s) l")
        return texts

    def _naming_losses(self, image: Float[Tensor, "b e"], batch: CaptionBatch) -> Float[Tensor, "b"]:
        """Cross-entropy of each picture's votes and its softmax over the emotions' names; 0 where nobody voted.

        Captions, which a batch repeats, teach how much likelier than usual an emotion is; names, which are there once
        each, how likely.
        """
        if not batch.naming_ids.shape[1]:
            raise MienError("method.naming_weight is above 0, but no caption of the batch tells votes; set it to 0")
        names = rearrange(read_texts(self.model, {"names": _names(batch)})["names"], "(b c) e -> b c e", b=len(image))
        cosines = (image[:, None] * names).sum(dim=-1)
        log_shares = F.log_softmax(self.model.logit_scale.exp() * cosines, dim=-1)
        return -(batch.votes * log_shares).sum(dim=-1)

    def _losses(self, x: Embeddings, positives: Positives, own: slice) -> dict[str, Float[Tensor, ""]]:
        """The terms of the objective, unweighted; those of weight 0 are not there."""
        scale, chunk = self.model.logit_scale.exp(), self.config.loss_chunk
        losses = {
            f"loss_{name}": multi_positive_info_nce(
                x["image"], x[name], positives, logit_scale=scale, anchors=own, chunk=chunk
            )
            for name in ("global", "summary")
            if name in x
        }
        if "naming" in x:
            losses["loss_naming"] = x["naming"][own].mean()
        if "regions" in x:
            losses["loss_local"] = local_info_nce(
                x["regions"],
                x["sentences"],
                x["present"] > 0.5,
                theta_text=self.config.mining.theta_text,
                logit_scale=scale,
                anchors=own,
                chunk=chunk,
            )
        return losses

    def _positives(self, x: Embeddings, own: slice) -> Positives:
        mining = self.config.mining
        if mining.space == "votes":
            return soft_positives(x["votes"], sharpness=mining.sharpness, floor=mining.floor, anchors=own)
        return mine_positives(
            x["image"],
            x["global"],
            theta_text=mining.theta_text,
            theta_image=mining.theta_image,
            k=mining.k,
            space=mining.space if self.steps_done >= mining.warmup_steps else "none",
            anchors=own,
            chunk=self.config.loss_chunk,
        )


def _names(batch: CaptionBatch) -> Int64[Tensor, "_ l"]:
    return rearrange(batch.naming_ids, "b c m -> (b c) m")
