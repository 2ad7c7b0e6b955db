"""Masked autoencoders' checkpoints, in their published names, become encoders that see what they saw; so do UniEmoX's,
whose decoder and fusion pre-training goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from released_mae import Sizes, State, decode, encode, fuse, normed, random_fusion, random_state, uniemox_checkpoint
from torch import Tensor

from mien.convert import convert
from mien.hub import load_model, load_pretraining
from mien.inference import Mien
from mien.media.transforms import Preprocess
from mien.methods import UniEmoX, UniEmoxConfig
from mien.methods.teacher import Teacher
from mien.models.mae import encode_seen
from mien.models.mae_weights import start_pretraining
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.models.weight_sizes import Unseen
from mien.models.weights import translate
from mien.text import Tokenizer
from mien.types import MienError

SIZES = Sizes()


@pytest.fixture(scope="module")
def state() -> State:
    return random_state(SIZES)


def pixels() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("prefix", ["", "module.", "encoder."])
def test_encoder_sees_what_it_saw(prefix: str, state: State, tmp_path: Path) -> None:
    torch.save({"model": {prefix + name: t for name, t in state.items()}, "epoch": 3}, tmp_path / "mae.pth")
    report = convert(tmp_path / "mae.pth", tmp_path / "model")
    assert (report.num_tensors, report.ignored) == (len(state), ())
    assert report.format == "a masked autoencoder's encoder, decoder"
    assert "no text tower" in report.summary()
    model = Mien.from_pretrained(tmp_path / "model", device="cpu")
    assert (model.config.preprocess.normalization, model.tokenizer) == ("imagenet", None)
    expected = normed(state, "norm", encode(state, pixels(), sizes=SIZES)[:, 1:].mean(dim=1))
    torch.testing.assert_close(model.encode_frames(pixels()), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("keeps_norm", [True, False], ids=["as UniEmoX's code", "as MAE's code"])
def test_fine_tuned_encoder_is_read_as_it_was_tuned(keeps_norm: bool, tmp_path: Path) -> None:
    """The patches' mean goes through `fc_norm`; UniEmoX's keeps a `norm` that nothing reads."""
    tuned = random_state(SIZES, decoder=False)
    norm = {name: tuned.pop(name) for name in ("norm.weight", "norm.bias")}
    tuned |= {"fc_norm.weight": 2 * norm["norm.weight"], "fc_norm.bias": norm["norm.bias"] - 1}
    tuned |= {"head.weight": torch.randn(8, 64), "head.bias": torch.randn(8)} | (norm if keeps_norm else {})
    torch.save({"model": tuned}, tmp_path / "tuned.pth")
    report = convert(tmp_path / "tuned.pth", tmp_path / "model")
    assert {each.what for each in report.ignored} == {"head.weight", "head.bias"} | (
        norm.keys() if keeps_norm else set()
    )
    expected = normed(tuned, "fc_norm", encode(tuned, pixels(), sizes=SIZES)[:, 1:].mean(dim=1))
    found = Mien.from_pretrained(tmp_path / "model", device="cpu").encode_frames(pixels())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert load_pretraining(tmp_path / "model") == {}


def test_missing_and_unknown_tensors_are_named(state: State, tmp_path: Path) -> None:
    torch.save({name: t for name, t in state.items() if name != "blocks.1.attn.proj.bias"}, tmp_path / "mae.pth")
    with pytest.raises(MienError, match=r"missing: vision\.transformer\.blocks\.1\.attention\.out\.bias"):
        convert(tmp_path / "mae.pth", tmp_path / "model")
    torch.save(state | {"blocks.0.gamma_1": torch.ones(64)}, tmp_path / "mae.pth")
    with pytest.raises(MienError, match=r"unknown: blocks\.0\.gamma_1"):
        convert(tmp_path / "mae.pth", tmp_path / "model")
    torch.save(state | {"patch_embed.proj.weight": torch.randn(64, 192)}, tmp_path / "mae.pth")
    with pytest.raises(MienError, match=r"must be a convolution's, of 4 dimensions, but it is \(64, 192\)"):
        convert(tmp_path / "mae.pth", tmp_path / "model")


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("decoder_blocks.1.mlp.fc1.bias", r"decoder\.transformer\.blocks\.1\.mlp\.up\.bias \(128,\) is missing"),
        ("decoder_embed.weight", r"part of a decoder, without decoder_embed\.weight"),
    ],
)
def test_decoder_that_is_not_whole_is_refused(lost: str, message: str, state: State, tmp_path: Path) -> None:
    torch.save({name: t for name, t in state.items() if name != lost}, tmp_path / "mae.pth")
    with pytest.raises(MienError, match=message):
        convert(tmp_path / "mae.pth", tmp_path / "model")


@pytest.mark.parametrize(
    ("preset", "sizes"),
    [
        ("MAE-B/16", Sizes(image=224, patch=16, width=768, layers=12)),
        ("MAE-L/16", Sizes(image=224, patch=16, width=1024, layers=24)),
        ("MAE-H/14", Sizes(image=224, patch=14, width=1280, layers=32)),
    ],
)
def test_published_sizes_are_told_by_shapes_heads_included(preset: str, sizes: Sizes) -> None:
    """Huge has 16 heads of 80 channels, where all others' have 64."""
    one_layer = random_state(Sizes(image=sizes.image, patch=sizes.patch, width=8, layers=1, decoder_layers=1))
    shapes = {
        name: [sizes.width * n // 8 if n in (8, 24, 32) and not name.startswith("dec") else n for n in tensor.shape]
        for name, tensor in one_layer.items()
        if "decoder" not in name and name != "mask_token"
    }
    shapes["patch_embed.proj.weight"] = [sizes.width, 3, sizes.patch, sizes.patch]
    for name in [name for name in shapes if name.startswith("blocks.0.")]:
        shapes |= {name.replace("blocks.0.", f"blocks.{layer}."): shapes[name] for layer in range(sizes.layers)}
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert translate(state, source="it", unseen=Unseen()).config == VideoClipConfig.model_validate({"preset": preset})


# ── what pre-training goes on with ───────────────────────────────────────────────────────────────


def method(**changes: object) -> UniEmoX:
    """A method of the checkpoint's sizes, from other weights."""
    vision = {"image_size": 32, "patch_size": 8, "width": 64, "layers": 2, "heads": 1, "mlp_width": 256}
    small = {
        "model": {"preset": "MAE-B/16", "embed_dim": 64, "vision": vision},
        "decoder": {"width": 32, "layers": 2, "heads": 4},
        "teacher": "a teacher",
        "fusion": "elu",
    }
    config = VideoClipConfig.model_validate({"preset": "nano", "subject": "vanilla", "embed_dim": 32})
    teacher = Teacher(VideoClip(config), preprocess=Preprocess(image_size=96), tokenizer=Tokenizer.clip())
    return UniEmoX(UniEmoxConfig.model_validate(small | changes), teacher=teacher)


def test_uniemox_goes_on_where_its_released_code_stopped(state: State, tmp_path: Path) -> None:
    fusion = random_fusion(32)
    torch.save(uniemox_checkpoint(state, fusion), tmp_path / "checkpoint.pth")
    report = convert(tmp_path / "checkpoint.pth", tmp_path / "model")
    assert report.num_tensors == len(state) + len(fusion)
    assert report.format == "a masked autoencoder's encoder, decoder, fusion"
    own, order = method(), torch.stack([torch.randperm(16) for _ in range(2)])
    own.model.load_state_dict(load_model(tmp_path / "model")[0].state_dict())
    assert start_pretraining(own, load_pretraining(tmp_path / "model")) == []
    seen = encode_seen(own.model.vision, pixels(), order, num_seen=4)
    expected = normed(state, "norm", encode(state, pixels(), sizes=SIZES, seen=order[:, :4]))
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(own.decoder(seen, order), decode(state, expected, order, sizes=SIZES), rtol=0, atol=1e-4)
    assert own.fusion is not None
    scene, person = torch.randn(3, 32), torch.randn(3, 32)
    torch.testing.assert_close(own.fusion(scene, person), fuse(fusion, scene, person), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "fresh"),
    [
        ({"fusion": "figure"}, ["fusion"]),
        ({"decoder": {"width": 32, "layers": 1, "heads": 4}}, ["decoder"]),
        ({"decoder": {"width": 16, "layers": 2, "heads": 4}}, ["decoder", "fusion"]),
    ],
)
def test_parts_of_other_sizes_stay_as_they_were_and_are_told(
    changes: dict[str, object], fresh: list[str], state: State, tmp_path: Path
) -> None:
    torch.save(uniemox_checkpoint(state, random_fusion(32)), tmp_path / "checkpoint.pth")
    convert(tmp_path / "checkpoint.pth", tmp_path / "model")
    own = method(**changes)
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    assert start_pretraining(own, load_pretraining(tmp_path / "model")) == fresh
    changed = {name for name, tensor in own.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.split(".")[0] for name in changed} == {"decoder", "fusion"} - set(fresh)


def test_numbered_checkpoint_without_fusion_starts_all_else(state: State, tmp_path: Path) -> None:
    torch.save(uniemox_checkpoint(state, None), tmp_path / "checkpoint-100.pth")
    report = convert(tmp_path / "checkpoint-100.pth", tmp_path / "model")
    assert report.format == "a masked autoencoder's encoder, decoder"
    assert start_pretraining(method(), load_pretraining(tmp_path / "model")) == ["fusion"]
