"""Pictures of a UniEmoX run: what its decoder rebuilds, what is attended to, what is near, on the report's page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from processes import start
from tiny_view_run import of_views, write_taught_store
from typer.testing import CliRunner

from mien.checkpoint import checkpoints, load_weights
from mien.cli import app
from mien.config import load_config
from mien.data.store import Store
from mien.losses import patches_of
from mien.methods import UniEmoxConfig
from mien.models.mae import encode_seen, masked_of, rebuild
from mien.run_pictures import load_autoencoder, rebuilt_pictures
from mien.train.reading import pictures_of_store
from mien.train.run import RunConfig, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    train(of_views(write_taught_store(folder)), folder / "run")
    return folder / "run"


def method_of(run: Path) -> UniEmoxConfig:
    config = load_config(RunConfig, run / "config.yaml").method
    assert isinstance(config, UniEmoxConfig)
    return config


def headings(page: Path) -> list[str]:
    return [part.split("</h2>")[0].split(">")[-1] for part in page.read_text(encoding="utf-8").split("<h2")[1:]]


def report(*words: object) -> str:
    ran = CliRunner().invoke(app, ["report", *map(str, words)], env={"COLUMNS": "200"})
    assert ran.exit_code == 0, ran.output + repr(ran.exception)
    return ran.output


def test_page_shows_what_is_rebuilt_attended_to_and_near(run: Path) -> None:
    report(run)
    page = run / "report.html"
    assert headings(page) == [
        "Training", "What is rebuilt of what is hidden", "What is attended to", "Nearest by embedding", "Settings",
        "Intended use",
    ]  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert text.count('alt="scene: rebuilt"') == text.count('alt="person: rebuilt"') == 4  # the held-out ones
    assert "[cls], layer 2" in text
    assert "patches, layer 2" in text
    assert "held-out pictures" in text


def test_checkpoint_without_model_or_teacher_is_enough_to_rebuild(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "checkpoints", tmp_path / "begun" / "checkpoints")
    teacher = str(run.parent / "teacher")
    settings = (run / "config.yaml").read_text(encoding="utf-8")
    assert teacher in settings
    (tmp_path / "begun" / "config.yaml").write_text(settings.replace(teacher, "gone"), encoding="utf-8")
    shutil.copy(run / "metrics.jsonl", tmp_path / "begun" / "metrics.jsonl")
    report(tmp_path / "begun")
    assert "What is rebuilt of what is hidden" in headings(tmp_path / "begun" / "report.html")


def test_run_without_checkpoints_says_what_its_page_lacks(run: Path, tmp_path: Path) -> None:
    for name in ("config.yaml", "metrics.jsonl"):
        shutil.copy(run / name, tmp_path / name)
    assert "without rebuilt pictures: they need a checkpoint" in report(tmp_path)


def test_rebuilt_are_the_masked_patches_alone_and_by_the_weights_of_the_checkpoint(run: Path) -> None:
    latest, config = checkpoints(run / "checkpoints")[-1], method_of(run)
    trained = config.build()
    load_weights(trained, latest / "model.safetensors")
    found = load_autoencoder(latest, config)
    torch.manual_seed(0)
    pictures, order = torch.randn(2, 3, 16, 16), torch.rand(2, 16).argsort(dim=1)
    rebuilt = rebuild(found.model.vision, found.decoder, pictures, order, num_seen=4)
    with torch.no_grad():
        painted = trained.decoder(encode_seen(trained.model.vision, pictures, order, num_seen=4), order)
    masked = masked_of(order, num_seen=4)
    patches = patches_of(rebuilt, patch=4)
    torch.testing.assert_close(patches[masked], painted[masked])
    assert torch.equal(patches[~masked], patches_of(pictures, patch=4)[~masked])


def test_views_of_the_page_are_those_of_the_store(run: Path) -> None:
    config = load_config(RunConfig, run / "config.yaml")
    store = Store(config.data.store)
    clips = pictures_of_store(store, None)[:2]
    shown = rebuilt_pictures(run, config, store, clips)
    assert shown is not None
    for picture in shown:
        assert picture.person is not None
        for view in (picture.scene, picture.person):
            hidden = view.is_masked.repeat(4, axis=0).repeat(4, axis=1)
            assert view.is_masked.sum() == 12
            assert abs(view.rebuilt.astype(int) - view.original)[~hidden].max() <= 1  # of rounding
            assert (view.rebuilt != view.original)[hidden].any()
        assert (picture.scene.is_masked != picture.person.is_masked).any()


def test_shards_of_several_processes_are_put_together(tmp_path: Path) -> None:
    store = write_taught_store(tmp_path)
    run = tmp_path / "run"
    start(train, of_views(store, fsdp=True), run, world_size=2)
    found = load_autoencoder(checkpoints(run / "checkpoints")[-1], method_of(run))
    whole = tmp_path / "whole"
    train(of_views(store), whole)
    expected = load_autoencoder(checkpoints(whole / "checkpoints")[-1], method_of(whole)).state_dict()
    for name, tensor in found.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=2e-3, msg=name)
