"""The arithmetic of the methods' network, from its sizes: what a clip costs, whatever computes it.

A product of [n, k] and [k, m] is 2·n·k·m operations. Norms, activations, softmax and additions are not counted, as is
the custom (Kaplan et al. 2020; PaLM's MFU, Chowdhery et al. 2022): they are memory traffic, not arithmetic.
"""

from __future__ import annotations

import functools

from mien.models.conv_stem import stem_forward_flops
from mien.models.video_clip import VideoClipConfig


def video_forward_flops(config: VideoClipConfig, *, num_frames: int, regions: bool = False) -> float:
    """Operations to embed one clip. regions: every patch of its frames too (`VideoClip.encode_regions`)."""
    vision, temporal = config.vision, config.temporal
    patches = vision.grid**2
    tokens = patches + 1 + (config.subject != "vanilla")
    frame = 2.0 * patches * (3 * vision.patch_size**2) * vision.width  # patch embedding
    if vision.stem:
        frame = stem_forward_flops(vision.stem, image_size=vision.image_size, width=vision.width)
    block = functools.partial(block_forward_flops, tokens=tokens, width=vision.width, mlp_width=vision.mlp_width)
    last_is_masked = config.subject == "saam" and config.saam_layers in (None, vision.layers)
    is_mae = vision.layout == "mae"
    reads_all = last_is_masked or regions or is_mae  # else the last block's [cls] alone
    frame += (vision.layers - 1) * block() + block(read=None if reads_all else 1)
    if config.subject == "saam":  # S V, S∘A times (U V), U V, and Q Kᵀ: two products more than plain attention's
        masked = config.saam_layers or vision.layers
        frame += masked * 2 * 2 * tokens**2 * vision.width
    if not is_mae:  # projection of [cls], and of the patches
        frame += 2 * (1 + patches * regions) * vision.width * config.embed_dim
    over_time = 0.0
    if temporal.kind == "transformer":
        over_time = temporal.layers * block_forward_flops(
            tokens=num_frames, width=config.embed_dim, mlp_width=temporal.mlp_width
        )
    return num_frames * frame + over_time


def text_forward_flops(config: VideoClipConfig, *, length: int) -> float:
    """Operations to embed one text of `length` tokens. Causal attention counts in full, as its matrices are."""
    text = config.reads
    blocks = text.layers * block_forward_flops(tokens=length, width=text.width, mlp_width=text.mlp_width)
    return blocks + 2 * text.width * config.embed_dim


def pooling_forward_flops(*, width: int, patches: int, sentences: int) -> float:
    """Operations of one clip's region pooling: queries of sentences, keys and values of patches, attention."""
    return 2.0 * width * (width * (sentences + 2 * patches) + 2 * sentences * patches)


def block_forward_flops(*, tokens: int, width: int, mlp_width: int, read: int | None = None) -> float:
    """Operations of one transformer block: queries, keys and values; attention; output and MLP of the tokens read."""
    read = tokens if read is None else read
    qkv = 2 * tokens * width * 3 * width
    attention = 2 * 2 * read * tokens * width  # Q Kᵀ and its product with V
    return qkv + attention + 2 * read * width * (width + 2 * mlp_width)
