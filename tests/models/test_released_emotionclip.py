"""A checkpoint in the released format gives the same features here as in an independent implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
import released
import torch
import torch.nn.functional as F
from released import Sizes
from safetensors.torch import save_file
from torch import Tensor

from mien.convert import convert
from mien.hub import load_model
from mien.models.video_clip import VideoClip
from mien.types import MienError

SIZES = Sizes()
HEADS = 2  # of the image tower: 128 channels


@pytest.fixture(scope="module")
def state() -> released.State:
    return released.random_released_state(SIZES)


@pytest.fixture(scope="module")
def checkpoint(state: released.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("released") / "emotionclip_latest.pt"
    rest = {"args": {"lr": 1e-8, "device": "cuda:0"}, "epoch": 24, "optimizer": {"state": {}, "param_groups": []}}
    torch.save({"model": state, **rest}, path)
    return path


@pytest.fixture(scope="module")
def model(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> VideoClip:
    out = tmp_path_factory.mktemp("converted") / "model"
    convert(checkpoint, out)
    return load_model(out)[0]


def clips_and_masks() -> tuple[Tensor, Tensor]:
    video = torch.randn(2, SIZES.frames, 3, SIZES.image, SIZES.image)
    masks = torch.zeros(2, SIZES.frames, SIZES.image, SIZES.image)
    masks[0, :, 3:20, 5:29] = 1  # a person who cuts patches
    masks[1, ::2, 8:16, 0:8] = 1  # exactly a patch, in every other frame; nobody between
    return video, masks


def coverage(masks: Tensor) -> Tensor:
    """The mean of a pixel mask in each patch."""
    return F.avg_pool2d(masks.flatten(0, -3)[:, None], SIZES.patch)[:, 0].unflatten(0, masks.shape[:-2])


def test_frames_have_the_released_features(model: VideoClip, state: released.State) -> None:
    video, masks = (x.flatten(0, 1) for x in clips_and_masks())
    expected = released.encode_frames(state, video, masks, heads=HEADS)
    found = model.encode_frames(video, coverage(masks))
    assert expected.abs().max() > 1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_clips_have_the_released_features(model: VideoClip, state: released.State) -> None:
    video, masks = clips_and_masks()
    expected = released.encode_video(state, video, masks, heads=HEADS)
    found = model.encode_video(video, coverage(masks))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_texts_have_the_released_features(model: VideoClip, state: released.State) -> None:
    token_ids = torch.randint(1, SIZES.vocabulary - 1, (3, SIZES.context))
    for row, end in zip(token_ids, (3, 11, 6), strict=True):
        row[end] = SIZES.vocabulary - 1
        row[end + 1 :] = 0  # as the released code pads
    expected = released.encode_text(state, token_ids, heads=1)
    torch.testing.assert_close(model.encode_text(token_ids), expected, atol=1e-4, rtol=0)


def test_mask_matters(model: VideoClip) -> None:
    video, masks = clips_and_masks()
    with_person = model.encode_video(video, coverage(masks))
    without = model.encode_video(video, torch.zeros_like(coverage(masks)))
    assert (with_person - without).abs().max() > 1e-3


def test_report_says_what_was_recognised(checkpoint: Path, tmp_path: Path) -> None:
    report = convert(checkpoint, tmp_path / "model", weights_license="CC-BY-NC-4.0")
    architecture = report.architecture
    assert report.format == "EmotionCLIP, as released"
    assert report.preprocess.normalization == "imagenet"
    assert (architecture.subject, architecture.temporal.kind) == ("sap", "transformer")
    assert (architecture.vision.width, architecture.vision.layers, architecture.vision.heads) == (128, 2, 2)
    assert (architecture.vision.image_size, architecture.vision.patch_size) == (32, 8)
    assert (architecture.text.context_length, architecture.text.vocab_size) == (12, 100)
    assert (architecture.temporal.num_frames, architecture.temporal.mlp_width) == (8, 48)
    assert {skipped.what for skipped in report.ignored} == {"logit_scale", "visual_head.position_ids"}
    assert load_model(tmp_path / "model")[1].weights_license == "CC-BY-NC-4.0"
    assert "token ids only" in report.summary()


def test_checkpoint_of_several_processes_and_half_precision_converts(state: released.State, tmp_path: Path) -> None:
    torch.save({"model": {f"module.{name}": t for name, t in state.items()}}, tmp_path / "ddp.pt")
    convert(tmp_path / "ddp.pt", tmp_path / "ddp")
    half = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    torch.save({"model": half}, tmp_path / "half.pt")
    convert(tmp_path / "half.pt", tmp_path / "half")
    a, b = (load_model(tmp_path / name)[0].state_dict() for name in ("ddp", "half"))
    assert all(t.dtype == torch.float32 for t in b.values())
    for name, tensor in a.items():
        torch.testing.assert_close(b[name], tensor, atol=2e-3, rtol=0)


@pytest.mark.parametrize("dropped", ["logit_scale", "backbone.logit_scale"])
def test_shared_scale_may_be_stored_once(state: released.State, dropped: str, tmp_path: Path) -> None:
    save_file({name: t for name, t in state.items() if name != dropped}, tmp_path / "emotionclip.safetensors")
    convert(tmp_path / "emotionclip.safetensors", tmp_path / "model")
    assert torch.equal(load_model(tmp_path / "model")[0].logit_scale, state["logit_scale"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual_head.frame_position_embedding.weight": None}, "without visual_head.frame_position_embedding.weight"),
        ({"backbone.ln_final.bias": None}, r"missing: text\.final_norm\.bias"),
        ({"backbone.visual.attn_pool.probe": torch.zeros(1)}, r"unknown: backbone\.visual\.attn_pool\.probe"),
        ({"visual_head.lstm.weight": torch.zeros(1)}, r"unknown: visual_head\.lstm\.weight"),
        ({"head.weight": torch.zeros(1)}, r"unknown: head\.weight"),
        ({"backbone.ln_final.bias": torch.zeros(3)}, r"final_norm\.bias: \(3,\) there, \(64,\) wanted"),
        ({"logit_scale": torch.tensor(1.0)}, "must be one shared tensor"),
        ({"visual_head.position_ids": torch.arange(8).flip(0)}, "not 0, 1, 2"),
        ({"backbone.visual.positional_embedding": torch.zeros(16, 128)}, "not a square"),
    ],
)
def test_every_tensor_is_accounted_for(
    state: released.State, change: dict[str, Tensor | None], message: str, tmp_path: Path
) -> None:
    changed = {name: tensor for name, tensor in (state | change).items() if tensor is not None}
    torch.save({"model": changed}, tmp_path / "changed.pt")
    with pytest.raises(MienError, match=message):
        convert(tmp_path / "changed.pt", tmp_path / "model")
    assert not (tmp_path / "model").exists()
