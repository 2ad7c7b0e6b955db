"""The convolutional stem: a patch embedding's shape, tokens of a picture by itself, weights standardised."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from mien.models.conv_stem import (
    RELU_GAIN,
    START,
    ConvStem,
    ConvStemConfig,
    ResidualBlock,
    StandardizedConv2d,
    stem_forward_flops,
)
from mien.models.vit import VisionConfig, VisionTransformer

CONFIG = ConvStemConfig(widths=(8, 16, 24), depths=(1, 2, 1))


def with_strength(stem: ConvStem, *, strength: float = 1.0) -> ConvStem:
    """A stem whose residual branches are in use, as they are once it has learnt."""
    for block in stem.blocks:
        torch.nn.init.constant_(block.strength, strength)
    return stem


def test_stem_gives_the_shape_of_a_patch_embedding() -> None:
    assert ConvStem(CONFIG, width=20)(torch.randn(2, 3, 48, 32)).shape == (2, 20, 6, 4)
    assert CONFIG.stride == 8


def test_vision_transformer_with_a_stem_embeds_pictures() -> None:
    sizes = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "heads": 2, "mlp_width": 16}
    vision = VisionTransformer(VisionConfig.model_validate(sizes | {"stem": CONFIG}), embed_dim=5)
    tokens = vision.embed(torch.randn(3, 3, 16, 16))
    assert tokens.shape == (3, 1 + 4, 16)
    vision.pool(vision.encode(tokens)).sum().backward()
    assert all(p.grad is not None for p in vision.patch_embedding.parameters())


def test_tokens_of_a_picture_do_not_depend_on_its_batch() -> None:
    stem, pictures = with_strength(ConvStem(CONFIG, width=20)).train(), torch.randn(3, 3, 16, 16)
    alone = stem(pictures[1:2])
    torch.testing.assert_close(stem(pictures)[1:2], alone, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(stem(torch.cat([pictures[1:2], 100 * pictures]))[:1], alone, rtol=1e-5, atol=1e-5)


def test_standardised_weights_ignore_scale_and_shift() -> None:
    conv, picture = StandardizedConv2d(8, 4, kernel_size=3), torch.randn(1, 8, 5, 5)
    before = conv(picture)
    with torch.no_grad():
        conv.weight.mul_(3.0).add_(0.7)
    torch.testing.assert_close(conv(picture), before, rtol=1e-4, atol=1e-4)


def test_gains_and_biases_alone_can_be_trained() -> None:
    stem = ConvStem(CONFIG, width=20)
    for parameter in stem.parameters():
        parameter.requires_grad_(parameter.ndim <= 1)
    stem(torch.randn(2, 3, 16, 16)).sum().backward()
    assert all((p.grad is not None) == (p.ndim <= 1) for p in stem.parameters())
    assert not ConvStem(CONFIG, width=20).requires_grad_(False)(torch.randn(1, 3, 16, 16)).requires_grad


def test_rectified_normal_inputs_come_out_with_variance_one() -> None:
    torch.manual_seed(0)
    conv = StandardizedConv2d(64, 64, kernel_size=3, gain=RELU_GAIN)
    with torch.no_grad():
        assert float(conv(torch.randn(8, 64, 16, 16).relu()).var()) == pytest.approx(1.0, abs=0.15)


def test_block_adds_to_its_shortcut_as_strongly_as_it_has_learnt() -> None:
    block, x = ResidualBlock(8, 8, stride=1), torch.randn(2, 8, 6, 6)
    added = block(x) - x
    torch.nn.init.constant_(block.strength, 2 * START)
    torch.testing.assert_close(block(x) - x, 2 * added)
    torch.nn.init.zeros_(block.strength)
    assert torch.equal(block(x), x)


def test_channel_of_equal_weights_gives_zeros() -> None:
    conv = StandardizedConv2d(8, 4, kernel_size=3)
    torch.nn.init.constant_(conv.weight, 2.0)
    torch.testing.assert_close(conv(torch.randn(1, 8, 5, 5)), conv.bias[None, :, None, None].expand(1, 4, 3, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": 16}, r"patch_size 16 .* 3 stages make: 8"),
        ({"stem": {"widths": [8, 0, 8], "depths": [1, 1, 1]}}, r"\(8, 0, 8\) are not all at least 1"),
        ({"stem": {"widths": [8, 16], "depths": [1]}}, r"depths \(1,\) are not one each"),
        ({"stem": {"widths": [8], "depths": [0]}}, r"depths \(0,\)"),
        ({"stem": {"widths": [], "depths": []}}, r"widths \(\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    sizes = {"image_size": 32, "patch_size": 8, "width": 16, "heads": 2, "stem": CONFIG.model_dump()}
    with pytest.raises(ValidationError, match=message):
        VisionConfig.model_validate(sizes | changes)


@pytest.mark.parametrize("image_size", [16, 48])
def test_stem_costs_what_torch_counts(image_size: int) -> None:
    with FlopCounterMode(display=False) as counter:
        ConvStem(CONFIG, width=20)(torch.randn(2, 3, image_size, image_size))
    assert 2 * stem_forward_flops(CONFIG, image_size=image_size, width=20) == counter.get_total_flops()


def test_no_convolution_of_one_pixel_has_a_stride() -> None:
    """torch's backward pass of such a one writes outside its memory (docs/decisions.md)."""
    convolutions = [module for module in ConvStem(CONFIG, width=20).modules() if isinstance(module, torch.nn.Conv2d)]
    assert {conv.stride for conv in convolutions if conv.kernel_size == (1, 1)} == {(1, 1)}
    block, x = ResidualBlock(8, 12, stride=2), torch.randn(2, 8, 6, 6)
    torch.nn.init.zeros_(block.strength)
    weight = block.shortcut.weight.detach()
    flat = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
    flat = RELU_GAIN * flat / flat.flatten(1).std(dim=1)[:, None, None, None] / 8**0.5
    expected = torch.nn.functional.conv2d(x.relu(), flat, block.shortcut.bias, stride=2)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)
