import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.data.store import Store
from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.benchmarks.fakes import MARKER
from mien.eval.benchmarks.theatre import read_truth
from mien.eval.comparison import compare, load_results
from mien.eval.feature_cache import FeatureCache
from mien.eval.features import extract_features, features_of
from mien.eval.head import load_head
from mien.eval.protocol import ClassNames, Task
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.eval.sweep import choose
from mien.eval.tasks import run_task
from mien.types import CATEGORIES, EMOTIONS, Clip, ClipBatch, LabeledClip, Labels, MienError


class FakeStore(Store):
    """As much of a store as evaluation uses; video `train/0001` is not in it."""

    path = Path("nowhere")
    settings = {"boxes": {"source": "sidecar"}, "subject": "speaking"}  # type: ignore[assignment]  # noqa: RUF012

    def __init__(self) -> None: ...

    def clip(self, video: str, *, text: str = "", id: str | None = None, **times) -> Clip:
        assert id is not None
        if video == "train/0001":
            raise MienError(f"no video {video!r}")
        return make_clip(id, text=text)


def make_clip(id: str, *, text: str = "") -> Clip:
    return Clip(
        id=id, video="v", start_frame=0, end_frame=8, start_s=0, end_s=1, text=text,
        sentiment_logits=(0.0,) * 7, person_share=1.0,
    )  # fmt: skip


def make_loader(clips):
    """Batches of three whose pictures show the number in the clip's text."""
    for start in range(0, len(clips), 3):
        some = clips[start : start + 3]
        frames = torch.tensor([int(c.text) for c in some], dtype=torch.uint8)
        yield ClipBatch(
            frames=frames[:, None, None, None, None].expand(-1, 2, 3, 4, 4),
            boxes=torch.zeros(len(some), 2, 1, 4),
            token_ids=torch.zeros(len(some), 1, dtype=torch.int64),
            sentiment_logits=torch.zeros(len(some), 7),
            ids=tuple(c.id for c in some),
        )


def embed(batch: ClipBatch) -> torch.Tensor:
    """A model that knows it all: one dimension an emotion."""
    return 5 * torch.nn.functional.one_hot(batch.frames[:, 0, 0, 0, 0].long(), 7).float()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, videos in (("train", 3), ("test", 2)):
        for video in range(videos):
            utterances = [
                {
                    "start_s": float(i), "end_s": i + 1.0, "text": str(i % 7), "speaker": 1, "emotion": EMOTIONS[i % 7],
                    "categories": [float(c == i % 7) for c in range(26)],
                    "vad": [float(i % 7), 1.0, float(rng.normal())],
                }
                for i in range(14)
            ]  # fmt: skip
            path = tmp_path / split / f"{video:04d}.truth.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"format": 1, "utterances": utterances}))
    return tmp_path


def run(root: Path, **changes) -> EvalResult:
    settings = {
        "root": root, "store": FakeStore(), "embed": embed, "make_loader": make_loader, "model_id": "oracle",
        "weights_hash": "0" * 8,
    }  # fmt: skip
    return evaluate(load_benchmark("theatre"), **settings | changes)


def test_model_that_knows_the_emotion_scores_it_fully_and_majority_does_not(root):
    result = run(root)
    emotion = result.task("emotion")
    assert list(emotion.metrics) == ["accuracy", "uar", "weighted_f1", "top3_accuracy", "macro_f1", "macro_auc"]
    assert set(emotion.metrics.values()) == {1.0}
    assert emotion.majority["accuracy"] == pytest.approx(1 / 7)
    assert emotion.majority["macro_auc"] == pytest.approx(0.5)
    assert emotion.confusion == tuple(tuple(4 * int(r == c) for c in range(7)) for r in range(7))
    assert emotion.support == (4,) * 7
    assert emotion.intervals["accuracy"].low == 1.0
    assert emotion.per_class["uar"] == (1.0,) * 7


def test_categories_that_never_occur_are_counted_not_scored(root):
    categories = run(root).task("categories")
    assert categories.metrics == {"top1_hit": 1.0, "macro_map": 1.0, "macro_auc": 1.0}
    assert categories.num_left_out == {"macro_map": 19, "macro_auc": 19}
    assert categories.majority["macro_map"] == pytest.approx(1 / 7)


def test_constant_dimension_has_no_r2(root):
    vad = run(root).task("vad")
    r2 = vad.per_class["r2"]
    assert r2[0] == pytest.approx(1.0, abs=0.05)  # alpha shrinks it
    assert r2[1] is None
    assert vad.num_left_out["r2"] == 1
    assert vad.majority["r2"] is not None
    assert vad.majority["r2"] <= 0


def test_record_says_what_was_used_and_what_was_skipped_and_why(root):
    result = run(root, reading={"num_frames": 8, "subject": None}, seed=3)
    assert (result.num_train, result.num_used, result.num_skipped) == (28, 28, 14)
    assert result.skipped[0].what == "train/0001#0"
    assert "train/0001.mp4 is not in" in result.skipped[0].reason
    assert (result.boxes, result.subject, result.is_generated, result.seed) == ("sidecar", "speaking", True, 3)
    assert result.protocol["tasks"][0]["probe"] == {"kind": "multinomial", "C": 8.0}


def test_result_on_a_fake_is_marked_as_generated(root):
    real = replace(load_benchmark("theatre"), is_generated=False)
    settings = {"root": root, "store": FakeStore(), "embed": embed, "make_loader": make_loader}
    assert not evaluate(real, model_id="m", weights_hash="0", **settings).is_generated
    (root / MARKER).touch()
    assert evaluate(real, model_id="m", weights_hash="0", **settings).is_generated


def test_record_survives_the_disk_and_makes_a_table(root, tmp_path):
    run(root, out=tmp_path / "results" / "trained.json")
    run(root, embed=lambda batch: torch.ones(len(batch.ids), 4), out=tmp_path / "results" / "untrained.json")
    assert EvalResult.load(tmp_path / "results" / "trained.json").task("emotion").metrics["accuracy"] == 1.0
    (table,) = compare(load_results([tmp_path / "results"]))
    assert [row.name for row in table.rows] == ["majority", "trained", "untrained"]
    assert [column.title for column in table.columns[:2]] == ["emotion accuracy %", "emotion uar %"]


def test_probes_saved_among_results_are_not_taken_for_results(root, tmp_path):
    run(root, out=tmp_path / "both" / "trained.json", heads=tmp_path / "both")
    assert (tmp_path / "both" / "emotion.json").is_file()
    assert [name for name, _ in load_results([tmp_path / "both"])] == ["trained"]


def test_heads_are_saved_for_later_use(root, tmp_path):
    run(root, heads=tmp_path / "heads")
    saved = load_head(tmp_path / "heads" / "emotion.safetensors")
    head = saved.probe
    assert head.classes == EMOTIONS
    assert saved.fitted_on == "theatre, task emotion, protocol paper"
    assert (saved.reads.model, saved.reads.features) == ("oracle", "video")
    assert head.probabilities(np.eye(7)).argmax(axis=1).tolist() == list(range(7))


def test_file_that_is_no_result_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(MienError, match=r"a\.json is not a result"):
        EvalResult.load(tmp_path / "a.json")
    with pytest.raises(MienError, match="no results to make a table of"):
        load_results([])


def test_unknown_split_and_benchmark_are_refused_with_what_there_is(root):
    with pytest.raises(MienError, match="no split 'dev'; it has train, test"):
        run(root, split="dev")
    with pytest.raises(MienError, match="no benchmark 'BoLT'; did you mean 'bold'"):
        load_benchmark("BoLT")


def test_split_that_probes_are_fitted_on_is_not_scored(root):
    with pytest.raises(MienError, match="fits its probes on 'train'; score them on another split"):
        run(root, split="train")


def test_split_without_truth_files_is_refused(root):
    for file in (root / "test").iterdir():
        file.unlink()
    with pytest.raises(MienError, match="what `mien theatre` wrote"):
        run(root)


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_benchmark_has_a_protocol_whose_probes_find_their_labels(name):
    benchmark = load_benchmark(name)
    protocol = benchmark.protocol()
    assert benchmark.name == name
    assert {protocol.train_split, *protocol.report} <= set(benchmark.splits)
    classes = {"multinomial": benchmark.classes.category, "one_vs_rest": benchmark.classes.scores,
               "ridge": benchmark.classes.vad}  # fmt: skip
    assert all(classes[task.probe.kind] for task in protocol.tasks)


def test_features_are_computed_once_and_labels_read_each_time(root, tmp_path):
    class Remembered(FeatureCache):
        kept: dict = {}  # noqa: RUF012

        def load(self, clips):
            return self.kept.get(tuple(clip.id for clip in clips))

        def save(self, clips, x):
            self.kept[tuple(clip.id for clip in clips)] = x

    calls = []
    cache = Remembered(store=FakeStore(), model={})
    first = run(root, cache=cache, embed=lambda batch: [calls.append(batch), embed(batch)][1])
    num_batches = len(calls)
    path = root / "test" / "0000.truth.json"
    path.write_text(path.read_text().replace('"anger"', '"joy"'))
    second = run(root, cache=cache, embed=lambda batch: [calls.append(batch), embed(batch)][1])
    assert (num_batches, len(calls)) == (20, 20)
    assert first.task("emotion").metrics["accuracy"] == 1.0
    assert second.task("emotion").metrics["accuracy"] == pytest.approx(26 / 28)


def test_sweep_chooses_by_the_protocol_and_the_record_tells_what_was_chosen(root):
    result = run(root, protocol="sweep")
    assert result.task("emotion").probe == {"kind": "multinomial", "C": 0.1}  # all are right; the first of equals
    assert result.protocol["tasks"][0]["sweep"]["held_out"] == 0.2
    assert result.num_train == 28


def test_probes_are_not_chosen_on_the_split_that_is_scored(root):
    theatre = load_benchmark("theatre")
    sweep = {"grid": (1.0, 2.0), "metric": "accuracy", "validation_split": "test"}
    task = Task.model_validate({"name": "emotion", "probe": {"kind": "multinomial", "C": 1}, "sweep": sweep})
    protocol = theatre.protocol().model_copy(update={"tasks": (task,)})

    class Chosen(type(theatre)):  # type: ignore[misc]
        def protocol(self, name="paper"):
            return protocol

    chosen = Chosen(**{name: getattr(theatre, name) for name in theatre.__dataclass_fields__})
    settings = {"root": root, "store": FakeStore(), "embed": embed, "make_loader": make_loader, "model_id": "m"}
    with pytest.raises(MienError, match="chosen on 'test' must not be scored on it"):
        evaluate(chosen, weights_hash="0", **settings)


# ── features ─────────────────────────────────────────────────────────────────────────────────────


def samples_of(*ids: str) -> list[LabeledClip]:
    return [LabeledClip(clip=make_clip(id, text="1"), labels=Labels(category=0)) for id in ids]


def test_features_are_unit_vectors_in_float32_with_their_labels():
    samples = samples_of("a", "b", "c", "d")
    features = extract_features(
        lambda batch: torch.full((len(batch.ids), 4), 3.0).bfloat16(),
        make_loader([s.clip for s in samples]),
        samples=samples,
    )
    np.testing.assert_allclose(features.x, np.full((4, 4), 0.5))
    assert features.x.dtype == np.float32
    assert features.ids == ("a", "b", "c", "d")
    assert features.scores is None
    assert features.category is not None


def test_loader_that_changes_order_or_drops_clips_is_found_out():
    samples = samples_of("a", "b", "c", "d")
    clips = [s.clip for s in samples]
    with pytest.raises(MienError, match="'b' at position = 0 where 'a' belongs"):
        extract_features(embed, make_loader([clips[1], clips[0], *clips[2:]]), samples=samples)
    with pytest.raises(MienError, match="gave 3 clips where 4"):
        extract_features(embed, make_loader(clips[:3]), samples=samples)


def test_broken_embedding_is_named_by_its_clip():
    samples = samples_of("a", "b")
    broken = torch.tensor([[1.0, 0.0], [1.0, torch.nan]])
    with pytest.raises(MienError, match="clip 'b' is not finite"):
        extract_features(lambda batch: broken, make_loader([s.clip for s in samples]), samples=samples)


@pytest.mark.parametrize(("kind", "have"), [("multinomial", "scores"), ("one_vs_rest", "vad"), ("ridge", "category")])
def test_task_whose_labels_no_clip_has_is_refused_by_name(kind, have):
    labels = {"category": 0, "scores": (1.0,), "vad": (1.0,)}
    samples = [replace(sample, labels=Labels(**{have: labels[have]})) for sample in samples_of("a", "b")]
    features = features_of(np.eye(2, dtype=np.float32), samples=samples)
    strength = {"alpha": 1.0} if kind == "ridge" else {"C": 1.0}
    sweep = {"grid": (1.0, 2.0), "metric": "any", "held_out": 0.5}
    task = Task.model_validate({"name": "t", "probe": {"kind": kind, **strength}})
    with pytest.raises(MienError, match=r"task 't' wants labels .* it is fitted on have none; take another"):
        run_task(task, classes=ClassNames(), train=features, test=features)
    swept = Task.model_validate(task.model_dump() | {"sweep": sweep})
    with pytest.raises(MienError, match="task 't' wants labels"):
        choose(swept, classes=ClassNames(), train=features, validation=features)


def test_label_that_only_some_clips_have_is_refused():
    samples = samples_of("a", "b")
    samples[1] = replace(samples[1], labels=Labels())
    with pytest.raises(MienError, match="1 of 2 clips have no category, 'b' first"):
        extract_features(embed, make_loader([s.clip for s in samples]), samples=samples)


def test_unknown_emotion_in_a_truth_file_is_skipped_with_its_name(root):
    path = root / "test" / "0000.truth.json"
    path.write_text(path.read_text().replace('"anger"', '"bliss"'))
    release = load_benchmark("theatre").read(root, "test")
    assert (len(release.samples), len(release.skipped)) == (26, 2)
    assert "'bliss' is none of anger" in release.skipped[0].reason
    assert len(CATEGORIES) == len(release.samples[0].labels.scores or ())


def test_damaged_truth_file_is_named(root):
    (root / "test" / "0000.truth.json").write_text('{"utterances": [{}]}')
    with pytest.raises(MienError, match=r"0000\.truth\.json is not a theatre's truth"):
        read_truth(root / "test" / "0000.truth.json")
