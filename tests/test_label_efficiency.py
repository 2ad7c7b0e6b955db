"""Label-efficiency series: a run a share and seed, kept when done; means with standard errors, a table and a chart."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_finetune import tiny_mien
from typer.testing import CliRunner

from mien.cli import app
from mien.eval.benchmarks import load_benchmark
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.efficiency import spread_of
from mien.eval.results import EvalResult
from mien.evaluate import prepare_release
from mien.label_efficiency import fine_tune_series, shares_of
from mien.types import MienError


def test_standard_error_is_the_deviation_by_the_root_of_the_number_of_seeds() -> None:
    spread = spread_of([0.5, 0.6, 0.7])
    assert spread.mean == pytest.approx(0.6)
    assert spread.standard_error == pytest.approx(0.1 / 3**0.5)
    assert spread_of([0.5]).standard_error is None
    assert spread_of([0.5, None]).mean is None


def test_shares_are_read_in_any_order_and_what_is_none_is_refused() -> None:
    assert shares_of("1,0.01, 0.1") == (0.01, 0.1, 1.0)
    for wrong in ("", "0,1", "0.1,2", "0.1,0.1", "a tenth"):
        with pytest.raises(MienError, match=r"write them so: 0\.01,0\.1,1"):
            shares_of(wrong)


@pytest.mark.slow
def test_series_has_a_folder_a_run_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    root, store, out = tmp_path / "fer", tmp_path / "store", tmp_path / "run"
    fer = load_benchmark("ferplus")
    write_fake(fer, root)
    prepare_release(fer, root=root, store=store, splits=("train", "test"))
    tiny_mien().save_pretrained(tmp_path / "model")
    begun = list[tuple[float, int, bool]]()

    def series(*overrides: str) -> None:
        fine_tune_series(
            "ferplus",
            model=str(tmp_path / "model"),
            root=root,
            store=store,
            out=out,
            fractions=(1.0, 0.5),
            num_seeds=2,
            workers=0,
            overrides=("epochs=1", *overrides),
            on_run=lambda *run: begun.append(run),
        )

    series("batch_size=4")
    record = json.loads((out / "label_efficiency.json").read_text())
    (task,) = record["tasks"]
    assert [point["fraction"] for point in task["points"]] == [0.5, 1.0]
    for point in task["points"]:
        runs = [out / f"fraction-{point['fraction']:g}" / f"seed-{seed}" for seed in (0, 1)]
        results = [EvalResult.load(run / "result.json").task("emotion") for run in runs]
        assert [r.finetune.num_fitted for r in results if r.finetune] == [point["num_fitted"]] * 2
        for name, told in point["metrics"].items():
            values = [result.metrics[name] for result in results]
            assert told["values"] == values
            assert told["mean"] == pytest.approx(np.mean(values))
            assert told["standard_error"] == pytest.approx(np.std(values, ddof=1) / 2**0.5)
        assert all((run / "emotion" / "model").is_dir() for run in runs)
        assert not any((run / "emotion" / "checkpoints").exists() for run in runs)
    assert record["is_generated"]
    chart = cv2.imread(str(out / "label_efficiency.png"))
    assert chart is not None
    assert chart.shape[0] > 300
    page = (out / "label_efficiency.html").read_text()
    assert "data:image/png;base64," in page
    assert "not a real benchmark" in page

    kept, lost = (out / "fraction-0.5" / f"seed-{seed}" / "result.json" for seed in (1, 0))
    before = kept.read_text()
    lost.unlink()
    begun.clear()
    series("batch_size=4")
    assert begun == [(0.5, 0, False), (0.5, 1, True), (1.0, 0, True), (1.0, 1, True)]
    assert kept.read_text() == before
    assert json.loads((out / "label_efficiency.json").read_text()) == record  # the lost run came out alike
    with pytest.raises(MienError, match=r"result\.json is of another protocol; choose another folder"):
        series("batch_size=3")
    with pytest.raises(MienError, match=r"fraction=0\.1 is set by the series itself"):
        series("fraction=0.1")

    options = ["--model", tmp_path / "model", "--root", root, "--store", store, "--out", out, "--fractions", "0.5,1"]
    words = ["finetune", "ferplus", *map(str, options), "--seeds", "2", "epochs=1", "batch_size=4"]
    ran = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert ran.exit_code == 0, ran.output
    assert "share 0.5, seed 1: there already" in ran.output
    assert "top3_accuracy %" in ran.output
    assert "±: standard error over 2 seeds" in ran.output
