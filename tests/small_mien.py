"""A small model with CLIP's tokenizer, whole as users have it, of random weights that are always the same."""

from __future__ import annotations

import torch

from mien import Mien
from mien.data.clips import ClipSettings
from mien.hub import ModelFolder
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer

SIZE = 32


def small_mien() -> Mien:
    torch.manual_seed(0)
    config = VideoClipConfig.model_validate(
        {
            "embed_dim": 16,
            "vision": {"image_size": SIZE, "patch_size": 8, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32},
            "text": {"context_length": 16, "width": 16, "layers": 1, "heads": 2, "mlp_width": 32},
            "temporal": {"num_frames": 8, "layers": 1, "heads": 2, "mlp_width": 32},
        }
    )
    folder = ModelFolder(architecture=config, preprocess=Preprocess(image_size=SIZE), clip=ClipSettings(num_frames=8))
    return Mien(VideoClip(config), config=folder, tokenizer=Tokenizer.clip(), device="cpu")
