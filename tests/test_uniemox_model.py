"""What a UniEmoX run exports, through every verb that takes a model; and what it says where texts would be needed."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_view_run import of_views, write_taught_store
from typer.testing import CliRunner

from mien.cli import app
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.results import EvalResult
from mien.evaluate import prepare_release
from mien.inference import Mien
from mien.train.run import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained model, a fake of a scene set, and its store."""
    folder = tmp_path_factory.mktemp("exported")
    train(of_views(write_taught_store(folder)), folder / "run")
    emotion6 = load_benchmark("emotion6")
    write_fake(emotion6, folder / "fake")
    prepare_release(emotion6, root=folder / "fake", store=folder / "scenes", splits=("train", "val", "test"))
    return folder


def mien(*words: object, status: int = 0) -> str:
    ran = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "250"})
    assert ran.exit_code == status, ran.output + repr(ran.exception)
    return ran.output


def test_saved_model_evaluates(here: Path) -> None:
    options = ("--root", here / "fake", "--store", here / "scenes", "--model", here / "run/model")
    mien("evaluate", "emotion6", *options, "--out", here / "probe.json")
    told = EvalResult.load(here / "probe.json").task("emotion")
    assert told.probe["kind"] == "multinomial"
    assert {"accuracy", "top3_accuracy", "weighted_f1"} <= set(told.metrics)
    assert None not in told.metrics.values()


def test_saved_model_is_fine_tuned_and_evaluates_again(here: Path) -> None:
    options = ("--root", here / "fake", "--store", here / "scenes", "--model", here / "run/model", "--workers", "1")
    settings = ("epochs=2", "batch_size=4", "choose_on=val", "warmup_epochs=1")
    recipe = ("mix={mixup: 0.8, cutmix: 1.0}", "drop_path=0.2", "ema_decay=0.9",
              "augment={horizontal_flip: true, distort: {erase: 0.25, random_operations: 2}}")  # fmt: skip
    mien("finetune", "emotion6", *options, "--out", here / "tuned", *settings, *recipe)
    told = EvalResult.load(here / "tuned/result.json").task("emotion").finetune
    assert told is not None
    assert (told.chosen_on, told.chosen_by, len(told.scores)) == ("val", "accuracy", 2)
    again = ("--root", here / "fake", "--store", here / "scenes", "--model", here / "tuned/emotion/model")
    mien("evaluate", "emotion6", *again, "--out", here / "tuned_probe.json")
    assert "Emotion6, labels" in EvalResult.load(here / "tuned_probe.json").trained_on


def test_saved_model_embeds_pictures(here: Path) -> None:
    pictures = here / "fake" / "test" / "Joy"
    mien("embed", pictures, "--model", here / "run/model", "--out", here / "embeddings.parquet")
    table = pq.read_table(here / "embeddings.parquet")
    assert table.num_rows == 1
    assert len(table["embedding"][0]) == Mien.from_pretrained(here / "run/model").config.architecture.embed_dim


def test_where_texts_are_needed_the_error_says_what_does(here: Path) -> None:
    options = ("--root", here / "fake", "--store", here / "scenes", "--model", here / "run/model")
    said = mien("evaluate", "ferplus", *options, "--protocol", "zeroshot", status=1)
    assert "protocol zeroshot asks for texts" in said
    assert "take paper, sweep or finetune" in said
    picture = next((here / "fake" / "test" / "Joy").iterdir())
    said = mien("classify", picture, "--model", here / "run/model", "--labels", "joy,fear", status=1)
    assert "looks at pictures and reads no texts" in said
    assert "mien finetune" in said
