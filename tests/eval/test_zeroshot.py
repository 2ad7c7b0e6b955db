import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_mien import small_mien

from mien.config import validate
from mien.data.store import Store
from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.benchmarks.release import labelled_clips
from mien.eval.comparison import compare, load_results
from mien.eval.head import load_head
from mien.eval.probe import ZeroShot, fit_probe
from mien.eval.protocol import ClassNames, Combined, Protocol, Task, protocol_names
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.eval.tasks import combine, run_task
from mien.eval.zeroshot import TextTower, prompts_of, zeroshot_head
from mien.evaluate import evaluate_model, prepare_release
from mien.types import EMOTIONS, Features, MienError
from tests.eval.test_run import FakeStore, embed, make_loader
from tests.eval.test_run import root as root

CLASSES = ("joy", "anger")
TEXTS = {"joy.": (3.0, 0.0), "much joy.": (0.0, 2.0), "anger.": (0.6, 0.8), "much anger.": (0.6, 0.8)}
SHOT = ZeroShot(templates=("{}.", "much {}."))


def tower(texts=TEXTS, *, logit_scale: float = 2.0) -> TextTower:
    return TextTower(encode=lambda prompts: torch.tensor([texts[p] for p in prompts]), logit_scale=logit_scale)


def features(x, **labels) -> Features:
    x = np.asarray(x, dtype=np.float32)
    ids = tuple(map(str, range(len(x))))
    return Features(x=x, ids=ids, **{"category": None, "scores": None, "vad": None} | labels)


def shot(**probe) -> Task:
    probe = {"kind": "zeroshot", "templates": ["{}.", "much {}."]} | probe
    return Task.model_validate({"name": "emotion", "probe": probe})


def test_scores_are_averaged_over_prompts_after_the_dot_product_then_scaled_and_softmaxed():
    head = zeroshot_head(SHOT, classes=CLASSES, text=tower())
    x = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    # joy's unit texts are (1, 0) and (0, 1), anger's are both (0.6, 0.8)
    expected = np.array([[2 * (1 + 0) / 2, 2 * 0.6], [2 * (0.6 + 0.8) / 2, 2 * 1.0]])
    np.testing.assert_allclose(head.decision(x), expected, atol=1e-6)
    np.testing.assert_allclose(head.probabilities(x)[0, 1], 1 / (1 + np.exp(1.0 - 1.2)), atol=1e-6)


def test_prompts_have_the_labels_own_words_in_lower_case_or_those_that_are_told():
    config = ZeroShot(templates=("{}.", "so {}, {}!"), words={"Doubt/Confusion": "doubt or confusion"})
    assert prompts_of(config, classes=("Peace", "Doubt/Confusion")) == [
        "peace.", "so peace, peace!", "doubt or confusion.", "so doubt or confusion, doubt or confusion!",
    ]  # fmt: skip


def test_exclusive_classes_are_scored_as_a_probe_of_them_and_the_templates_are_told():
    test = features([[1, 0], [0.6, 0.8], [0, 1]], category=np.array([1, 1, 0]))
    result, head = run_task(shot(), classes=ClassNames(category=CLASSES), train=None, test=test, text=tower())
    # joy scores 1, 1.4, 1; anger 1.2, 2, 1.6: anger each time
    assert result.confusion == ((0, 1), (0, 2))
    assert result.metrics["accuracy"] == pytest.approx(2 / 3)
    assert result.metrics["uar"] == 0.5
    assert (result.majority, result.support) == ({}, (1, 2))
    assert result.probe["templates"] == ["{}.", "much {}."]
    assert result.probe["words"] == {"joy": "joy", "anger": "anger"}
    assert head.classes == CLASSES


def test_labels_that_go_together_are_ranked_each_by_its_cosine():
    test = features([[1, 0], [0.6, 0.8], [0, 1]], scores=np.array([[0, 1], [1, 1], [0, 0]], dtype=np.float32))
    result, _ = run_task(shot(labels="scores"), classes=ClassNames(scores=CLASSES), train=None, test=test, text=tower())
    # joy ranks its one clip first; anger ranks 2 (hit), 3, 1 (hit): (1/1 + 2/3) / 2
    assert result.per_class["macro_map"] == pytest.approx((1.0, 5 / 6))
    assert result.per_class["macro_auc"] == (1.0, 0.5)
    assert result.metrics["top1_hit"] == pytest.approx(2 / 3)


def test_what_cannot_be_is_refused():
    with pytest.raises(MienError, match="a template needs"):
        validate(Task, {"name": "a", "probe": {"kind": "zeroshot", "templates": ["a face"]}}, source="here")
    sweeping = shot().model_dump() | {"sweep": {"grid": [1, 2], "metric": "uar"}}
    with pytest.raises(MienError, match="sweeps, but a zeroshot probe has no strength"):
        validate(Task, sweeping, source="here")
    with pytest.raises(MienError, match="same words"):
        zeroshot_head(SHOT.model_copy(update={"words": {"joy": "anger"}}), classes=CLASSES, text=tower())
    with pytest.raises(MienError, match="not finite"):
        zeroshot_head(SHOT, classes=CLASSES, text=tower(TEXTS | {"joy.": (torch.nan, 0.0)}))
    with pytest.raises(MienError, match="needs the model's text tower"):
        run_task(shot(), classes=ClassNames(category=CLASSES), train=None, test=features([[1, 0]]))
    with pytest.raises(MienError, match="not fitted"):
        fit_probe(np.ones((1, 2), dtype=np.float32), np.zeros(1, dtype=np.int64), classes=CLASSES, config=SHOT)


def test_training_split_is_named_by_protocols_that_fit_and_by_no_other():
    protocol = {"name": "p", "source": "ours", "report": ["test"], "tasks": [shot().model_dump()]}
    assert validate(Protocol, protocol, source="here").fit_splits == ()
    with pytest.raises(MienError, match="fits nothing; leave out train_split"):
        validate(Protocol, protocol | {"train_split": "train"}, source="here")
    fitted = [{"name": "e", "probe": {"kind": "multinomial", "C": 1}}]
    with pytest.raises(MienError, match="fits e; name the train_split"):
        validate(Protocol, protocol | {"tasks": fitted}, source="here")


def test_combined_score_of_zero_shot_has_no_majority():
    test = features([[1, 0], [0, 1]], category=np.array([1, 0]))
    result, _ = run_task(shot(), classes=ClassNames(category=CLASSES), train=None, test=test, text=tower())
    terms = [{"task": "emotion", "metric": "uar", "weight": 2}]
    assert combine(Combined.model_validate({"name": "twice", "terms": terms}), [result]).majority is None


# ── end to end ───────────────────────────────────────────────────────────────────────────────────


def encode(prompts: list[str]) -> torch.Tensor:
    """A text tower that knows the seven words."""
    return torch.stack([torch.tensor([float(emotion in prompt) for emotion in EMOTIONS]) + 0.01 for prompt in prompts])


def run(root: Path, **changes) -> EvalResult:
    settings = {
        "root": root, "store": FakeStore(), "embed": embed, "make_loader": make_loader, "model_id": "oracle",
        "weights_hash": "0", "protocol": "zeroshot", "text": TextTower(encode=encode, logit_scale=10.0),
    }  # fmt: skip
    return evaluate(load_benchmark("theatre"), **settings | changes)


def test_theatre_is_scored_without_its_training_split(root, tmp_path):
    for file in (root / "train").iterdir():
        file.unlink()
    calls = []
    result = run(root, embed=lambda batch: [calls.extend(batch.ids), embed(batch)][1], heads=tmp_path / "heads")
    assert (result.num_train, result.num_used, len(calls)) == (0, 28, 28)
    assert result.task("emotion").metrics["uar"] == 1.0
    assert result.task("categories").num_left_out == {"macro_map": 19, "macro_auc": 19}
    assert result.task("categories").probe["words"]["Doubt/Confusion"] == "doubt or confusion"
    assert load_head(tmp_path / "heads" / "emotion.safetensors").probe.classes == EMOTIONS


def test_record_survives_the_disk_and_makes_tables_without_majority(root, tmp_path):
    result = run(root, out=tmp_path / "shot.json")
    assert EvalResult.load(tmp_path / "shot.json") == result
    assert json.loads((tmp_path / "shot.json").read_text())["protocol"]["tasks"][0]["probe"]["templates"][0] == "{}."
    (table,) = compare(load_results([tmp_path / "shot.json"]))
    assert [row.name for row in table.rows] == ["shot"]
    assert "zero-shot, prompts “{}.”, “a person who feels {}.”" in result_table([("shot", result)])


def test_result_on_faces_stands_beside_the_published_ones_of_the_same_protocol(root):
    scored = run(root)
    result = scored.model_copy(
        update={"benchmark": "ferplus", "is_generated": False, "tasks": (scored.task("emotion"),)}
    )
    (table,) = compare([("ours", result)])
    assert [(row.kind, row.name) for row in table.rows][:2] == [
        ("published", "EmoCapCLIP"),
        ("published", "best baseline"),
    ]
    assert {c.task for c in table.columns if c.metric == "uar"} == {"emotion"}


@pytest.mark.parametrize(
    "name", [n for n in BENCHMARKS if "zeroshot" in protocol_names(load_benchmark(n).protocols or n)]
)
def test_every_zero_shot_protocol_has_prompts_for_its_benchmark(name):
    benchmark = load_benchmark(name)
    protocol = benchmark.protocol("zeroshot")
    assert set(protocol.report) <= set(benchmark.splits)
    for task in protocol.tasks:
        assert isinstance(task.probe, ZeroShot)
        classes = benchmark.classes.category if task.labels == "category" else benchmark.classes.scores
        assert len(set(prompts_of(task.probe, classes=classes))) == len(classes) * len(task.probe.templates) > 0
        assert not {"happy", "sad", "angry"} & {p.strip(".") for p in prompts_of(task.probe, classes=classes)}


def test_model_folder_is_scored_on_faces_as_it_classifies_by_the_same_prompts(tmp_path):
    model = small_mien()
    model.save_pretrained(tmp_path / "model")
    benchmark = load_benchmark("ferplus")
    assert benchmark.fake is not None
    benchmark.fake(tmp_path / "root")
    store = tmp_path / "store"
    prepare_release(benchmark, root=tmp_path / "root", store=store, splits=("test",))
    result = evaluate_model(
        "ferplus", model=str(tmp_path / "model"), root=tmp_path / "root", store=store, protocol="zeroshot"
    )
    assert (result.num_train, result.split) == (0, "test")
    assert result.num_used > 0

    clips = [s.clip for s in labelled_clips(benchmark.read(tmp_path / "root", "test"), Store(store))[0]]
    embeddings = torch.cat([model.embed_first_frames(batch) for batch in model.loader(Store(store), clips)])
    templates = result.task("emotion").probe["templates"]
    scores = model.label_scores(embeddings, benchmark.classes.category, templates=templates)
    confusion = np.array(result.task("emotion").confusion)
    assert confusion.sum(axis=0).tolist() == np.bincount(scores.argmax(dim=1), minlength=8).tolist()
