"""EmotionCLIP's network: CLIP whose image tower knows the subject and reads clips of frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.config import Config
from mien.models.presets import PRESETS
from mien.models.subject import SubjectAttentionMask, SubjectKind, SubjectPrompt, Vanilla
from mien.models.temporal import TemporalConfig, build_temporal
from mien.models.text_tower import TextConfig, TextTransformer
from mien.models.transformer import Attend, Recorded
from mien.models.vit import VisionConfig, VisionTransformer
from mien.types import MienError

INITIAL_LOGIT_SCALE = math.log(1 / 0.07)
MAX_LOGIT_SCALE = math.log(100)
NO_TEXT = (
    "this model looks at pictures and reads no texts, so words cannot be asked of it: train a head on labels "
    "(mien finetune), or fit a probe on what it sees (mien evaluate)"
)


class VideoClipConfig(Config):
    """The network's sizes. `preset: NAME` fills in a known CLIP's; keys beside it override the preset's."""

    kind: Literal["video_clip"] = "video_clip"
    embed_dim: int = Field(512, gt=0)
    vision: VisionConfig = VisionConfig()
    text: TextConfig | None = TextConfig()
    """None for a model that reads no texts, as UniEmoX's encoder."""
    subject: SubjectKind = "sap"
    saam_layers: int | None = Field(None, ge=1)
    """With `subject: saam`: attention is masked in the first so many layers; all by default."""
    temporal: TemporalConfig = TemporalConfig()

    @property
    def reads(self) -> TextConfig:
        """The sizes of the text tower. Raises MienError where there is none."""
        if self.text is None:
            raise MienError(NO_TEXT)
        return self.text

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "preset" not in data:
            return data
        own = {key: value for key, value in data.items() if key != "preset"}
        if data["preset"] not in PRESETS:
            raise ValueError(f"preset {data['preset']!r} is not known; there are {', '.join(PRESETS)}")
        return _merge(PRESETS[data["preset"]], own)

    @model_validator(mode="after")
    def _sizes_fit(self) -> VideoClipConfig:
        if self.vision.layout == "mae" and (self.embed_dim != self.vision.width or self.subject != "vanilla"):
            raise ValueError(
                f"vision.layout mae wants embed_dim {self.vision.width}, its width, and subject vanilla; they are "
                f"{self.embed_dim} and {self.subject}"
            )
        if self.temporal.kind == "transformer" and self.embed_dim % self.temporal.heads:
            raise ValueError(f"embed_dim {self.embed_dim} is not a multiple of temporal.heads {self.temporal.heads}")
        if self.saam_layers and self.subject != "saam":
            raise ValueError(f"saam_layers {self.saam_layers} needs subject: saam, not {self.subject}")
        if self.saam_layers and self.saam_layers > self.vision.layers:
            raise ValueError(f"saam_layers {self.saam_layers} exceeds vision.layers {self.vision.layers}")
        return self


class VideoClip(nn.Module):
    """Embeds frames, clips and texts in one space. Pixels come normalised; embeddings leave un-normalised."""

    def __init__(self, config: VideoClipConfig, *, checkpointing: bool = False) -> None:
        super().__init__()
        self.config = config
        self.vision = VisionTransformer(config.vision, embed_dim=config.embed_dim, checkpointing=checkpointing)
        self.subject = _build_subject(config)
        self.temporal = build_temporal(config.temporal, width=config.embed_dim)
        self.text = (
            None
            if config.text is None
            else TextTransformer(config.text, embed_dim=config.embed_dim, checkpointing=checkpointing)
        )
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))  # ln of the multiplier 1/τ

    def compile_towers(self, *, backend: str = "inductor") -> None:
        """From now on the transformers run as torch.compile makes them, each without a break in its graph.

        Weights, their names and, within rounding, results stay. Texts of changing length compile twice at most. Dropout
        draws other random numbers than without, though the same ones each time.
        """
        for tower in (self.vision.transformer, self.temporal, self.text and self.text.transformer):
            if tower is not None:
                tower.compile(fullgraph=True, backend=backend)

    @property
    def reader(self) -> TextTransformer:
        """The text tower. Raises MienError where there is none."""
        if self.text is None:
            raise MienError(NO_TEXT)
        return self.text

    def encode_frames(
        self, frames: Float[Tensor, "n 3 h w"], coverage: Float[Tensor, "n gh gw"]
    ) -> Float[Tensor, "n e"]:
        """Embeddings of pictures. coverage: the share of each patch that the subject covers, in [0, 1]."""
        return self.vision.pool(self._encode(frames, coverage, read=self.vision.num_read))

    def encode_video(
        self, video: Float[Tensor, "b t 3 h w"], coverage: Float[Tensor, "b t gh gw"]
    ) -> Float[Tensor, "b e"]:
        """Embeddings of clips of T frames each."""
        frames = self.encode_frames(
            rearrange(video, "b t c h w -> (b t) c h w"), rearrange(coverage, "b t gh gw -> (b t) gh gw")
        )
        return self.temporal(rearrange(frames, "(b t) e -> b t e", t=video.shape[1]))

    def encode_regions(
        self, video: Float[Tensor, "b t 3 h w"], coverage: Float[Tensor, "b t gh gw"]
    ) -> tuple[Float[Tensor, "b e"], Float[Tensor, "b p e"]]:
        """Embeddings of clips, and of every patch of their frames, row by row, in the same space; p = T · grid²."""
        tokens = self._encode(
            rearrange(video, "b t c h w -> (b t) c h w"), rearrange(coverage, "b t gh gw -> (b t) gh gw")
        )
        patches = self.vision.project(tokens[:, 1 : 1 + self.config.vision.grid**2])
        frames = rearrange(self.vision.pool(tokens), "(b t) e -> b t e", t=video.shape[1])
        return self.temporal(frames), rearrange(patches, "(b t) p e -> b (t p) e", t=video.shape[1])

    def encode_text(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b e"]:
        """Embeddings of texts, from token ids that end with the end-of-text id."""
        return self.reader(token_ids)

    @torch.no_grad()
    def attention(
        self, frames: Float[Tensor, "n 3 h w"], coverage: Float[Tensor, "n gh gw"]
    ) -> Float[Tensor, "layers n heads q k"]:
        """The attention matrices of every layer: `[cls]`, the patches row by row, then `hmn` if the model has it."""
        tokens, attend = self._tokens(frames, coverage)
        layers = len(self.vision.transformer.blocks)
        per_layer: Sequence[Attend] = attend if isinstance(attend, Sequence) else [attend] * layers
        recorders = [Recorded(how) for how in per_layer]
        self.vision.encode(tokens, attend=recorders)
        return torch.stack([r.recorded for r in recorders if r.recorded is not None])

    def _encode(self, frames: Tensor, coverage: Tensor, *, read: int | None = None) -> Tensor:
        tokens, attend = self._tokens(frames, coverage)
        return self.vision.encode(tokens, attend=attend, read=read)

    def _tokens(self, frames: Tensor, coverage: Tensor) -> tuple[Tensor, Sequence[Attend] | Attend]:
        position_embedding = self.vision.position_embedding
        return self.subject(self.vision.embed(frames), coverage=coverage, position_embedding=position_embedding)


def _build_subject(config: VideoClipConfig) -> nn.Module:
    if config.subject == "saam":
        return SubjectAttentionMask(
            width=config.vision.width,
            num_tokens=config.vision.grid**2 + 1,
            num_layers=config.saam_layers or config.vision.layers,
            total_layers=config.vision.layers,
        )
    return SubjectPrompt() if config.subject == "sap" else Vanilla()


def _merge(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
