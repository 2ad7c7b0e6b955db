import pytest

from mien.eval.comparison import Column, compare
from mien.eval.protocol import Combined, Term
from mien.eval.report_tables import result_table
from mien.eval.results import CombinedResult, EvalResult, TaskResult
from mien.eval.tasks import combine
from mien.types import MienError


def task(name: str, *, metrics: dict[str, float | None], majority: dict[str, float | None]) -> TaskResult:
    return TaskResult(
        name=name, probe={"kind": "ridge", "alpha": 1.0}, classes=("a",), support=(4,), metrics=metrics,
        majority=majority, per_class={}, num_left_out={},
    )  # fmt: skip


CATEGORIES = task(
    "categories", metrics={"macro_map": 0.2, "macro_auc": 0.6}, majority={"macro_map": 0.1, "macro_auc": 0.5}
)
VAD = task("vad", metrics={"r2": 0.1}, majority={"r2": 0.0})
ERS = Combined(
    name="ers",
    terms=(
        Term(task="vad", metric="r2", weight=0.5),
        Term(task="categories", metric="macro_map", weight=0.25),
        Term(task="categories", metric="macro_auc", weight=0.25),
    ),
)


def result(*, combined: tuple[CombinedResult, ...]) -> EvalResult:
    return EvalResult(
        benchmark="bold", is_generated=False, split="val", protocol={}, model_id="m", weights_hash="", seed=0,
        tasks=(CATEGORIES, VAD), combined=combined, num_train=4, num_used=4, num_skipped=0, skipped=(), boxes="sidecar",
        subject="all", reading={}, store_settings={}, versions={}, hardware="", started_at="", seconds=0.0,
    )  # fmt: skip


def test_combined_score_is_the_weighted_sum_of_metrics_and_of_majority():
    combined = combine(ERS, [CATEGORIES, VAD])
    assert combined.value == pytest.approx(0.5 * (0.1 + 0.5 * (0.2 + 0.6)))
    assert combined.majority == pytest.approx(0.5 * (0.0 + 0.5 * (0.1 + 0.5)))


def test_combined_score_does_not_exist_where_one_of_its_metrics_does_not():
    combined = combine(ERS, [CATEGORIES, task("vad", metrics={"r2": None}, majority={"r2": 0.0})])
    assert combined.value is None
    assert combined.majority == pytest.approx(0.15)


def test_combined_score_of_a_metric_that_no_task_has_is_refused():
    with pytest.raises(MienError, match="ers wants vad r2, which is none of categories macro_map, categories macro"):
        combine(ERS, [CATEGORIES])


def test_combined_score_stands_beside_the_others_in_the_tables():
    record = result(combined=(CombinedResult(name="ers", value=0.25, majority=0.15),))
    (table,) = compare([("mine", record)], published=())
    scores = {row.kind: row.cells[Column(task="", metric="ers")].value for row in table.rows}
    assert scores == {"majority": 0.15, "ours": 0.25}
    html = result_table([("mine", record)])
    assert "emotion recognition score (ERS)</th><td><b>0.250</b></td><td>0.150</td>" in html


def test_record_without_combined_scores_has_none_in_its_tables():
    record = result(combined=())
    (table,) = compare([("mine", record)], published=())
    assert "ers" not in {column.metric for column in table.columns}
    assert "combined" not in result_table([("mine", record)])
