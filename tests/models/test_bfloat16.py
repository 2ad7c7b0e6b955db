"""Linear layers in bfloat16: how near embeddings stay, and that such a model is not saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mien import Mien
from mien.models.bfloat16 import Bfloat16Linear
from mien.types import MienError


@pytest.mark.parametrize("bias", [True, False])
def test_layer_computes_nearly_what_the_one_it_replaces_does_in_the_type_it_is_given(bias: bool) -> None:
    linear, x = nn.Linear(64, 48, bias=bias), torch.randn(2, 5, 64)
    found, expected = Bfloat16Linear(linear)(x), linear(x).detach()
    assert found.dtype == torch.float32
    assert 0 < float((found - expected).abs().max()) < 0.03


def test_embeddings_hardly_turn_and_the_model_is_not_saved(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), dtype=np.uint8)
    whole, halved = (Mien.from_pretrained("face", device="cpu", precision=p) for p in ("float32", "bfloat16"))
    cosine = (whole.embed(pictures, cropped=True, normalize=True) * halved.embed(
        pictures, cropped=True, normalize=True
    )).sum(axis=1)  # fmt: skip
    assert 0.999 < cosine.min() < 1
    with pytest.raises(MienError, match="int8 or bfloat16"):
        halved.save_pretrained(tmp_path / "model")
