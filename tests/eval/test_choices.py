"""What a sweep chose is told in a line, in tables and in the report."""

from __future__ import annotations

from typing import Any

from mien.eval.choices import choices
from mien.eval.comparison import compare
from mien.eval.folds import mean_over_folds
from mien.eval.protocol import Protocol, Task
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult, TaskResult


def result(**sweep: Any) -> EvalResult:
    tasks = (
        TaskResult(
            name="vad",
            probe={"kind": "ridge", "alpha": 10.0},
            classes=("valence",),
            support=(4,),
            metrics={"r2": 0.5},
            majority={"r2": 0.0},
            per_class={},
            num_left_out={},
        ),
    )
    return EvalResult(
        benchmark="theatre",
        is_generated=True,
        split="test",
        protocol={"name": "sweep", "tasks": [{"name": "vad", "sweep": sweep or None}]},
        model_id="m",
        weights_hash="",
        seed=None,
        tasks=tasks,
        combined=(),
        num_train=4,
        num_used=4,
        num_skipped=0,
        skipped=(),
        boxes="none",
        subject="all",
        reading={},
        store_settings={},
        versions={},
        hardware="",
        started_at="",
        seconds=0.0,
    )


TASK = {"name": "vad", "probe": {"kind": "ridge", "alpha": 1.0}, "sweep": {"grid": [1.0, 10.0], "metric": "r2"}}
SWEPT = {"grid": [1.0, 10.0], "metric": "r2", "validation_split": None, "held_out": 0.2}
LINE = "vad: alpha = 10.0, chosen by r2 on 20% of train held out, of 1.0, 10.0"


def test_chosen_strength_is_told_with_the_grid_and_on_what_it_was_chosen() -> None:
    assert choices(result(**SWEPT)) == (LINE,)
    on_val = choices(result(**SWEPT | {"validation_split": "val"}))
    assert on_val == ("vad: alpha = 10.0, chosen by r2 on val, of 1.0, 10.0",)


def test_each_folds_choice_is_told_and_the_probe_is_what_they_have_in_common() -> None:
    folds = [result(**SWEPT), result(**SWEPT)]
    other = folds[1].tasks[0].model_copy(update={"probe": {"kind": "ridge", "alpha": 1.0}})
    folds[1] = folds[1].model_copy(update={"tasks": (other,)})
    protocol = Protocol(
        name="sweep", source="", train_split="train1", report=("test1",), folds=2, tasks=(Task.model_validate(TASK),)
    )
    mean = mean_over_folds(folds, protocol=protocol)
    assert choices(mean) == ("vad: alpha = 10.0 1.0 by fold, chosen by r2 on 20% of train held out, of 1.0, 10.0",)
    assert mean.tasks[0].probe == {"kind": "ridge"}


def test_result_without_a_sweep_tells_no_choice() -> None:
    assert choices(result()) == ()
    assert "chosen" not in " ".join(compare([("mine", result())])[0].notes)
    assert "Chosen" not in result_table([("mine", result())])


def test_table_and_report_tell_each_runs_choice() -> None:
    runs = [("mine", result(**SWEPT))]
    assert f"mine, {LINE}" in compare(runs)[0].notes
    assert f"Chosen: mine, {LINE}." in result_table(runs)
