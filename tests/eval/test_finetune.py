import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_finetune import tiny_mien
from tiny_views import ENCODER
from torch import nn
from typer.testing import CliRunner

from mien.cli import app
from mien.config import validate
from mien.data.store import Store
from mien.eval.benchmarks import BENCHMARKS, load_benchmark
from mien.eval.benchmarks.base import Benchmark
from mien.eval.benchmarks.fakes import write_fake
from mien.eval.benchmarks.release import Release
from mien.eval.features import features_of
from mien.eval.finetune import CHOOSE_BY, Finetune
from mien.eval.head import load_head
from mien.eval.probe import LinearProbe
from mien.eval.protocol import Protocol, Task, protocol_names
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult
from mien.eval.run import evaluate
from mien.eval.tuned import score_head
from mien.hub import weights_hash
from mien.inference import Mien
from mien.methods.supervised import Supervised, Tower
from mien.models.layer_depth import head_depth, layer_depths
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.train.epochs import BestEpoch, EpochDone, say_nothing
from mien.train.finetune import Finetuning
from mien.train.layer_decay import build_decayed_optimizer
from mien.train.targets import share_of, targets_of
from mien.train.trainer import Interrupted
from mien.types import Clip, ClipBatch, LabeledClip, Labels, MienError
from tests.eval.pictures_of_xor import XOR, write_xor_store

QUICK: dict[str, Any] = {
    "kind": "finetune", "epochs": 2, "batch_size": 32, "lr": 1e-2, "layer_decay": 0.9, "warmup_epochs": 1,
    "augment": {"crop": 1.0, "horizontal_flip": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_xor_store(tmp_path_factory.mktemp("xor"))


def fine_tuned(store: Store, run: Path, *, on_epoch=say_nothing, benchmark=XOR, **settings) -> EvalResult:
    base = tiny_mien()
    task = {"name": "emotion", "probe": QUICK | settings}
    protocol = {"name": "finetune", "source": "", "train_split": "train", "report": ["test"], "tasks": [task]}
    return evaluate(
        benchmark,
        root=run,
        store=store,
        embed=base.embed_batch,
        make_loader=lambda clips: base.loader(store, clips),
        model_id="tiny",
        weights_hash="0",
        protocol=validate(Protocol, protocol, source="the test"),
        fine_tune=Finetuning(
            base=base, store=store, run=run, features="video", told={"model": "0"}, trained_on="XOR", on_epoch=on_epoch
        ),
    )


def probed(store: Store, root: Path, mien: Mien) -> float:
    result = evaluate(
        XOR,
        root=root,
        store=store,
        embed=mien.embed_batch,
        make_loader=lambda clips: mien.loader(store, clips),
        model_id="tiny",
        weights_hash="0",
    )
    accuracy = result.task("emotion").metrics["accuracy"]
    assert accuracy is not None
    return accuracy


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "emotion" / "model" / "model.safetensors")


@pytest.mark.slow
def test_what_probes_of_random_features_do_not_find_is_learnt_and_kept(store, tmp_path):
    result = fine_tuned(store, tmp_path, epochs=8, choose_on="val").task("emotion")
    assert result.metrics["accuracy"] >= 0.95
    assert probed(store, tmp_path, tiny_mien()) < 0.8
    assert result.majority["accuracy"] == 0.5
    assert result.confusion is not None
    assert sum(map(sum, result.confusion)) == 48
    assert {"low", "high"} <= set(result.intervals["accuracy"].model_dump())
    tuned = Mien.from_pretrained(tmp_path / "emotion" / "model", device="cpu")
    assert tuned.config.clip.num_frames == 1  # of a picture
    assert "XOR" in tuned.config.trained_on
    assert probed(store, tmp_path, tuned) >= 0.95


@pytest.mark.slow
def test_head_beside_the_model_scores_what_the_record_tells(store, tmp_path):
    result = fine_tuned(store, tmp_path).task("emotion")
    tuned = Mien.from_pretrained(tmp_path / "emotion" / "model", device="cpu")
    saved = load_head(tmp_path / "emotion" / "head.safetensors")
    saved.require_weights(weights_hash(tmp_path / "emotion" / "model"), model="the tuned one")
    head = saved.probe
    samples = XOR.read(tmp_path, "test").samples
    clips = [store.clip(s.video, start_s=0.0, end_s=1.0, text="", id=s.id) for s in samples]
    rows = torch.cat([torch.nn.functional.normalize(tuned.embed_batch(b), dim=-1) for b in tuned.loader(store, clips)])
    right = head.probabilities(rows.numpy()).argmax(axis=1) == [s.labels.category for s in samples]
    assert result.metrics["accuracy"] == pytest.approx(right.mean())
    assert head.classes == ("alike", "odd")


# ── the run ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_stopped_run_goes_on_to_the_weights_and_scores_of_an_undisturbed_one(store, tmp_path):
    def stop(done: EpochDone) -> None:
        if done.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    published = {
        "mix": {"mixup": 0.8, "cutmix": 1.0},
        "drop_path": 0.2,
        "augment": {"distort": {"random_operations": 2}},
    }
    settings = {"epochs": 3, "choose_on": "val", "ema_decay": 0.9, "accumulate": 2} | published
    with pytest.raises(Interrupted, match="after step 3"):
        fine_tuned(store, tmp_path / "cut", on_epoch=stop, **settings)
    cut = fine_tuned(store, tmp_path / "cut", **settings)
    whole = fine_tuned(store, tmp_path / "whole", **settings)
    assert cut.tasks == whole.tasks
    ours, theirs = weights(tmp_path / "cut"), weights(tmp_path / "whole")
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert fine_tuned(store, tmp_path / "whole", **settings).tasks == whole.tasks  # of a finished run
    with pytest.raises(MienError, match=r"other settings.*\n  lr: 0.01 then, 0.02 now"):
        fine_tuned(store, tmp_path / "whole", lr=0.02, **settings)


@pytest.mark.slow
def test_epoch_that_scores_best_on_validation_is_kept_and_without_it_the_last(store, tmp_path):
    heard = list[EpochDone]()
    result = fine_tuned(store, tmp_path / "chosen", epochs=4, lr=3e-2, choose_on="val", on_epoch=heard.append)
    told = result.task("emotion").finetune
    assert told is not None
    scores = [done.score for done in heard]
    assert (told.chosen_on, told.chosen_by, told.epochs) == ("val", "accuracy", 4)
    assert list(told.scores) == scores
    assert told.epoch == 1 + int(np.argmax(scores))
    assert len(set(scores)) > 1
    last = fine_tuned(store, tmp_path / "last", epochs=4, lr=3e-2).task("emotion").finetune
    assert last is not None
    assert (last.epoch, last.chosen_on, last.chosen_by, last.scores) == (4, None, None, ())
    assert last.told() == "fine-tuned on 96 samples, epoch 4 of 4, the last, not chosen"
    assert f"epoch {told.epoch} of 4, the best by accuracy on val" in result_table([("chosen", result)])


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "metric"), [("scores", "macro_map"), ("vad", "r2")])
def test_labels_that_go_together_and_numbers_are_learnt_too(store, tmp_path, labels, metric):
    result = fine_tuned(store, tmp_path, labels=labels, epochs=8, choose_on="val").task("emotion")
    told = result.finetune
    assert told is not None
    assert told.chosen_by == metric
    if labels == "scores":
        assert result.metrics["macro_map"] >= 0.95
    else:
        valence, arousal = result.per_class["mse"]
        assert valence < 0.3  # of a variance of 1
        assert arousal < 0.1  # always 5
    assert result.majority[metric] is not None


@pytest.mark.slow
def test_share_of_train_is_trained_on_and_the_record_says_of_how_many(store, tmp_path):
    result = fine_tuned(store, tmp_path, fraction=0.25, batch_size=8, epochs=1)
    told = result.task("emotion").finetune
    assert told is not None
    assert (told.num_fitted, told.num_frames, result.num_train) == (24, 1, 96)
    with pytest.raises(MienError, match="fewer than a batch of 32; give `mien finetune` batch_size=24"):
        fine_tuned(store, tmp_path / "few", fraction=0.25)


def test_split_to_choose_on_is_neither_trained_on_nor_scored(store, tmp_path):
    with pytest.raises(MienError, match="must not be scored on it"):
        fine_tuned(store, tmp_path, choose_on="test")
    with pytest.raises(MienError, match="choose_on wants another split"):
        fine_tuned(store, tmp_path, choose_on="train")


def relabelled(split: str, change: Callable[[Labels], Labels]) -> Benchmark:
    """XOR with other labels in one of its splits."""

    def read(root: Path, name: str) -> Release:
        release = XOR.read(root, name)
        samples = tuple(replace(s, labels=change(s.labels)) if name == split else s for s in release.samples)
        return replace(release, samples=samples)

    return replace(XOR, read=read)


@pytest.mark.parametrize(("split", "role"), [("train", "fitted on"), ("val", "chosen on"), ("test", "scored on")])
def test_split_without_labels_is_refused_before_anything_is_trained(store, tmp_path, split, role):
    unlabelled = relabelled(split, lambda labels: Labels())
    with pytest.raises(MienError, match=f"the clips it is {role} have none"):
        fine_tuned(store, tmp_path, benchmark=unlabelled, choose_on="val")
    assert [*tmp_path.iterdir()] == []


def test_metric_that_the_labels_to_choose_on_do_not_have_is_refused_before_anything_is_trained(store, tmp_path):
    one_class = relabelled("val", lambda labels: replace(labels, category=0))
    with pytest.raises(MienError, match="macro_auc, which does not exist for the labels of 'val'; set another"):
        fine_tuned(store, tmp_path, benchmark=one_class, choose_on="val", choose_by="macro_auc")
    with pytest.raises(MienError, match="top3_accuracy, which does not exist for the labels of 'val'"):
        fine_tuned(store, tmp_path, choose_on="val", choose_by="top3_accuracy")  # of two classes
    no_positive = relabelled("val", lambda labels: replace(labels, scores=(0.0, 0.0)))
    with pytest.raises(MienError, match="macro_map, which does not exist"):
        fine_tuned(store, tmp_path, benchmark=no_positive, choose_on="val", labels="scores")
    assert [*tmp_path.iterdir()] == []


def test_several_processes_are_refused(store, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(MienError, match="without torchrun"):
        fine_tuned(store, tmp_path)


# ── its parts ────────────────────────────────────────────────────────────────────────────────────


def test_depth_is_counted_from_the_pixels_to_the_head():
    depths = layer_depths(tiny_mien().model)
    expected = {
        "vision.patch_embedding.weight": 0, "vision.class_embedding": 0, "vision.position_embedding": 0,
        "vision.pre_norm.weight": 0, "vision.post_norm.weight": 3, "vision.projection": 3,
        "temporal.position_embedding": 3, "temporal.encoder.norm.weight": 5,
    }  # fmt: skip
    assert {name: depths[name] for name in expected} == expected
    blocks = {name.split(".")[3]: depth for name, depth in depths.items() if ".blocks." in name}
    layers = {name.split(".")[3]: depth for name, depth in depths.items() if "encoder.layers." in name}
    assert (blocks, layers) == ({"0": 1, "1": 2}, {"0": 4, "1": 5})
    assert not [name for name in depths if name.startswith("text.") or name == "logit_scale"]
    assert head_depth(depths) == 6
    of_frames = layer_depths(tiny_mien().model, features="frame")
    assert (max(of_frames.values()), head_depth(of_frames)) == (3, 4)


def test_model_without_known_blocks_has_one_depth():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    depths = layer_depths(model)
    assert set(depths.values()) == {0}
    assert head_depth(depths) == 0


def test_rate_shrinks_by_the_factor_a_layer_and_gains_have_no_weight_decay():
    layers = [("a.weight", torch.nn.Parameter(torch.ones(2, 2))), ("a.bias", torch.nn.Parameter(torch.ones(2))),
              ("head.weight", torch.nn.Parameter(torch.ones(2, 2)))]  # fmt: skip
    optimizer = build_decayed_optimizer(
        layers, depths={"a.weight": 1, "a.bias": 1, "head.weight": 3}, lr=0.8, weight_decay=0.1, layer_decay=0.5
    )
    rates = {id(p): (g["peak_lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert [rates[id(p)] for _, p in layers] == [(0.2, 0.1), (0.2, 0.0), (0.8, 0.1)]


def supervised(**changes) -> Supervised:
    settings: dict[str, Any] = {
        "embed": lambda model, batch: model(batch.frames.float().mean(dim=(1, 3, 4))), "width": 3, "num_outputs": 2,
        "labels": "category", "ids": ("a", "b"), "targets": torch.tensor([1, 0]),
    }  # fmt: skip
    torch.manual_seed(0)
    return Supervised(torch.nn.Linear(3, 3), **settings | changes)


def batch_of(*ids: str) -> ClipBatch:
    generator = torch.Generator().manual_seed(1)
    return ClipBatch(
        frames=torch.randint(0, 256, (len(ids), 1, 3, 2, 2), dtype=torch.uint8, generator=generator),
        boxes=torch.zeros(len(ids), 1, 1, 4),
        token_ids=torch.zeros(len(ids), 0, dtype=torch.int64),
        sentiment_logits=torch.zeros(len(ids), 7),
        ids=ids,
    )


def test_loss_is_that_of_the_labels_of_the_batch():
    method, batch = supervised(label_smoothing=0.2, class_weights=torch.tensor([0.5, 3.0])), batch_of("b", "a")
    log_p = method.embeddings(batch)["outputs"].log_softmax(dim=1)
    first = -(0.9 * log_p[0, 0] + 0.1 * log_p[0, 1]) * 0.5  # b is of class 0
    second = -(0.9 * log_p[1, 1] + 0.1 * log_p[1, 0]) * 3.0
    assert method(batch).loss.item() == pytest.approx(((first + second) / 2).item(), rel=1e-5)


def test_running_mean_follows_the_weights_and_is_what_is_deployed():
    method = supervised(ema_decay=0.5)
    before = method.deployed.head.weight.clone()
    with torch.no_grad():
        method.trained.head.weight += 1.0
    for _ in range(20):
        method.after_step()
    assert method.deployed is not method.trained
    assert torch.allclose(method.deployed.head.weight, method.trained.head.weight, atol=1e-4)
    assert not torch.equal(method.deployed.head.weight, before)
    assert (plain := supervised()).deployed is plain.trained


def test_best_epoch_is_the_first_of_the_best_and_outlives_the_process(tmp_path):
    best = BestEpoch(tmp_path / "best.safetensors")
    for epoch, score in enumerate((float("nan"), 0.5, 0.7, 0.7, 0.6), start=1):
        best.offer({"w": torch.full((1,), float(epoch))}, epoch=epoch, score=score)
    again = BestEpoch(tmp_path / "best.safetensors")
    assert (best.epoch, again.epoch, again.score) == (3, 3, 0.7)
    assert load_file(tmp_path / "best.safetensors")["w"].item() == 3
    errors = BestEpoch(tmp_path / "errors.safetensors", less_is_better=True)
    for epoch, score in enumerate((0.5, 0.4, 0.6), start=1):
        errors.offer({"w": torch.ones(1)}, epoch=epoch, score=score)
    assert errors.epoch == 2


def samples_of(*categories: int) -> list[LabeledClip]:
    clip = Clip(id="0", video="v", start_frame=0, end_frame=1, start_s=0, end_s=1, text="",
                sentiment_logits=(0.0,) * 7, person_share=0.0)  # fmt: skip
    return [
        LabeledClip(clip=replace(clip, id=str(i)), labels=Labels(category=c, vad=(float(c), 5.0)))
        for i, c in enumerate(categories)
    ]


def test_share_takes_as_much_of_each_class_and_smaller_shares_are_in_larger_ones():
    samples = samples_of(*[0] * 40, *[1] * 20, 2)
    few, more = (share_of(samples, labels="category", fraction=fraction, seed=3) for fraction in (0.1, 0.5))
    assert np.bincount([s.labels.category for s in few]).tolist() == [4, 2, 1]
    assert {s.clip.id for s in few} <= {s.clip.id for s in more}
    assert share_of(samples, labels="category", fraction=1.0, seed=3) == tuple(samples)
    assert {s.clip.id for s in share_of(samples, labels="category", fraction=0.1, seed=4)} != {s.clip.id for s in few}


def test_class_weights_let_each_class_count_alike_and_are_one_on_the_mean():
    targets = targets_of(samples_of(0, 0, 0, 2), "category", positive_at=0.5, task="t")
    weights = targets.class_weights(3)
    assert weights.tolist() == pytest.approx([4 / 6, 0, 2])
    assert weights[targets.values].mean().item() == pytest.approx(1)


def test_numbers_are_scaled_and_the_scale_is_kept():
    targets = targets_of(samples_of(1, 3), "vad", positive_at=0.5, task="t")
    assert targets.values.tolist() == [[-1, 0], [1, 0]]
    mean, deviation = targets.scale
    assert (mean.tolist(), deviation.tolist()) == ([2, 5], [1, 1])
    with pytest.raises(MienError, match=r"'t' wants labels \(scores\), and the clips it is fitted on have none"):
        targets_of(samples_of(1, 3), "scores", positive_at=0.5, task="t")


def test_epochs_are_chosen_by_the_scores_that_there_are():
    features = features_of(np.eye(2, dtype=np.float32), samples=samples_of(0, 1))
    features = replace(features, scores=np.eye(2, dtype=np.float32))
    for labels, kind in (("category", "multinomial"), ("scores", "one_vs_rest"), ("vad", "ridge")):
        head = LinearProbe(weight=np.eye(2), bias=np.zeros(2), kind=kind, classes=("a", "b"))
        task = Task.model_validate({"name": "t", "probe": QUICK | {"labels": labels}})
        of_two_classes = set(CHOOSE_BY[labels]) - {"top3_accuracy"}
        assert set(score_head(head, features, task=task, labels=labels)) == of_two_classes
    with pytest.raises(MienError, match="choose_by 'r2' is none of accuracy, uar"):
        validate(Finetune, {"choose_by": "r2"}, source="here")


def test_settings_that_do_not_go_are_refused():
    with pytest.raises(MienError, match="give each part 2 clips or more"):
        validate(Finetune, {"batch_size": 8, "accumulate": 8}, source="here")
    with pytest.raises(MienError, match="class_weights go with labels: category, not vad"):
        validate(Finetune, {"labels": "vad", "class_weights": True}, source="here")
    protocol = {"name": "p", "source": "", "train_split": "train", "report": ["test"]}
    tasks = [{"name": "a", "probe": {"kind": "finetune"}}, {"name": "b", "probe": {"kind": "ridge", "alpha": 1}}]
    with pytest.raises(MienError, match="fine-tunes; give b a protocol of their own"):
        validate(Protocol, protocol | {"tasks": tasks}, source="here")


@pytest.mark.parametrize(
    "name", [n for n in BENCHMARKS if "finetune" in protocol_names(load_benchmark(n).protocols or n)]
)
def test_shipped_protocols_fit_their_benchmarks(name):
    benchmark = load_benchmark(name)
    protocol, paper = benchmark.protocol("finetune"), benchmark.protocol()
    assert (protocol.train_split, protocol.report[0]) == (paper.train_split, paper.report[0])
    assert protocol.is_fine_tuned
    assert all(task.labels != "text" and benchmark.classes.of(task.labels) for task in protocol.tasks)


def test_recipe_of_uniemox_is_what_was_published_and_chooses_its_epoch_on_validation():
    sets = {name: load_benchmark(name) for name in ("emotion6", "fi", "unbiasedemo", "heco", "emo8", "emoset")}
    for benchmark in sets.values():
        protocol = benchmark.protocol("uniemox")
        assert set(protocol.splits()) == {"train", "val", "test"} <= set(benchmark.splits)
        settings = protocol.tasks[0].probe
        assert isinstance(settings, Finetune)
        assert (settings.epochs, settings.warmup_epochs, settings.layer_decay) == (100, 5, 0.75)
        assert (settings.mix.mixup, settings.mix.cutmix) == (0.8, 1.0)
        assert (settings.label_smoothing, settings.drop_path, settings.choose_on) == (0.1, 0.2, "val")
        assert settings.augment is not None
        assert settings.augment.distort.random_operations > 0
        assert settings.augment.distort.erase > 0


def test_masked_autoencoder_is_fine_tuned_from_the_mean_of_its_patches():
    torch.manual_seed(0)
    model = VideoClip(VideoClipConfig.model_validate(ENCODER))
    tower = Tower(model, width=16, num_outputs=3)
    nn.init.normal_(model.vision.post_norm.weight)
    pixels = torch.randn(2, 1, 3, 16, 16)
    tokens = model.vision.encode(model.vision.embed(pixels[:, 0]))
    normed = model.vision.post_norm(tokens[:, 1:].mean(dim=1))
    scaled = normed / normed.square().mean(dim=1, keepdim=True).sqrt()
    expected = scaled @ tower.head.weight.T + tower.head.bias
    found = tower.outputs(model.encode_video(pixels, torch.ones(2, 1, 4, 4)))
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_verb_trains_on_a_release_and_writes_model_head_and_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fer = load_benchmark("ferplus")
    write_fake(fer, tmp_path / "fer")
    base = tiny_mien()
    base.save_pretrained(tmp_path / "model")
    options = ["--model", "model", "--root", "fer", "--out", "run"]
    settings = ["epochs=1", "batch_size=8", "choose_on=val"]
    ran = CliRunner().invoke(app, ["finetune", "ferplus", *options, *settings])
    assert ran.exit_code == 0, ran.output
    result = EvalResult.load(tmp_path / "run" / "result.json")
    assert result.protocol["name"] == "finetune epochs=1 batch_size=8 choose_on=val"
    assert "num_frames" not in result.reading
    head = load_head(tmp_path / "run" / "emotion" / "head.safetensors").probe
    assert head.classes == fer.classes.category
    Mien.from_pretrained(tmp_path / "run" / "emotion" / "model", device="cpu")
    told = json.loads((tmp_path / "run" / "emotion" / "finetune.json").read_text())
    assert (told["benchmark"], told["epochs"], told["choose_on"]) == ("ferplus", 1, "val")
    refused = CliRunner().invoke(app, ["finetune", "ferplus", *options, "--protocol", "paper", "epochs=1"])
    assert refused.exit_code == 1
    assert "fine-tunes nothing" in refused.output
