"""The report of a run on one's own videos: what there is without an evaluation, and what the rest needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_run import config
from tiny_store import write_store
from typer.testing import CliRunner

from mien.cli import app
from mien.train.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    store = write_store(folder / "store")
    train(config(store.path), folder / "run")
    return folder / "run"


def report(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, words)], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


def headings(page: Path) -> list[str]:
    return [part.split("</h2>")[0].split(">")[-1] for part in page.read_text(encoding="utf-8").split("<h2")[1:]]


def test_run_on_own_videos_is_drawn_without_an_evaluation(run: Path) -> None:
    said = report(run)
    page = run / "report.html"
    assert str(page) in said
    assert "without probes: they need --results" in said
    assert headings(page) == ["Training", "Where the subject token looks", "Settings", "Intended use"]
    text = page.read_text(encoding="utf-8")
    assert "generated scenes" not in text
    assert "warmup_steps: 2" in text


def test_run_that_goes_on_or_whose_store_is_gone_shows_its_curves(run: Path, tmp_path: Path) -> None:
    for name in ("config.yaml", "metrics.jsonl"):
        (tmp_path / "begun").mkdir(exist_ok=True)
        shutil.copy(run / name, tmp_path / "begun" / name)
    assert "without attention" in report(tmp_path / "begun", "--out", tmp_path / "begun.html")
    assert headings(tmp_path / "begun.html") == ["Training", "Settings", "Intended use"]


def test_what_a_report_cannot_do_without_is_named(run: Path, tmp_path: Path) -> None:
    assert "is not the folder of a run: no config.yaml in it" in report(tmp_path, status=1)
    assert "no results in" in report(run, "--results", tmp_path, status=1)
    assert "needs --root" in report(run, "--untrained", run / "model", status=1)
