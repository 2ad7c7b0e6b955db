"""Reading configs: overrides, round trips, and errors that name the key, its value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.config import Config, dump_yaml, load_config, validate
from mien.methods import EmotionClipConfig
from mien.models.temporal import TemporalConfig
from mien.models.video_clip import VideoClipConfig
from mien.train.run import RunConfig
from mien.types import MienError


class Inner(Config):
    rate: float = 0.1
    names: tuple[str, ...] = ()


class Outer(Config):
    steps: int = 10
    inner: Inner = Inner()
    note: str | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("steps: 5\ninner: {rate: 0.5}\n", encoding="utf-8")
    return path


def test_file_is_read_and_the_rest_defaulted(file: Path) -> None:
    assert load_config(Outer, file) == Outer(steps=5, inner=Inner(rate=0.5))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("steps=7", Outer(steps=7, inner=Inner(rate=0.5))),
        ("inner.rate=1e-3", Outer(steps=5, inner=Inner(rate=1e-3))),
        ("inner.names=[a, b]", Outer(steps=5, inner=Inner(rate=0.5, names=("a", "b")))),
        ("note=a=b", Outer(steps=5, inner=Inner(rate=0.5), note="a=b")),
        ("note=null", Outer(steps=5, inner=Inner(rate=0.5))),
    ],
)
def test_override_replaces_a_value(file: Path, override: str, expected: Outer) -> None:
    assert load_config(Outer, file, [override]) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stepz=7", "stepz: no such key"),
        ("inner.rat=1", r"inner\.rat: no such key"),
        ("steps=many", "steps: .*'many'"),
        ("steps", "not of the form key=value"),
        ("steps.deep=1", "steps is a value"),
    ],
)
def test_wrong_override_is_named(file: Path, override: str, message: str) -> None:
    with pytest.raises(MienError, match=message):
        load_config(Outer, file, [override])


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no config file at .*absent\.yaml"):
        load_config(Outer, tmp_path / "absent.yaml")
    for text, message in (("steps: [1", "not valid YAML"), ("- 1", "not a list")):
        (tmp_path / "broken.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(MienError, match=message):
            load_config(Outer, tmp_path / "broken.yaml")


def test_dumped_config_reads_back_equal(tmp_path: Path) -> None:
    config = EmotionClipConfig(beta=3.0, model=VideoClipConfig.model_validate({"preset": "nano", "subject": "saam"}))
    (tmp_path / "config.yaml").write_text(dump_yaml(config), encoding="utf-8")
    assert load_config(EmotionClipConfig, tmp_path / "config.yaml") == config


def test_config_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Outer().steps = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"preset": "ViT-Z/99"}, "preset 'ViT-Z/99' is not known; there are ViT-B/32"),
        ({"vision": {"image_size": 100, "patch_size": 32}}, "image_size 100 is not a multiple of patch_size 32.*96"),
        ({"vision": {"width": 100, "heads": 3}}, "width 100 is not a multiple of heads 3"),
        ({"text": {"width": 100, "heads": 3}}, "width 100 is not a multiple of heads 3"),
        ({"embed_dim": 100}, r"embed_dim 100 is not a multiple of temporal\.heads 8"),
        ({"subject": "sapp"}, "'sapp'"),
        ({"subject": "saam", "saam_layers": 13}, r"saam_layers 13 exceeds vision\.layers 12"),
        ({"temporal": {"kind": "lstm"}}, "'lstm'"),
        ({"temporal": {"layer": 2}}, r"temporal\.layer: no such key"),
    ],
)
def test_impossible_network_is_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(MienError, match=message):
        validate(VideoClipConfig, data, source="the test")


def test_preset_fills_in_and_own_keys_win() -> None:
    config = VideoClipConfig.model_validate({"preset": "ViT-B/16", "vision": {"layers": 3}})
    assert (config.vision.patch_size, config.vision.layers, config.vision.width) == (16, 3, 768)
    assert config.temporal == TemporalConfig(layers=6, heads=8, mlp_width=2048)


def test_preset_of_the_paper_is_the_default() -> None:
    assert VideoClipConfig.model_validate({"preset": "ViT-B/32"}) == VideoClipConfig()


def test_slip_in_a_key_is_asked_about_wherever_it_is() -> None:
    with pytest.raises(MienError, match=r"optim\.learnig_rate: no such key .*check its spelling$"):
        validate(RunConfig, {"data": {"store": "s"}, "optim": {"learnig_rate": 1}}, source="x")
    with pytest.raises(MienError, match=r"data\.filter\.vidoes: no such key .* did you mean 'videos'\?"):
        validate(RunConfig, {"data": {"store": "s", "filter": {"vidoes": "*"}}}, source="x")
    with pytest.raises(MienError, match=r"sead: no such key .* did you mean 'seed'\?"):
        validate(RunConfig, {"data": {"store": "s"}, "sead": 1}, source="x")
    with pytest.raises(MienError, match=r"method\.normalisation: no such key .* did you mean 'normalization'\?"):
        validate(RunConfig, {"data": {"store": "s"}, "method": {"normalisation": "clip"}}, source="x")


def test_place_of_a_kind_is_told_as_it_is_written() -> None:
    with pytest.raises(MienError, match=r"^x: .*\n  method\.mining\.k: Input should be"):
        validate(RunConfig, {"data": {"store": "s"}, "method": {"kind": "emocapclip", "mining": {"k": -1}}}, source="x")
    with pytest.raises(MienError, match=r"method\.kind: 'nope' is none of 'emotionclip', 'emocapclip'"):
        validate(RunConfig, {"data": {"store": "s"}, "method": {"kind": "nope"}}, source="x")
