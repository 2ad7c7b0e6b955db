"""A frozen teacher: what a CLIP makes of pictures and texts, without gradients and without being part of the method."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from mien.hub import load_model
from mien.media.boxes import coverage
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip
from mien.text import Tokenizer
from mien.types import MienError


class Teacher:
    """Embeddings of a pre-trained model, L2-normalised.

    It is no module, so that its weights are in no checkpoint, no optimiser and no exchange of gradients; it follows the
    pictures to their device.
    """

    def __init__(self, model: VideoClip, *, preprocess: Preprocess, tokenizer: Tokenizer | None) -> None:
        self.model = model.requires_grad_(False).eval()
        self.preprocess = preprocess
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, name: str) -> Teacher:
        """The model of a folder, or of the hub (`hf:OWNER/NAME`)."""
        model, config, tokenizer = load_model(name)
        if model.text is not None and tokenizer is None:
            raise MienError(f"the teacher {name} has no tokenizer, so its texts cannot be read; convert it with one")
        return cls(model, preprocess=config.preprocess, tokenizer=tokenizer)

    @property
    def embed_dim(self) -> int:
        return self.model.config.embed_dim

    @torch.no_grad()
    def of_pictures(self, frames: UInt8[Tensor, "b 3 h w"], subjects: Float[Tensor, "b k 4"]) -> Float[Tensor, "b e"]:
        """Raw pixels in, which are normalised as the teacher wants them, and scaled to its size where that differs.

        subjects: in pixels of `frames`, for a teacher that reads pictures with regard to a subject (an EmotionCLIP's
        prompt); a CLIP does not look at them. Where they cover nothing, the whole picture is the subject.
        """
        model, size = self.model.to(frames.device), self.preprocess.image_size
        pixels = self.preprocess.normalize(frames)
        if pixels.shape[-1] != size:
            pixels = F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        boxes = subjects * (size / frames.shape[-1])
        covered = coverage(boxes, height=size, width=size, patch=model.config.vision.patch_size)
        nobody = covered.amax(dim=(1, 2), keepdim=True) == 0
        covered = torch.where(nobody, torch.ones_like(covered), covered)
        return F.normalize(model.encode_frames(pixels, covered).float(), dim=-1)

    @torch.no_grad()
    def of_texts(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b e"]:
        return F.normalize(self.model.to(token_ids.device).encode_text(token_ids).float(), dim=-1)
