"""`ModelFolder`: what a model folder's `config.json` says, and the names of the files beside it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien import __version__
from mien.config import Config
from mien.data.clips import ClipSettings
from mien.data.pictures import Shown
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClipConfig

CONFIG, WEIGHTS, TOKENIZER, CARD = "config.json", "model.safetensors", "tokenizer.json", "README.md"
FRAMES, TEMPORAL, TEXT = "frames.onnx", "temporal.onnx", "text.onnx"
PRETRAINING = "pretraining.safetensors"
"""What pre-training goes on with and nobody else needs: a masked autoencoder's decoder, and UniEmoX's fusion."""
FILES = (CONFIG, WEIGHTS, PRETRAINING, TOKENIZER, CARD, FRAMES, TEMPORAL, TEXT)
"""All that a model folder may hold: the weights, or the graphs."""

GraphPrecision = Literal["float32", "int8"]
MethodName = Literal["emotionclip", "emocapclip", "uniemox"]


class Graphs(Config):
    """What is to be known of a folder's ONNX graphs beside them."""

    precision: GraphPrecision
    logit_scale: float
    """ln of the factor that cosines are multiplied by."""
    weights_hash: str
    """Of the weights that the graphs were made of, as `mien.hub.weights_hash` has it."""


class ModelFolder(Config):
    """What `config.json` says of a model: how it is built, what it is fed, and on what terms it may be used."""

    format: int = 1
    architecture: VideoClipConfig
    preprocess: Preprocess
    clip: ClipSettings = ClipSettings()
    shown: Shown = "scenes"
    method: MethodName | None = None
    """What it was pre-trained by, where that is known."""
    graphs: Graphs | None = None
    """Where the folder holds ONNX graphs in the weights' place."""
    weights_license: str = "unknown"
    trained_on: str = "unknown"
    made_with: str = Field(default_factory=lambda: f"mien {__version__}")
