"""Attention of a model's tokens to the patches of frames, layer by layer (after EmotionCLIP, figure 5)."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.explain.explanation import TokenAttention
from mien.inference import Mien


def attention_of_tokens(
    model: Mien, frames: UInt8[Tensor, "t 3 h w"], coverage: Float[Tensor, "t gh gw"]
) -> tuple[TokenAttention, ...]:
    """What `hmn`, if the model has one, and `[cls]` attend to. coverage: the share of each patch that is the subject's.

    The maps are those of the model as it runs: attending is an argument of its transformer, and is recorded.
    """
    grid = model.config.architecture.vision.grid
    pixels = model.config.preprocess.normalize(frames.to(model.device))
    matrices = model.network.attention(pixels, coverage.to(model.device)).float().mean(dim=2).cpu()  # layers t q k
    rows = {"hmn": -1, "[cls]": 0} if model.config.architecture.subject != "vanilla" else {"[cls]": 0}
    patches = slice(1, 1 + grid**2)  # [cls] is first, hmn last
    return tuple(
        TokenAttention(
            token=token,
            weights=rearrange(matrices[:, :, row, patches], "layers t (gh gw) -> layers t gh gw", gh=grid).numpy(),
        )
        for token, row in rows.items()
    )
