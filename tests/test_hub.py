"""Model folders: what is saved is what is loaded, whole, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mien.hub import ModelFolder, load_model, resolve, save_model, weights_hash
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import ASSETS, MienError

CONFIG = VideoClipConfig.model_validate(
    {
        "embed_dim": 8,
        "vision": {"image_size": 16, "patch_size": 8, "width": 8, "layers": 1, "heads": 1, "mlp_width": 8},
        "text": {"context_length": 8, "width": 8, "layers": 1, "heads": 1, "mlp_width": 8},
        "temporal": {"layers": 1, "heads": 1, "mlp_width": 8},
    }
)
FOLDER = ModelFolder(
    architecture=CONFIG,
    preprocess=Preprocess(image_size=16, normalization="imagenet"),
    weights_license="CC-BY-4.0",
    trained_on="a theatre",
)


@pytest.fixture
def model() -> VideoClip:
    return VideoClip(CONFIG)


def save(path: Path, model: VideoClip, tokenizer: Tokenizer | None = None) -> None:
    save_model(path, weights=model.state_dict(), config=FOLDER, tokenizer=tokenizer)


def test_model_comes_back_bit_for_bit_with_all_that_belongs_to_it(model: VideoClip, tmp_path: Path) -> None:
    save(tmp_path / "model", model, Tokenizer.clip())
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "README.md", "config.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    found, folder, tokenizer = load_model(tmp_path / "model")
    assert folder == FOLDER
    assert not found.training
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in found.state_dict().items())
    assert tokenizer is not None
    assert torch.equal(tokenizer.encode(["so happy"]), Tokenizer.clip().encode(["so happy"]))


def test_model_without_tokenizer_loads(model: VideoClip, tmp_path: Path) -> None:
    save(tmp_path / "model", model)
    assert load_model(tmp_path / "model")[2] is None


def test_card_opens_with_the_hubs_head_and_states_the_licence(model: VideoClip, tmp_path: Path) -> None:
    save(tmp_path / "model", model)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    assert "a theatre" in card
    assert "Out of scope" in card


def test_saving_again_replaces_the_model(model: VideoClip, tmp_path: Path) -> None:
    save(tmp_path / "model", model, Tokenizer.clip())
    before = weights_hash(tmp_path / "model")
    other = VideoClip(CONFIG)
    save(tmp_path / "model", other)
    assert weights_hash(tmp_path / "model") != before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_folder_that_is_not_a_models_is_not_replaced(
    model: VideoClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, Path(), tmp_path / "thesis.tex"):
        with pytest.raises(MienError, match="name a new folder"):
            save(path, model)
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "years of work"


def test_missing_and_damaged_parts_are_named(model: VideoClip, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, model)
    config = (path / "config.json").read_text(encoding="utf-8")
    (path / "config.json").write_text(config.replace('"embed_dim"', '"embed_dime"'), encoding="utf-8")
    with pytest.raises(MienError, match=r"embed_dime: no such key"):
        load_model(path)
    (path / "config.json").write_text(config[:40], encoding="utf-8")
    with pytest.raises(MienError, match="not valid JSON"):
        load_model(path)
    (path / "config.json").unlink()
    with pytest.raises(MienError, match=r"no config\.json in .* not a model folder"):
        load_model(path)


def test_weights_that_do_not_fit_the_config_are_named(model: VideoClip, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save(path, model)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    config["architecture"]["vision"]["layers"] = 2
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(MienError, match=r"missing: vision\.transformer\.blocks\.1\."):
        load_model(path)


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "absent", "a/b/c", "models/absent", "owner/model@v1"])
def test_path_that_is_not_there_is_explained_and_never_taken_for_a_hub_id(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.hub.fetch_folder", lambda *_, **__: pytest.fail("reached for the hub"))
    with pytest.raises(MienError, match=r"no model folder at .* as hf:OWNER/NAME"):
        resolve(name)


def test_model_on_the_hub_is_named_by_its_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = list[str]()
    monkeypatch.setattr("mien.hub.fetch_folder", lambda name, *, files: fetched.append(name) or tmp_path)
    assert resolve("hf:owner/model@v1") == tmp_path
    assert fetched == ["owner/model@v1"]


def test_weights_in_half_precision_take_half_the_bytes_and_load_as_whole_ones(model: VideoClip, tmp_path: Path) -> None:
    save(tmp_path / "whole", model)
    save_model(tmp_path / "half", weights=model.state_dict(), config=FOLDER, tokenizer=None, half=True)
    loaded = load_model(tmp_path / "half")[0].state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        torch.testing.assert_close(loaded[name], tensor, rtol=1e-3, atol=1e-6, msg=name)
    whole, half = ((tmp_path / kind / "model.safetensors").stat().st_size for kind in ("whole", "half"))
    assert half < 0.6 * whole


def test_weight_too_large_for_half_precision_is_named(model: VideoClip, tmp_path: Path) -> None:
    weights = model.state_dict() | {"logit_scale": torch.tensor(1e6)}
    with pytest.raises(MienError, match=r"logit_scale does not fit into 16-bit floats: it goes up to 1e\+06"):
        save_model(tmp_path / "half", weights=weights, config=FOLDER, tokenizer=None, half=True)
    assert not (tmp_path / "half").exists()


def test_shipped_model_is_found_by_its_name_wherever_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("face") == ASSETS / "face"
    (tmp_path / "face").mkdir()
    assert resolve("face") == ASSETS / "face"
    assert resolve("./face").resolve() == tmp_path / "face"


def test_weights_can_be_read_by_whoever_may_read_the_folder(model: VideoClip, tmp_path: Path) -> None:
    save(tmp_path / "model", model)
    modes = {(tmp_path / "model" / name).stat().st_mode for name in ("config.json", "model.safetensors")}
    assert len(modes) == 1
