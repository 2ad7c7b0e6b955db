"""The temporal encoders against hand-written ones."""

from __future__ import annotations

import pytest
import released
import torch

from mien.models.temporal import TemporalConfig, build_temporal
from mien.types import MienError

WIDTH = 32


def randomised(config: TemporalConfig) -> torch.nn.Module:
    module = build_temporal(config, width=WIDTH).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("num_frames", [1, 5, 8])
def test_transformer_equals_a_hand_written_one(num_frames: int) -> None:
    module = randomised(TemporalConfig(layers=3, heads=8, mlp_width=40))
    frames = torch.randn(2, num_frames, WIDTH)
    state = module.state_dict()
    expected = released.fuse(state, frames, "encoder", state["position_embedding"])
    torch.testing.assert_close(module(frames), expected, atol=1e-5, rtol=1e-5)


def test_transformer_without_gradients_takes_the_same_path() -> None:
    module = randomised(TemporalConfig(layers=2, heads=8, mlp_width=40))
    frames = torch.randn(2, 8, WIDTH)
    with torch.inference_mode():
        fast = module(frames)
    torch.testing.assert_close(fast, module(frames), atol=1e-5, rtol=1e-5)


def test_order_of_frames_matters_to_the_transformer_only() -> None:
    frames = torch.randn(2, 8, WIDTH)
    for kind, matters in (("transformer", True), ("mean", False)):
        module = randomised(TemporalConfig.model_validate({"kind": kind, "layers": 1}))
        assert torch.allclose(module(frames), module(frames.flip(1)), atol=1e-6) != matters


def test_dropout_is_active_in_training_only() -> None:
    module = build_temporal(TemporalConfig(layers=1), width=WIDTH)
    frames = torch.randn(2, 8, WIDTH)
    assert not torch.equal(module.train()(frames), module(frames))
    assert torch.equal(module.eval()(frames), module(frames))


def test_mean_is_the_mean() -> None:
    frames = torch.randn(2, 5, WIDTH)
    torch.testing.assert_close(build_temporal(TemporalConfig(kind="mean"), width=WIDTH)(frames), frames.mean(dim=1))


def test_convolution_is_depthwise_over_three_frames_without_padding() -> None:
    module = randomised(TemporalConfig(kind="conv1d"))
    frames = torch.randn(2, 6, WIDTH)
    kernel = dict(module.named_parameters())["conv.weight"]  # channels 1 3
    assert [name for name, _ in module.named_parameters()] == ["conv.weight"]
    expected = torch.zeros(2, WIDTH)
    for t in range(4):
        for k in range(3):
            expected = expected + frames[:, t + k] * kernel[:, 0, k] / 4
    torch.testing.assert_close(module(frames), expected)


def test_wrong_number_of_frames_is_named() -> None:
    with pytest.raises(MienError, match="a clip has 9 frames but the temporal encoder has 8 positions"):
        build_temporal(TemporalConfig(layers=1), width=WIDTH)(torch.randn(1, 9, WIDTH))
    with pytest.raises(MienError, match="needs 3 frames or more, got 2"):
        build_temporal(TemporalConfig(kind="conv1d"), width=WIDTH)(torch.randn(1, 2, WIDTH))
