"""The pre-training methods. The type of a config is the registry: `MethodConfig.build()` makes the method."""

from mien.methods.base import Method
from mien.methods.emotionclip import EmotionClip, EmotionClipConfig

MethodConfig = EmotionClipConfig  # with a second method: Annotated[A | B, Field(discriminator="kind")]

__all__ = ["EmotionClip", "EmotionClipConfig", "Method", "MethodConfig"]
