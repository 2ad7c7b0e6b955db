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
from mien.methods.flops import text_forward_flops, video_forward_flops
from mien.methods.running_mean import RunningMean
from mien.models.region_pooling import RegionPooling
from mien.models.video_clip import MAX_LOGIT_SCALE, VideoClip, VideoClipConfig
from mien.types import CaptionBatch, ClipBatch, StepOutput


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
    """The model, and the objective `L = L_glob + a L_sum + b L_loc`."""

    kind: Literal["emocapclip"] = "emocapclip"
    model: VideoClipConfig = VideoClipConfig(subject="vanilla")
    normalization: Literal["clip", "imagenet"] = "clip"
    grayscale: bool = False
    """Look at pictures without their colours."""
    summary_weight: float = Field(1.0, ge=0)
    """a; 0 leaves the summary out."""
    local_weight: float = Field(1.0, ge=0)
    """b; 0 leaves the local sentences out."""
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
        others = {"summary": self.summary_weight, "local": self.local_weight}
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
        """What is evaluated and exported: the running mean, or without one the model that is trained."""
        return self.model if self.averaged is None else cast(VideoClip, self.averaged.model)

    def embeddings(self, batch: ClipBatch) -> Embeddings:
        assert isinstance(batch, CaptionBatch)
        image, patches = self._look(batch)
        every = self._read(_texts(batch))
        sentences = rearrange(every[2], "(b s) e -> b s e", s=batch.local_ids.shape[1])
        found = {"image": F.normalize(image.float(), dim=-1), "global": every[0], "votes": batch.votes}
        if self.config.summary_weight:
            found["summary"] = every[1]
        if self.pooling is not None and patches is not None:
            found |= {
                "regions": self.pooling(patches, sentences),
                "sentences": sentences,
                "present": batch.present.float(),
            }
        return found

    def objective(self, embeddings: Embeddings) -> StepOutput:
        own = distributed.own_rows(len(embeddings["image"]))
        x = {name: distributed.gather(rows) for name, rows in embeddings.items()}
        scale = self.model.logit_scale.exp()
        positives = self._positives(x, own)
        chunk = self.config.loss_chunk

        def towards(text: Tensor) -> Tensor:
            return multi_positive_info_nce(x["image"], text, positives, logit_scale=scale, anchors=own, chunk=chunk)

        parts = {"loss_global": towards(x["global"])}
        loss = parts["loss_global"]
        if "summary" in x:
            parts["loss_summary"] = towards(x["summary"])
            loss = loss + self.config.summary_weight * parts["loss_summary"]
        if "regions" in x:
            parts["loss_local"] = local_info_nce(
                x["regions"],
                x["sentences"],
                x["present"] > 0.5,
                theta_text=self.config.mining.theta_text,
                logit_scale=scale,
                anchors=own,
                chunk=chunk,
            )
            loss = loss + self.config.local_weight * parts["loss_local"]
        logs = {name: part.detach() for name, part in parts.items()} | {
            "logit_scale": scale.detach(),
            "positives": (positives.rows > 0).float().sum(dim=1).mean(),
            "batch_accuracy": batch_accuracy(x["image"], x["global"], anchors=own, chunk=chunk),
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
        video = video_forward_flops(self.config.model, num_frames=batch.frames.shape[1])
        distinct = len(
            _distinct([batch.token_ids, batch.summary_ids, rearrange(batch.local_ids, "b s l -> (b s) l")])[0]
        )
        text = text_forward_flops(self.config.model, length=batch.token_ids.shape[1])
        return len(batch.ids) * video * passes(self.model.vision, self.model.temporal) + distinct * text * passes(
            self.model.text
        )

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

    def _read(self, token_ids: list[Int64[Tensor, "_ l"]]) -> list[Float[Tensor, "_ e"]]:
        """Normalised embeddings of texts; each is computed once, however often it is in the batch."""
        distinct, place = _distinct(token_ids)
        embedded = F.normalize(self.model.encode_text(distinct).float(), dim=-1)
        return list(torch.split(embedded[place], [len(rows) for rows in token_ids]))

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


def _texts(batch: CaptionBatch) -> list[Int64[Tensor, "_ l"]]:
    """The global sentences, the summaries, and all local sentences."""
    return [batch.token_ids, batch.summary_ids, rearrange(batch.local_ids, "b s l -> (b s) l")]


def _distinct(token_ids: list[Int64[Tensor, "_ l"]]) -> tuple[Int64[Tensor, "n l"], Int64[Tensor, "m"]]:
    """The different rows, and for each of all rows which it is."""
    rows, place = torch.unique(torch.cat(token_ids), dim=0, return_inverse=True)
    return rows, place
