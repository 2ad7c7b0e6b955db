import csv
import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mien.cli import app
from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.comparison import Cell, Column, compare, load_results
from mien.eval.comparison_formats import to_csv, to_latex, to_markdown, to_records, to_rich
from mien.eval.intervals import Interval
from mien.eval.published import PublishedValue, published_values
from mien.eval.results import CombinedResult, EvalResult, TaskResult

ACCURACY = Column(task="emotion", metric="accuracy", is_percent=True)
MSE = Column(task="va", metric="mse")
VALENCE = Column(task="va", metric="mse", dimension="valence")


def result(
    *, benchmark: str = "b", generated: bool = False, protocol: str = "paper", accuracy: float = 0.4
) -> EvalResult:
    """Accuracy 40 % [35, 45] and a mean squared error of 0.1 (valence) and 0.3 (arousal)."""
    emotion = TaskResult(
        name="emotion", probe={"kind": "multinomial"}, classes=("a", "b"), support=(1, 1),
        metrics={"accuracy": accuracy, "uar": None}, majority={"accuracy": 0.25, "uar": None}, per_class={},
        num_left_out={},
        intervals={"accuracy": Interval(low=accuracy - 0.05, high=accuracy + 0.05, num_resamples=1000)},
    )  # fmt: skip
    va = TaskResult(
        name="va", probe={"kind": "ridge"}, classes=("valence", "arousal"), support=(2, 2), metrics={"mse": 0.2},
        majority={"mse": 0.5}, per_class={"mse": (0.1, 0.3)}, num_left_out={},
    )  # fmt: skip
    return EvalResult(
        benchmark=benchmark, is_generated=generated, split="test", protocol={"name": protocol}, model_id="m",
        weights_hash="", seed=0, tasks=(emotion, va), combined=(CombinedResult(name="ers", value=0.5, majority=0.1),),
        num_train=2, num_used=2, num_skipped=0, skipped=(), boxes="sidecar", subject="all", reading={},
        store_settings={}, versions={}, hardware="", started_at="", seconds=0.0,
    )  # fmt: skip


def published(method: str, value: float, *, split: str = "test", **changes: str) -> PublishedValue:
    about = {"task": "multinomial", "metric": "accuracy", "dimension": "", "unit": "percent"} | changes
    return PublishedValue(
        method=method, benchmark="b", split=split, protocol="paper", value=value, source=f"{method}'s paper", note="",
        **about,
    )  # fmt: skip


def test_published_stand_above_majority_and_ours_under_the_names_of_our_tasks():
    (table,) = compare([("mine", result())], published=[published("Theirs", 44.0)])
    assert [(row.kind, row.name, row.split) for row in table.rows] == [
        ("published", "Theirs", "test"), ("majority", "majority", "test"), ("ours", "mine", "test"),
    ]  # fmt: skip
    assert [row.cells[ACCURACY].value for row in table.rows] == pytest.approx([44.0, 25.0, 40.0])
    assert [column.title for column in table.columns] == ["emotion accuracy %", "va mse", "ers"]


def test_best_published_figure_outside_of_our_interval_is_marked():
    for best, apart in ((44.0, False), (46.0, True)):
        (table,) = compare([("mine", result())], published=[published("A", best), published("B", 1.0)])
        assert table.rows[-1].cells[ACCURACY].is_apart is apart


def test_published_figure_of_another_split_marks_nothing_and_one_of_an_untold_split_does():
    for split, apart in (("val", None), ("", True)):
        (table,) = compare([("mine", result())], published=[published("A", 90.0, split=split)])
        assert table.rows[-1].cells[ACCURACY].is_apart is apart


def test_generated_results_stand_apart_from_ours_and_from_the_published():
    runs = [("fake", result(generated=True)), ("real", result())]
    real, fake = compare(runs, published=[published("Theirs", 44.0)])
    assert [row.name for row in real.rows] == ["Theirs", "majority", "real"]
    assert [row.name for row in fake.rows] == ["majority", "fake"]
    assert "generated data" in fake.title
    assert "generated" not in real.title


def test_published_figures_of_another_protocol_stand_beside_nothing():
    (table,) = compare([("mine", result(protocol="sweep"))], published=[published("Theirs", 44.0)])
    assert [row.kind for row in table.rows] == ["majority", "ours"]


def test_published_figures_of_single_dimensions_stand_beside_ours_of_these():
    theirs = published("Theirs", 0.115, task="ridge", metric="mse", dimension="valence", unit="number")
    (table,) = compare([("mine", result())], published=[theirs])
    assert table.rows[0].cells == {VALENCE: Cell(value=0.115)}
    assert table.rows[-1].cells[VALENCE] == Cell(value=0.1)
    assert table.rows[-1].cells[MSE] == Cell(value=0.2)


def test_forms_tell_the_same_numbers():
    tables = compare([("a_b", result())], published=[published("Theirs|x", 60.0)])
    markdown = to_markdown(tables).splitlines()
    assert markdown[2:6] == [
        "| run | split | emotion accuracy % | va mse | ers |",
        "| --- | --- | ---: | ---: | ---: |",
        r"| Theirs\|x (published) | test | 60.00 |  |  |",
        "| majority | test | 25.00 | 0.500 | 0.100 |",
    ]
    assert markdown[6] == "| a_b | test | 40.00 [35.00, 45.00]* | 0.200 | 0.500 |"
    assert "- published: Theirs|x's paper" in markdown
    assert r"a\_b & test & 40.00 [35.00, 45.00]* & 0.200 & 0.500 \\" in to_latex(tables).splitlines()
    (row,) = [
        r for r in csv.DictReader(io.StringIO(to_csv(tables))) if (r["kind"], r["metric"]) == ("ours", "accuracy")
    ]
    assert (row["value"], row["is_generated"], row["best_published_is_outside"]) == ("40.0", "False", "True")
    assert len(to_records(tables)) == 1 + 3 + 3
    console = Console(width=100, record=True)
    console.print(to_rich(tables[0]))
    assert "40.00 [35.00, 45.00]*" in console.export_text()


@pytest.mark.parametrize("form", ["terminal", "markdown", "csv", "latex", "json"])
def test_command_line_prints_each_form(form, tmp_path):
    result(benchmark="meld").save(tmp_path / "mine.json")
    words = ["--json"] if form == "json" else ["--format", form]
    printed = CliRunner().invoke(app, ["evaluate", "--table", str(tmp_path), *words], env={"COLUMNS": "200"})
    assert printed.exit_code == 0, printed.output
    assert "EmotionCLIP" in printed.output
    assert "48.28" in printed.output


# ── the published numbers ────────────────────────────────────────────────────────────────────────


def test_published_numbers_are_those_of_the_papers():
    values = {(v.benchmark, v.split, v.method, v.metric, v.dimension): v.value for v in published_values()}
    assert values["bold", "val", "EmotionCLIP", "macro_map", ""] == 22.51
    assert values["meld", "test", "EmotionCLIP", "weighted_f1", ""] == 34.59
    assert values["moviegraphs", "test", "X-CLIP", "top1_hit", ""] == 23.58
    assert values["liris", "", "Zhao (multimodal)", "mse", "arousal"] == 0.137
    assert values["rafdb", "", "CLIP ViT-B/32", "accuracy", ""] == 30.05
    assert len(values) == len(published_values()) == 100


def test_published_numbers_are_of_splits_and_metrics_that_the_benchmarks_have():
    for v in published_values():
        if v.benchmark not in BENCHMARKS:
            continue
        benchmark = load_benchmark(v.benchmark)
        tasks = {task.probe.kind for task in benchmark.protocol(v.protocol).tasks}
        assert v.split in ("", *benchmark.splits), v
        assert v.task in tasks, v
        assert v.dimension in ("", *benchmark.classes.vad), v


def test_result_that_is_named_twice_is_read_once(tmp_path):
    for name in ("a", "b"):
        result().save(tmp_path / f"{name}.json")
    assert [name for name, _ in load_results([tmp_path, tmp_path / "b.json"])] == ["a", "b"]


def test_splits_that_were_not_scored_are_told_but_none_after_a_mean_over_folds():
    protocol = {"name": "paper", "report": ["test", "val"], "folds": 1}
    assert result().model_copy(update={"protocol": protocol}).other_splits == ("val",)
    folds = {"protocol": protocol | {"report": ["test1"], "folds": 5}, "split": "mean of test1, test2"}
    assert result().model_copy(update=folds).other_splits == ()


@pytest.mark.parametrize(
    ("trained_on", "kind", "is_told"),
    [
        ("FER+ training split", "zeroshot", True),
        ("FER+ training split", "multinomial", False),
        ("films", "zeroshot", False),
    ],
)
def test_prompts_of_a_set_that_was_trained_on_are_told_to_be_no_zero_shot(trained_on, kind, is_told):
    own = result()
    task = own.tasks[0].model_copy(update={"probe": {"kind": kind}})
    seen = own.model_copy(update={"benchmark": "ferplus", "trained_on": trained_on, "tasks": (task,)})
    (table,) = compare([("mine", seen)], published=[])
    assert any("mine was trained on this set (FER+ training split)" in note for note in table.notes) == is_told
