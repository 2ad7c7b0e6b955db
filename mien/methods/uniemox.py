"""UniEmoX (Chen, Sun, Liu, arXiv 2409.18877): masked pictures are rebuilt, and scene and person, fused, follow a CLIP.

The formulas are those of the authors' code without its defects (docs/methods.md lists them).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field, model_validator
from torch import Tensor

from mien import distributed
from mien.config import Config
from mien.losses import (
    image_distillation_loss,
    patches_of,
    profile_distillation_loss,
    reconstruction_losses,
)
from mien.media.transforms import Preprocess
from mien.methods.base import Embeddings, Method
from mien.methods.emotionclip import subject_coverage
from mien.methods.flops import block_forward_flops, text_forward_flops, video_forward_flops
from mien.methods.teacher import Teacher
from mien.models.fusion import Fusion, FusionKind
from mien.models.mae import DecoderConfig, MaskedDecoder, encode_seen, masked_of, num_seen
from mien.models.temporal import TemporalConfig
from mien.models.video_clip import NO_TEXT, VideoClip, VideoClipConfig
from mien.models.vit import VisionConfig
from mien.text import Tokenizer
from mien.types import ClipBatch, MienError, StepOutput, ViewBatch

MAE_BASE = VisionConfig(image_size=224, patch_size=16, width=768, layers=12, heads=12, mlp_width=3072, layout="mae")


class UniEmoxConfig(Config):
    """The encoder, the decoder, the teacher, and the objective `L = L1 + L2 + L3`."""

    kind: Literal["uniemox"] = "uniemox"
    model: VideoClipConfig = VideoClipConfig(
        embed_dim=768, vision=MAE_BASE, text=None, subject="vanilla", temporal=TemporalConfig(kind="mean")
    )
    decoder: DecoderConfig = DecoderConfig()
    fusion: FusionKind = "figure"
    teacher: str | None = None
    """A model folder, or `hf:OWNER/NAME`: any CLIP that `mien convert` reads. None only without L1 and L2."""
    profile_weight: float = Field(1.0, ge=0)
    """Of L1, which compares likenesses to texts; 0 reads no texts."""
    image_weight: float = Field(1.0, ge=0)
    """Of L2, which compares embeddings of pictures."""
    reconstruction_weight: float = Field(1.0, ge=0)
    """Of L3, masked autoencoding; 0 spares the decoder's work."""
    mask_ratio: float = Field(0.75, ge=0, lt=1)
    normalization: Literal["clip", "imagenet"] = "imagenet"
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""

    @model_validator(mode="after")
    def _parts_fit(self) -> UniEmoxConfig:
        if self.model.vision.layout != "mae" or self.model.text is not None or self.model.subject != "vanilla":
            raise ValueError("uniemox wants model.vision.layout mae, model.text null and model.subject vanilla")
        if self.model.temporal.kind != "mean":
            raise ValueError(f"uniemox looks at pictures: model.temporal.kind mean, not {self.model.temporal.kind}")
        if not self.profile_weight + self.image_weight + self.reconstruction_weight:
            raise ValueError("profile_weight, image_weight and reconstruction_weight are all 0: nothing is learnt")
        if self.distils != (self.teacher is not None):
            raise ValueError(
                "profile_weight and image_weight need a teacher: give method.teacher a model folder"
                if self.distils
                else f"nobody asks the teacher {self.teacher}: profile_weight and image_weight are 0"
            )
        if num_seen(self.model.vision, mask_ratio=self.mask_ratio) < 1:
            raise ValueError(f"mask_ratio {self.mask_ratio} leaves none of {self.model.vision.grid**2} patches to see")
        return self

    @property
    def distils(self) -> bool:
        return self.profile_weight + self.image_weight > 0

    @property
    def preprocess(self) -> Preprocess:
        return Preprocess(image_size=self.model.vision.image_size, normalization=self.normalization)

    @property
    def objective_in_words(self) -> str:
        weights = {"L1": self.profile_weight, "L2": self.image_weight, "L3": self.reconstruction_weight}
        return f"{' + '.join(f'{w:g} {name}' for name, w in weights.items() if w)}, fusion {self.fusion}"

    def build(self) -> UniEmoX:
        teacher = None if self.teacher is None else Teacher.load(self.teacher)
        if teacher and self.profile_weight and teacher.model.text is None:
            raise MienError(f"the teacher {self.teacher} reads no texts; set method.profile_weight=0, or take a CLIP")
        return UniEmoX(self, teacher=teacher)


class UniEmoX(Method):
    """`model` is the encoder, a `VideoClip` without texts, which is what is evaluated and exported."""

    def __init__(self, config: UniEmoxConfig, *, teacher: Teacher | None) -> None:
        super().__init__()
        self.config = config
        self.teacher = teacher
        self.model = VideoClip(config.model, checkpointing=config.checkpointing)
        self.model.logit_scale.requires_grad_(False)  # nothing here has a temperature
        vision = config.model.vision
        self.num_seen = num_seen(vision, mask_ratio=config.mask_ratio)
        self.decoder = MaskedDecoder(vision, config.decoder, checkpointing=config.checkpointing)
        if not config.reconstruction_weight:
            for name, parameter in self.decoder.named_parameters():
                parameter.requires_grad_(name.startswith("from_encoder."))  # α and β still go through it
        self.fusion = None
        if teacher is not None:
            self.fusion = Fusion(config.fusion, width=config.decoder.width, embed_dim=teacher.embed_dim)

    @property
    def deployed(self) -> VideoClip:
        """What is evaluated and exported."""
        return self.model

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The teacher's; None where no texts are read."""
        return self.teacher.tokenizer if self.teacher and self.config.profile_weight else None

    @property
    def context_length(self) -> int:
        """The longest text that the teacher reads, in tokens."""
        return self.teacher.model.config.reads.context_length if self.teacher and self.config.profile_weight else 0

    def embeddings(self, batch: ClipBatch) -> Embeddings:
        if not isinstance(batch, ViewBatch):
            raise MienError("uniemox looks at a picture's scene and person: set data.views ({} will do)")
        pixels = self.config.preprocess.normalize(batch.frames[:, 0])
        order = batch.patch_order[:, 0]
        scene = encode_seen(self.model.vision, pixels, order, num_seen=self.num_seen)
        found = Embeddings(has_person=batch.has_person.float())
        if self.config.reconstruction_weight:
            found["reconstruction"] = reconstruction_losses(
                self.decoder(scene, order),
                patches_of(pixels, patch=self.config.model.vision.patch_size),
                masked_of(order, num_seen=self.num_seen),
            )
        if self.fusion is not None and self.teacher is not None:
            person = self._person(batch) if self.fusion.looks_at_person else None
            found["fused"] = self.fusion(self.decoder.from_encoder(scene[:, 0]), person)
            found["teacher"] = self.teacher.of_pictures(batch.frames[:, 0], batch.boxes[:, 0])
            if self.config.profile_weight:
                found["text"] = self.teacher.of_texts(batch.token_ids)
        return found

    def objective(self, embeddings: Embeddings) -> StepOutput:
        x, config = embeddings, self.config
        parts = dict[str, Float[Tensor, ""]]()
        if config.profile_weight:
            parts["profile"] = profile_distillation_loss(x["fused"], x["teacher"], distributed.gather(x["text"]))
        if config.image_weight:
            parts["image"] = image_distillation_loss(x["fused"], x["teacher"])
        if config.reconstruction_weight:
            parts["reconstruction"] = x["reconstruction"].mean()
        weights = {
            "profile": config.profile_weight,
            "image": config.image_weight,
            "reconstruction": config.reconstruction_weight,
        }
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        logs = {f"loss_{name}": part.detach() for name, part in parts.items()}
        return StepOutput(loss=loss, logs=logs | {"has_person": x["has_person"].mean()})

    def embed(self, batch: ClipBatch) -> Float[Tensor, "b e"]:
        return self.model.encode_video(
            self.config.preprocess.normalize(batch.frames), subject_coverage(batch, self.config.model)
        )

    def embed_text(self, token_ids: Int64[Tensor, "n l"]) -> Float[Tensor, "n e"]:
        raise MienError(NO_TEXT)

    def flops(self, batch: ClipBatch) -> float:
        vision, decoder, patches = self.config.model.vision, self.config.decoder, self.config.model.vision.grid**2
        views = 1 + (self.fusion is not None and self.fusion.looks_at_person)
        seen = vision.layers * block_forward_flops(
            tokens=1 + self.num_seen, width=vision.width, mlp_width=vision.mlp_width
        )
        pixels = 3 * vision.patch_size**2
        trained = views * (seen + 2.0 * patches * pixels * vision.width)
        if self.config.reconstruction_weight:
            trained += 2.0 * (1 + self.num_seen) * vision.width * decoder.width + 2.0 * patches * decoder.width * pixels
            trained += decoder.layers * block_forward_flops(
                tokens=1 + patches, width=decoder.width, mlp_width=4 * decoder.width
            )
        asked = 0.0
        if self.teacher is not None:
            asked = video_forward_flops(self.teacher.model.config, num_frames=1)
            if self.config.profile_weight:
                asked += text_forward_flops(self.teacher.model.config, length=batch.token_ids.shape[1])
        return len(batch.ids) * (3 * trained + asked)

    def _person(self, batch: ViewBatch) -> Float[Tensor, "b w"]:
        pixels = self.config.preprocess.normalize(batch.person)
        seen = encode_seen(self.model.vision, pixels, batch.patch_order[:, 1], num_seen=self.num_seen)
        return self.decoder.from_encoder(seen[:, 0])
