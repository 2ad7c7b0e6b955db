"""Masked autoencoders' checkpoints, in their published names, become encoders that see what they saw."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mien.convert import convert
from mien.inference import Mien
from mien.models.vit import VisionConfig, VisionTransformer
from mien.types import MienError

PUBLISHED = {
    "patch_embedding.": "patch_embed.proj.",
    "class_embedding": "cls_token",
    "position_embedding": "pos_embed",
    "transformer.blocks.": "blocks.",
    "post_norm.": "norm.",
}
OF_BLOCKS = {"attention.qkv": "attn.qkv", "attention.out": "attn.proj", "mlp.up": "mlp.fc1", "mlp.down": "mlp.fc2"}


def encoder() -> VisionTransformer:
    torch.manual_seed(0)
    config = VisionConfig(image_size=32, patch_size=8, width=64, layers=2, heads=1, mlp_width=128, layout="mae")
    return VisionTransformer(config, embed_dim=64)


def published(encoder: VisionTransformer, *, prefix: str = "") -> dict[str, Tensor]:
    """The state dict of MAE's released code, with the beginning of a decoder."""
    state = dict[str, Tensor]()
    for name, tensor in encoder.state_dict().items():
        for own, theirs in (PUBLISHED | OF_BLOCKS).items():
            name = name.replace(own, theirs)
        shaped = tensor[None, None] if name == "cls_token" else tensor[None] if name == "pos_embed" else tensor
        state[prefix + name] = shaped.clone()
    return state | {"mask_token": torch.zeros(1, 1, 32), "decoder_embed.weight": torch.zeros(32, 64)}


@pytest.mark.parametrize("prefix", ["", "module.encoder."])
def test_encoder_sees_what_it_saw(prefix: str, tmp_path: Path) -> None:
    own, file = encoder(), tmp_path / "mae.pth"
    torch.save({"model": published(own, prefix=prefix), "epoch": 3}, file)
    report = convert(file, tmp_path / "model")
    assert {skipped.what for skipped in report.ignored} == {"mask_token", "decoder_embed.weight"}
    assert "no text tower" in report.summary()
    model = Mien.from_pretrained(tmp_path / "model", device="cpu")
    assert (model.config.preprocess.normalization, model.tokenizer) == ("imagenet", None)
    pixels = torch.randn(2, 3, 32, 32)
    expected = own.pool(own.encode(own.embed(pixels)))
    torch.testing.assert_close(model.encode_frames(pixels), expected.detach(), rtol=0, atol=1e-5)


def test_missing_and_unknown_tensors_are_named(tmp_path: Path) -> None:
    state = published(encoder())
    del state["blocks.1.attn.proj.bias"]
    torch.save(state, tmp_path / "mae.pth")
    with pytest.raises(MienError, match=r"missing: vision\.transformer\.blocks\.1\.attention\.out\.bias"):
        convert(tmp_path / "mae.pth", tmp_path / "model")
    torch.save(published(encoder()) | {"blocks.0.gamma_1": torch.ones(64)}, tmp_path / "mae.pth")
    with pytest.raises(MienError, match=r"unknown: blocks\.0\.gamma_1"):
        convert(tmp_path / "mae.pth", tmp_path / "model")
