"""The pre-training methods. The type of a config is the registry: `MethodConfig.build()` makes the method."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from mien.methods.base import Method
from mien.methods.emocapclip import EmoCapClip, EmoCapClipConfig
from mien.methods.emotionclip import EmotionClip, EmotionClipConfig
from mien.methods.uniemox import UniEmoX, UniEmoxConfig


def _kind(config: Any) -> str:
    """Which method a config is of: EmotionCLIP where it does not say."""
    return str(config.get("kind", "emotionclip") if isinstance(config, dict) else config.kind)


MethodConfig = Annotated[
    Annotated[EmotionClipConfig, Tag("emotionclip")]
    | Annotated[EmoCapClipConfig, Tag("emocapclip")]
    | Annotated[UniEmoxConfig, Tag("uniemox")],
    Discriminator(_kind),
]

Pretraining = EmotionClip | EmoCapClip | UniEmoX
"""What those configs make: methods that pre-train a `VideoClip`, their `model`, of which `deployed` is exported."""

__all__ = [
    "EmoCapClip", "EmoCapClipConfig", "EmotionClip", "EmotionClipConfig", "Method", "MethodConfig", "Pretraining",
    "UniEmoX", "UniEmoxConfig",
]  # fmt: skip
