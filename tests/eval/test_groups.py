from dataclasses import replace

import numpy as np
import pytest

from mien.eval.benchmarks import load_benchmark
from mien.eval.comparison_formats import show_groups
from mien.eval.features import features_of
from mien.eval.groups import group_rows, score_groups
from mien.eval.protocol import ClassNames, Task
from mien.eval.report_tables import groups_table
from mien.eval.run import evaluate
from mien.eval.scores import accuracy
from mien.eval.sweep import rows_of
from mien.eval.tasks import run_task
from mien.types import Features, LabeledClip, Labels
from tests.eval.test_run import FakeStore, embed, make_clip, make_loader
from tests.eval.test_run import root as root

ATTRIBUTES = [{"gender": "F", "age": "Adult"}] * 20 + [{"gender": "M"}] * 25 + [{"gender": "X"}] * 3 + [{}] * 2


def test_each_value_with_enough_samples_is_scored_and_the_others_counted():
    right = np.array([1] * 15 + [0] * 5 + [1] * 5 + [0] * 20 + [1] * 5)
    found = score_groups(
        ATTRIBUTES, lambda kept: {"accuracy": accuracy(right[kept], np.ones(kept.sum(), dtype=np.int64)), "uar": 0.0}
    )
    gender, age = found["gender"], found["age"]
    assert (gender.metric, list(gender.groups)) == ("accuracy", ["F", "M"])
    assert (gender.groups["F"].num_samples, gender.groups["F"].value) == (20, 0.75)
    assert (gender.groups["M"].num_samples, gender.groups["M"].value) == (25, 0.2)
    assert (gender.num_small_groups, gender.num_in_small_groups, gender.num_without) == (1, 3, 2)
    assert (list(age.groups), age.num_small_groups, age.num_without) == (["Adult"], 0, 30)


def test_nineteen_samples_are_too_few_and_a_score_that_does_not_exist_is_none():
    few = score_groups([{"age": "Kid"}] * 19, lambda kept: {"accuracy": 1.0})["age"]
    assert (few.metric, few.groups, few.num_small_groups, few.num_in_small_groups) == ("", {}, 1, 19)
    absent = score_groups([{"age": "Kid"}] * 20, lambda kept: {"r2": float("nan")})["age"]
    assert absent.groups["Kid"].value is None
    assert score_groups([], lambda kept: {}) == {}


def made() -> Features:
    """Fifty samples in two classes; of the second class's 25, M are all told wrong by their features."""
    category = np.arange(50) % 2
    seen = np.where([each.get("gender") == "M" for each in ATTRIBUTES], 1 - category, category)
    x = np.eye(2, dtype=np.float32)[seen]
    return features_of(
        x,
        samples=[
            LabeledClip(
                clip=make_clip(str(i)),
                labels=Labels(category=int(category[i]), scores=(float(category[i]), 1.0), vad=(float(i), 0.0, 1.0)),
                attributes=told,
            )
            for i, told in enumerate(ATTRIBUTES)
        ],
    )


@pytest.mark.parametrize(
    ("probe", "metric"),
    [
        ({"kind": "multinomial", "C": 8.0}, "accuracy"),
        ({"kind": "one_vs_rest", "C": 8.0}, "top1_hit"),
        ({"kind": "ridge", "alpha": 1.0}, "r2"),
    ],
)
def test_every_probe_is_scored_by_groups_with_its_first_metric(probe, metric):
    classes = ClassNames(category=("a", "b"), scores=("a", "b"), vad=("v", "a", "d"))
    features = made()
    task = Task.model_validate({"name": "t", "probe": probe})
    result, _ = run_task(task, classes=classes, train=features, test=features)
    assert result.groups["gender"].metric == metric == next(iter(result.metrics))
    assert set(result.groups["gender"].groups) == {"F", "M"}


def test_groups_tell_apart_what_the_whole_hides():
    train = rows_of(made(), np.array([each.get("gender") == "F" for each in ATTRIBUTES]))
    assert set(train.attributes[0]) == {"gender", "age"}
    task = Task.model_validate({"name": "t", "probe": {"kind": "multinomial", "C": 8.0}})
    result, _ = run_task(task, classes=ClassNames(category=("a", "b")), train=train, test=made())
    assert result.metrics["accuracy"] == 0.5
    assert {name: group.value for name, group in result.groups["gender"].groups.items()} == {"F": 1.0, "M": 0.0}


def test_record_and_tables_tell_the_groups_of_a_release_that_has_attributes(root, capsys):
    theatre = load_benchmark("theatre")

    def read(path, split):
        release = theatre.read(path, split)
        told = [
            replace(s, attributes={"half": "early" if i % 14 < 11 else "late"}) for i, s in enumerate(release.samples)
        ]
        return replace(release, samples=tuple(told))

    settings = {"root": root, "store": FakeStore(), "embed": embed, "make_loader": make_loader, "model_id": "oracle"}
    result = evaluate(replace(theatre, read=read), weights_hash="0", **settings)
    half = result.task("emotion").groups["half"]
    assert (half.groups["early"].num_samples, half.groups["early"].value) == (22, 1.0)
    assert (half.num_small_groups, half.num_in_small_groups, half.num_without) == (1, 6, 0)
    assert group_rows([("ours", result)])[:3] == [
        ["task", "metric", "attribute", "value", "samples", "ours"],
        ["emotion", "accuracy", "half", "early", "22", "1.000"],
        ["emotion", "accuracy", "half", "1 value with fewer than 20", "6", ""],
    ]
    assert "<td>early</td><td>22</td><td>1.000</td>" in groups_table([("ours", result)])
    show_groups([("ours", result)])
    assert "early" in capsys.readouterr().out
    plain = evaluate(theatre, weights_hash="0", **settings)
    assert groups_table([("ours", plain)]) == ""
    assert plain.task("emotion").metrics == result.task("emotion").metrics
