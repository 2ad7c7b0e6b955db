"""The smallest model that is fine-tuned."""

from __future__ import annotations

from typing import Any

import torch

from mien.data.clips import ClipSettings
from mien.hub import ModelFolder
from mien.inference import Mien
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig

SIZES: dict[str, Any] = {
    "embed_dim": 8,
    "vision": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32},
    "text": {"context_length": 8, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16},
    "temporal": {"layers": 2, "heads": 2, "mlp_width": 16, "dropout": 0.1, "num_frames": 2},
}


def tiny_mien() -> Mien:
    torch.manual_seed(0)
    config = VideoClipConfig.model_validate(SIZES)
    folder = ModelFolder(architecture=config, preprocess=Preprocess(image_size=16), clip=ClipSettings(num_frames=2))
    return Mien(VideoClip(config), config=folder, tokenizer=None, device="cpu")
