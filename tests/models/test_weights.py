"""OpenCLIP's names, and starting a richer model from a CLIP's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import released
import torch
from released import Sizes
from safetensors.torch import save_file
from torch import Tensor

from mien.convert import convert
from mien.hub import load_model
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.models.weights import load_matching
from mien.types import MienError

SIZES = Sizes()


@pytest.fixture(scope="module")
def state() -> released.State:
    return released.random_clip_state(SIZES)


def texts() -> Tensor:
    token_ids = torch.randint(1, 99, (2, SIZES.context))
    token_ids[:, 7] = 99
    return token_ids


@pytest.mark.parametrize("kind", ["bare.pt", "bare.bin", "wrapped.pt", "ddp.pt", "tensors.safetensors"])
def test_openclip_state_becomes_exactly_that_clip(kind: str, state: released.State, tmp_path: Path) -> None:
    path = tmp_path / kind
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
        content = {"wrapped": {"state_dict": state, "epoch": 3}, "ddp": {"state_dict": prefixed, "name": "x"}}
        torch.save(content.get(path.stem, state), path)
    report = convert(path, tmp_path / "model")
    model, folder, tokenizer = load_model(tmp_path / "model")
    assert (report.architecture.subject, report.architecture.temporal.kind) == ("vanilla", "mean")
    assert folder.preprocess.normalization == "clip"
    assert tokenizer is None
    token_ids = texts()
    expected = released.encode_text(state, token_ids, heads=1)
    torch.testing.assert_close(model.encode_text(token_ids), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "told by OpenAI's scalars"])
def test_quick_gelu(asked: bool, state: released.State, tmp_path: Path) -> None:
    scalars = {} if asked else {"input_resolution": torch.tensor(32), "context_length": torch.tensor(12)}
    torch.save(state | scalars, tmp_path / "clip.pt")
    report = convert(tmp_path / "clip.pt", tmp_path / "model", quick_gelu=asked)
    assert report.architecture.vision.activation == report.architecture.text.activation == "quick_gelu"
    token_ids = texts()
    expected = released.encode_text(state, token_ids, heads=1, activation=lambda x: x * torch.sigmoid(1.702 * x))
    found = load_model(tmp_path / "model")[0].encode_text(token_ids)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_heads_that_shapes_do_not_tell_can_be_given(state: released.State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "clip.pt")
    report = convert(tmp_path / "clip.pt", tmp_path / "model", vision_heads=4, text_heads=2)
    assert (report.architecture.vision.heads, report.architecture.text.heads) == (4, 2)
    token_ids = texts()
    expected = released.encode_text(state, token_ids, heads=2)
    torch.testing.assert_close(load_model(tmp_path / "model")[0].encode_text(token_ids), expected, atol=1e-4, rtol=0)


def test_width_that_is_no_multiple_of_64_is_noted(tmp_path: Path) -> None:
    torch.save(released.random_clip_state(Sizes(text=(48, 1))), tmp_path / "clip.pt")
    report = convert(tmp_path / "clip.pt", tmp_path / "model")
    assert any("text tower is 48 wide and taken to have 1 heads" in note for note in report.notes)


def test_convolutional_clip_is_refused(state: released.State, tmp_path: Path) -> None:
    torch.save(state | {"visual.layer1.0.conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pt")
    with pytest.raises(MienError, match=r"unknown: visual\.layer1\.0\.conv1\.weight"):
        convert(tmp_path / "resnet.pt", tmp_path / "model")


def small(**changes: object) -> VideoClip:
    data = {
        "embed_dim": 16,
        "vision": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 2, "heads": 2, "mlp_width": 32},
        "text": {"context_length": 8, "vocab_size": 20, "width": 16, "layers": 1, "heads": 2, "mlp_width": 32},
        "temporal": {"kind": "mean"},
    }
    return VideoClip(VideoClipConfig.model_validate(data | {"subject": "vanilla"} | changes))


def test_clip_starts_a_model_with_a_temporal_encoder_and_attention_masking() -> None:
    clip = small()
    temporal = {"kind": "transformer", "layers": 1, "heads": 2, "mlp_width": 8}
    model = small(subject="saam", temporal=temporal)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = load_matching(model, clip.state_dict(), name="the clip")
    after = model.state_dict()
    assert result.unused == []
    assert {name.split(".")[0] for name in result.fresh} == {"temporal", "subject"}
    assert set(result.fresh) | clip.state_dict().keys() == after.keys()
    assert all(torch.equal(after[name], before[name]) for name in result.fresh)
    assert all(torch.equal(after[name], tensor) for name, tensor in clip.state_dict().items())


def test_equal_architecture_is_taken_whole() -> None:
    temporal = {"kind": "transformer", "layers": 1, "heads": 2, "mlp_width": 8}
    source, model = small(temporal=temporal), small(temporal=temporal)
    result = load_matching(model, source.state_dict(), name="the source")
    assert (result.fresh, result.unused) == ([], [])
    assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_temporal_encoder_of_another_size_stays_fresh_as_a_whole() -> None:
    source = small(temporal={"kind": "transformer", "layers": 1, "heads": 2, "mlp_width": 8})
    model = small(temporal={"kind": "transformer", "layers": 2, "heads": 2, "mlp_width": 8})
    result = load_matching(model, source.state_dict(), name="the source")
    assert set(result.fresh) == {name for name in model.state_dict() if name.startswith("temporal.")}
    assert set(result.unused) == {name for name in source.state_dict() if name.startswith("temporal.")}


def test_other_towers_are_refused_and_nothing_changes() -> None:
    vision = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 3, "heads": 2, "mlp_width": 32}
    model = small(vision=vision)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(MienError, match=r"missing: vision\.transformer\.blocks\.2\."):
        load_matching(model, small().state_dict(), name="the clip")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
