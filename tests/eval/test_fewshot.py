import numpy as np
import pytest

from mien.config import validate
from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.comparison import compare
from mien.eval.comparison_formats import to_markdown, to_records
from mien.eval.fewshot import draw, run_few_shot
from mien.eval.label_scores import score_classes
from mien.eval.probe import fit_probe
from mien.eval.protocol import ClassNames, FewShot, Task, protocol_names
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.types import EMOTIONS, Features, MienError
from tests.eval.test_run import FakeStore, embed, make_loader
from tests.eval.test_run import root as root

NAMES = ("joy", "anger", "fear")
TASK = {"name": "emotion", "probe": {"kind": "multinomial", "C": 8.0}, "few_shot": {"shots": 2, "seeds": [0, 1]}}


def features(*, n: int, seed: int) -> Features:
    rng = np.random.default_rng(seed)
    category = np.array([0, 1] * (n // 2 - 1) + [1, 2])
    x = (np.eye(3)[category] + rng.normal(size=(n, 3))).astype(np.float32)
    return Features(x=x, category=category, scores=None, vad=None, ids=tuple(map(str, range(n))))


def test_draw_takes_as_many_of_each_class_and_all_of_one_that_has_no_more():
    category = np.array([0, 1, 0, 0, 1, 2, 0, 1])
    kept = draw(category, shots=2, seed=3)
    assert np.bincount(category[kept]).tolist() == [2, 2, 1]
    assert draw(category, shots=9, seed=3).all()


def test_draw_is_the_same_for_a_seed_and_different_for_others_and_fair():
    category = np.zeros(6, dtype=np.int64)
    draws = np.array([draw(category, shots=2, seed=seed) for seed in range(600)])
    assert (draws[7] == draw(category, shots=2, seed=7)).all()
    assert (np.abs(draws.mean(axis=0) - 1 / 3) < 0.07).all()


def test_result_is_mean_and_deviation_of_probes_fitted_on_the_draws():
    train, test = features(n=20, seed=0), features(n=30, seed=1)
    task = Task.model_validate(TASK)
    result = run_few_shot(task, task.few_shot, classes=ClassNames(category=NAMES), train=train, test=test)
    uars, joys = [], []
    for seed in (0, 1):
        kept = draw(train.category, shots=2, seed=seed)
        head = fit_probe(train.x[kept], train.category[kept], classes=NAMES, config=task.probe)
        uar = score_classes(test.category, head.probabilities(test.x))["uar"]
        uars.append(uar.value)
        joys.append(uar.per_class[0])
    assert uars[0] != uars[1]
    assert result.metrics["uar"] == pytest.approx((uars[0] + uars[1]) / 2)
    assert result.per_class["uar"][0] == pytest.approx(sum(joys) / 2)
    told = result.few_shot
    assert told.metrics["uar"] == pytest.approx(uars)
    assert told.deviation["uar"] == pytest.approx(abs(uars[0] - uars[1]) / 2**0.5)  # of a sample of two
    assert (told.num_fitted, told.short_classes) == (5, {"fear": 1})
    assert result.intervals == {}
    assert result.majority["accuracy"] == 0.5  # anger, 10 of 20 in train, is 15 of 30


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(MienError, match="a ridge probe has no such classes"):
        validate(Task, TASK | {"probe": {"kind": "ridge", "alpha": 1}}, source="here")
    with pytest.raises(MienError, match="no samples to sweep on"):
        validate(Task, TASK | {"sweep": {"grid": [1, 2], "metric": "uar"}}, source="here")
    for seeds in ([1, 1], [-1, 2], [1]):
        with pytest.raises(MienError, match="seeds"):
            validate(FewShot, {"shots": 1, "seeds": seeds}, source="here")


@pytest.fixture
def result(root) -> EvalResult:
    settings = {"root": root, "store": FakeStore(), "embed": embed, "make_loader": make_loader, "model_id": "oracle"}
    return evaluate(load_benchmark("theatre"), weights_hash="0", protocol="fewshot", **settings)


def test_theatre_is_scored_from_single_samples_by_a_model_that_knows_it_all(result, tmp_path):
    assert [task.name for task in result.tasks] == ["emotion_1_shot", "emotion_4_shots", "emotion_16_shots"]
    one, _, sixteen = result.tasks
    assert (one.metrics["uar"], one.few_shot.deviation["uar"], one.few_shot.num_fitted) == (1.0, 0.0, 7)
    assert sixteen.few_shot.short_classes == dict.fromkeys(EMOTIONS, 4)
    result.save(tmp_path / "few.json")
    assert EvalResult.load(tmp_path / "few.json") == result


def test_tables_tell_the_deviation(result):
    tables = compare([("few", result)])
    assert "100.00 ± 0.00" in to_markdown(tables)
    assert "±: standard deviation over the seeds" in to_markdown(tables)
    assert {r["deviation"] for r in to_records(tables) if r["run"] == "few"} == {0.0}
    assert "1 samples a class, mean ± deviation of 5 draws" in result_table([("few", result)])
    assert "± 0.000" in result_table([("few", result)])


@pytest.mark.parametrize(
    "name", [n for n in BENCHMARKS if "fewshot" in protocol_names(load_benchmark(n).protocols or n)]
)
def test_few_shot_protocols_fit_their_benchmarks(name):
    benchmark = load_benchmark(name)
    protocol, paper = benchmark.protocol("fewshot"), benchmark.protocol()
    assert protocol.train_split == paper.train_split
    assert set(protocol.report) <= set(paper.report)
    assert all(task.few_shot is not None and task.probe == paper.tasks[0].probe for task in protocol.tasks)
