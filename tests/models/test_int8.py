"""Linear layers in 8-bit integers: what they compute, how near embeddings stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mien.hub import ModelFolder
from mien.inference import Mien
from mien.media.transforms import Preprocess
from mien.models.int8 import ROWS, Int8Linear, use_int8
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.types import MienError


def test_product_is_that_of_the_rounded_rows_and_weights() -> None:
    linear = nn.Linear(3, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.27, -0.5, 0.0], [0.0, 12.7, 6.34]]))  # scales 0.01 and 0.1
        linear.bias.copy_(torch.tensor([1.0, -1.0]))
    found = Int8Linear(linear)(torch.tensor([[127.0, 2.4, -1.0], [0.0, 0.0, 0.0]]))  # scales 1 and none
    expected = torch.tensor([[1.27 * 127 - 0.5 * 2 + 1, 12.7 * 2 + 6.3 * -1 - 1], [1.0, -1.0]])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", [(1, 64), (ROWS, 64), (3, ROWS + 1, 64), (2, 2, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_rows_are_near_those_of_the_layer_it_replaces(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(64, 48, bias=bias), torch.randn(shape)
    found, expected = Int8Linear(linear)(x), linear(x)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=0.03)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(0)
    layer, x = Int8Linear(nn.Linear(16, 8)), torch.randn(5, 16)
    alone = layer(x[2:3])
    x[0] *= 1000
    assert torch.equal(layer(x)[2:3], alone)


@pytest.mark.slow
def test_embeddings_of_a_whole_model_hardly_turn() -> None:
    torch.manual_seed(0)
    model = VideoClip(VideoClipConfig.model_validate({"preset": "ViT-B/32"})).eval()
    video, coverage = torch.randn(2, 2, 3, 224, 224), torch.rand(2, 2, 7, 7)
    token_ids = torch.tensor([[49406, 320, 1929, 49407]])
    with torch.inference_mode():
        before = model.encode_video(video, coverage), model.encode_text(token_ids)
        use_int8(model)
        after = model.encode_video(video, coverage), model.encode_text(token_ids)
    for a, b in zip(before, after, strict=True):
        assert F.cosine_similarity(a, b).min() > 0.999
        assert not torch.equal(a, b)


def test_int8_is_for_the_cpu_and_is_not_saved(tmp_path: Path) -> None:
    config = VideoClipConfig.model_validate({"preset": "nano"})
    folder = ModelFolder(architecture=config, preprocess=Preprocess(image_size=config.vision.image_size))
    Mien(VideoClip(config), config=folder, tokenizer=None, device="cpu").save_pretrained(tmp_path / "model")
    with pytest.raises(MienError, match="int8 is for the CPU, not for cuda"):
        Mien.from_pretrained(tmp_path / "model", device="cuda", precision="int8")
    loaded = Mien.from_pretrained(tmp_path / "model", precision="int8")
    with pytest.raises(MienError, match="save it as loaded in float32"):
        loaded.save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again").exists()
