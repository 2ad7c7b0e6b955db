"""The two towers against transformers' CLIPModel on random weights, converted from a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from mien.convert import convert
from mien.hub import load_model
from mien.models.transformer import CAUSAL, Transformer
from mien.models.video_clip import VideoClip
from mien.types import MienError

VOCABULARY, CONTEXT = 300, 20


def clip_config(*, activation: str = "gelu", eos_token_id: int = VOCABULARY - 1) -> CLIPConfig:
    tower: dict[str, Any] = {"hidden_act": activation, "num_hidden_layers": 3, "num_attention_heads": 4}
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": eos_token_id}
    return CLIPConfig(
        text_config={
            **tower, **ids, "hidden_size": 48, "intermediate_size": 100, "vocab_size": VOCABULARY,
            "max_position_embeddings": CONTEXT,
        },
        vision_config={**tower, "hidden_size": 64, "intermediate_size": 120, "image_size": 48, "patch_size": 12},
        projection_dim=40,
    )  # fmt: skip


def random_clip(config: CLIPConfig) -> CLIPModel:
    torch.manual_seed(1)
    clip = CLIPModel(config).eval()
    with torch.no_grad():
        for parameter in clip.parameters():  # biases and gains too: zeros and ones would hide mistakes
            parameter.add_(0.1 * torch.randn_like(parameter))
    return clip


def converted(clip: CLIPModel, folder: Path, **options: Any) -> VideoClip:
    clip.save_pretrained(folder / "hf")
    convert(folder / "hf", folder / "model", **options)
    return load_model(folder / "model")[0]


def random_texts(end: int) -> Tensor:
    token_ids = torch.randint(2, VOCABULARY - 2, (5, CONTEXT))
    for row, position in zip(token_ids, (1, 5, 12, 18, 19), strict=True):
        row[token_ids.shape[1] - 1 if position == 19 else position :] = end
    return token_ids


def features(clip: CLIPModel, *, pixels: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        image = clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output)
        text = clip.text_projection(clip.text_model(input_ids=token_ids).pooler_output)
    return image, text


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("eos_token_id", [VOCABULARY - 1, 2, 7])
def test_towers_equal_transformers(activation: str, eos_token_id: int, tmp_path: Path) -> None:
    clip = random_clip(clip_config(activation=activation, eos_token_id=eos_token_id))
    model = converted(clip, tmp_path)
    pixels = torch.randn(3, 3, 48, 48)
    token_ids = random_texts(end=VOCABULARY - 1 if eos_token_id == 2 else eos_token_id)
    image, text = features(clip, pixels=pixels, token_ids=token_ids)
    covered = torch.rand(3, 4, 4)
    torch.testing.assert_close(model.encode_frames(pixels, covered), image, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.encode_text(token_ids), text, atol=1e-5, rtol=1e-4)
    assert torch.equal(model.logit_scale, clip.logit_scale)


def test_clip_of_frames_is_the_mean_of_its_frames(tmp_path: Path) -> None:
    model = converted(random_clip(clip_config()), tmp_path)
    video = torch.randn(2, 3, 3, 48, 48)
    frames = model.encode_frames(video.flatten(0, 1), torch.zeros(6, 4, 4))
    found = model.encode_video(video, torch.zeros(2, 3, 4, 4))
    torch.testing.assert_close(found, frames.unflatten(0, (2, 3)).mean(dim=1))


def test_weights_in_a_pickle_and_with_older_names_convert(tmp_path: Path) -> None:
    clip = random_clip(clip_config())
    clip.save_pretrained(tmp_path / "hf")
    state = dict(clip.state_dict())
    state["text_model.embeddings.position_ids"] = torch.arange(CONTEXT)[None]
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    (tmp_path / "hf" / "model.safetensors").unlink()
    torch.save(state, tmp_path / "hf" / "pytorch_model.bin")
    report = convert(tmp_path / "hf", tmp_path / "model")
    assert len(report.ignored) == 2
    expected = converted(clip, tmp_path / "new").state_dict()
    found = load_model(tmp_path / "model")[0].state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    ("tower", "change", "message"),
    [
        ("text_config", {"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ("vision_config", {"layer_norm_eps": 1e-6}, r"vision_config\.layer_norm_eps is 1e-06"),
        ("vision_config", {"num_attention_heads": 5}, "width 64 is not a multiple of heads 5"),
    ],
)
def test_config_that_nothing_here_can_be_is_refused(
    tower: str, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    random_clip(clip_config()).save_pretrained(tmp_path / "hf")
    path = tmp_path / "hf" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config[tower] |= change
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(MienError, match=message):
        convert(tmp_path / "hf", tmp_path / "model")


def test_pixels_normalised_in_another_way_are_refused(tmp_path: Path) -> None:
    random_clip(clip_config()).save_pretrained(tmp_path / "hf")
    (tmp_path / "hf" / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5]}', encoding="utf-8")
    with pytest.raises(MienError, match="image_mean is"):
        convert(tmp_path / "hf", tmp_path / "model")


def test_folders_own_tokenizer_travels_along(tmp_path: Path) -> None:
    random_clip(clip_config()).save_pretrained(tmp_path / "hf")
    words = {f"w{i}</w>": i for i in range(VOCABULARY - 2)}
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=words, merges=[], unk_token="w0</w>"))
    bpe.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    bpe.save(str(tmp_path / "hf" / "tokenizer.json"))
    report = convert(tmp_path / "hf", tmp_path / "model")
    tokenizer = load_model(tmp_path / "model")[2]
    assert report.notes == ()
    assert tokenizer is not None
    assert (tokenizer.vocab_size, tokenizer.eot_id) == (VOCABULARY, VOCABULARY - 1)


def test_tokenizer_of_another_size_is_noted_and_left_behind(tmp_path: Path) -> None:
    random_clip(clip_config()).save_pretrained(tmp_path / "hf")
    report = convert(tmp_path / "hf", tmp_path / "model")
    assert any("no tokenizer: the model has 300 tokens, the tokenizer 49408" in note for note in report.notes)
    assert load_model(tmp_path / "model")[2] is None


def test_padding_does_not_change_a_text(tmp_path: Path) -> None:
    model = converted(random_clip(clip_config()), tmp_path)
    end = VOCABULARY - 1
    texts = torch.tensor([[0, 5, 9, end], [0, 8, end, end]])
    plain = model.encode_text(texts)
    for padding in (0, 17, end):
        padded = torch.cat([texts, torch.full((2, 9), padding)], dim=1)
        torch.testing.assert_close(model.encode_text(padded), plain, atol=1e-6, rtol=1e-5)


def test_text_longer_than_the_context_is_refused(tmp_path: Path) -> None:
    model = converted(random_clip(clip_config()), tmp_path)
    with pytest.raises(MienError, match="length 21 exceed the model's context of 20"):
        model.encode_text(torch.zeros(1, CONTEXT + 1, dtype=torch.int64))


def test_reading_the_first_tokens_alone_gives_them_and_their_gradients() -> None:
    torch.manual_seed(0)
    tower = Transformer(width=24, layers=3, heads=4, mlp_width=48)
    whole, part = (torch.randn(2, 7, 24, requires_grad=True, generator=torch.manual_seed(1)) for _ in range(2))
    outs = tower(whole)[:, :2], tower(part, read=2)
    torch.testing.assert_close(outs[1], outs[0])
    for out in outs:
        out.square().sum().backward()
    torch.testing.assert_close(part.grad, whole.grad)


def test_reading_the_first_tokens_of_masked_attention_gives_them_too() -> None:
    tower = Transformer(width=24, layers=2, heads=4, mlp_width=48)
    tokens = torch.randn(2, 7, 24)
    assert torch.equal(tower(tokens, attend=CAUSAL, read=1), tower(tokens, attend=CAUSAL)[:, :1])
