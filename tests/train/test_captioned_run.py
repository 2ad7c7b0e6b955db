"""A run of EmoCapCLIP through its entry point: it learns, resumes bitwise, exports a model, names what does not fit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import start
from tiny_captions import by_hand, captioned_batch, captioned_config, derived, write_tiny_captions
from tiny_run import MODEL, assert_same_weights, config, losses, weights
from tiny_store import write_store

from mien.captions.record import write_captions
from mien.checkpoint import checkpoints
from mien.config import validate
from mien.hub import load_model
from mien.inference import Mien
from mien.text import Tokenizer
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig, RunSummary, train
from mien.train.validation import validation_scores
from mien.types import MienError

pytestmark = pytest.mark.slow

METHOD: dict[str, Any] = {
    "kind": "emocapclip",
    "grayscale": True,
    "ema_decay": 0.9,
    "mining": {"space": "both", "theta_text": 50.0, "theta_image": 50.0, "warmup_steps": 4},
    "model": MODEL
    | {
        "subject": "vanilla",
        "temporal": {"kind": "mean"},
        "vision": MODEL["vision"] | {"patch_size": 8, "stem": {"widths": [8, 8, 16], "depths": [1, 1, 1]}},
        "text": MODEL["text"] | {"context_length": 64, "vocab_size": 1000},
    },
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six videos, five of which have a caption."""
    path = write_store(tmp_path / "store", num_videos=6).path
    write_tiny_captions(tmp_path / "captions.jsonl", images=["train/0", "train/1", "train/2", "train/3", "test/0"])
    return path


def captioned(store: Path, *, method: dict[str, Any] | None = None, **settings: Any) -> RunConfig:
    """Six steps of four pictures; `settings` are of `tiny_run.config`."""
    described = config(store, **settings).model_dump()
    data = described["data"] | {
        "captions": {"file": str(store.parent / "captions.jsonl"), "max_local": 2},
        "clip": {"num_frames": 1},
        "augment": {"distort": {"rotation": 10, "light": 0.1}},
    }
    return validate(RunConfig, described | {"method": METHOD | (method or {}), "data": data}, source="the test")


class Killed(Exception): ...


@pytest.mark.slow
def test_run_leaves_losses_and_scores_and_counts_what_has_no_caption(store: Path, tmp_path: Path) -> None:
    told: list[RunSummary] = []
    train(captioned(store, evaluate_every=3), tmp_path / "run", on_start=told.append)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    trained, evaluated = ([row for row in rows if name in row] for name in ("loss", "eval/recall@1"))
    assert [row["step"] for row in trained] == [1, 2, 3, 4, 5, 6]
    assert all(torch.isfinite(torch.tensor([row["loss"], row["grad_norm"]])).all() for row in trained)
    for row in trained:
        parts = row["loss_global"] + row["loss_summary"] + row["loss_local"]
        assert row["loss"] == pytest.approx(parts, rel=1e-5)
    assert [row["step"] for row in evaluated] == [3, 6]
    assert {"eval/loss", "eval/zeroshot_accuracy", "eval/zeroshot_uar"} <= evaluated[0].keys()
    assert (told[0].num_clips, told[0].num_excluded, told[0].num_uncaptioned) == (4, 1, 1)


@pytest.mark.slow
def test_parameters_of_the_running_mean_are_not_counted_twice(store: Path, tmp_path: Path) -> None:
    counts = []
    for decay in (0.0, 0.9):
        told: list[RunSummary] = []
        train(captioned(store, steps=0, method={"ema_decay": decay}), tmp_path / str(decay), on_start=told.append)
        counts.append(told[0].num_parameters)
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_loss_falls_when_four_captioned_pictures_are_learnt_by_heart(store: Path, tmp_path: Path) -> None:
    """By hand, so that the words stay; well below ln 4, what knowing nothing of four pictures gives."""
    write_captions(store.parent / "captions.jsonl", [by_hand(f"train/{i}") for i in range(4)] + [derived("test/0")])
    method = {"grayscale": False, "mining": {"space": "none"}, "local_weight": 0.0, "summary_weight": 0.0}
    described = captioned(store, method=method, steps=80, checkpoint_every=80).model_dump()
    described["data"]["augment"] = {}
    train(validate(RunConfig, described, source="the test"), tmp_path / "run")
    assert sum(losses(tmp_path / "run")[-10:]) / 10 < 0.7 * math.log(4)


@pytest.mark.slow
def test_resumed_run_ends_bitwise_where_the_undisturbed_one_ends(store: Path, tmp_path: Path) -> None:
    """Killed before mining begins, with a mean of weights that must go on as it was."""

    def kill(step: int, row: dict[str, float]) -> None:
        if step == 4:
            raise Killed

    train(captioned(store), tmp_path / "whole")
    with pytest.raises(Killed):
        train(captioned(store), tmp_path / "cut", on_step=kill)
    assert [path.name for path in checkpoints(tmp_path / "cut" / "checkpoints")] == ["step-00000003"]
    train(captioned(store), tmp_path / "cut")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")
    mined = [row["positives"] for row in read_metrics(tmp_path / "cut" / "metrics.jsonl") if "positives" in row]
    assert mined[:4] == [1, 1, 1, 1]
    assert max(mined[4:]) > 1


@pytest.mark.slow
def test_exported_model_embeds_texts_and_pictures_with_its_own_tokenizer(store: Path, tmp_path: Path) -> None:
    model = Mien.from_pretrained(train(captioned(store), tmp_path / "run"))
    assert model.config.preprocess.grayscale
    assert model.tokenizer is not None
    assert model.tokenizer.vocab_size == 1000
    texts = model.encode_text(["an expression of anger.", "an expression of happiness."])
    colours = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    pictures = model.encode_frames(colours)
    assert texts.shape == (2, 16)
    assert pictures.shape == (3, 16)
    grey = (colours.float() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(dim=1, keepdim=True)
    torch.testing.assert_close(
        model.encode_frames(grey.round().to(torch.uint8).expand(3, 3, 32, 32)), pictures, atol=0.02, rtol=0.05
    )


@pytest.mark.slow
def test_what_is_exported_is_the_mean_and_before_any_step_the_model_itself(store: Path, tmp_path: Path) -> None:
    for decay in (0.0, 0.99):
        train(captioned(store, method={"ema_decay": decay}), tmp_path / f"run{decay}")
        assert losses(tmp_path / f"run{decay}") == losses(tmp_path / "run0.0")  # the mean changes nothing trained
    name = "vision.projection"
    assert not torch.equal(weights(tmp_path / "run0.0")[name], weights(tmp_path / "run0.99")[name])
    start = tmp_path / "run0.0" / "model"
    onward = captioned(store, steps=0).model_dump() | {"init_from": str(start)}
    train(validate(RunConfig, onward, source="the test"), tmp_path / "onward")
    assert_same_weights(tmp_path / "run0.0", tmp_path / "onward")


@pytest.mark.slow
def test_gains_and_biases_are_trained_and_the_mean_stays_out_of_the_optimiser(store: Path, tmp_path: Path) -> None:
    train(captioned(store, steps=0), tmp_path / "untrained")
    train(captioned(store, optim={"train": "gains_and_biases"}), tmp_path / "run")
    before, after = weights(tmp_path / "untrained"), weights(tmp_path / "run")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert {after[name].ndim for name in changed} == {1}
    loaded, _, _ = load_model(tmp_path / "run" / "model")
    assert loaded.config == captioned(store).method.model


def test_captions_in_other_words_are_no_continuation(store: Path, tmp_path: Path) -> None:
    def kill(step: int, row: dict[str, float]) -> None:
        if step == 4:
            raise Killed

    with pytest.raises(Killed):
        train(captioned(store), tmp_path / "run", on_step=kill)
    write_captions(store.parent / "captions.jsonl", [by_hand(f"train/{i}") for i in range(4)] + [derived("test/0")])
    with pytest.raises(MienError, match=r"holds other clips, or .*captions\.jsonl other captions, than when"):
        train(captioned(store), tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"captions": None}}, r"method emocapclip learns from captions: give data\.captions\.file"),
        ({"method": {"kind": "emotionclip"}}, r"method emotionclip learns from what is said: remove data\.captions"),
        ({"method": METHOD | {"mining": {"space": "texts"}}}, "space"),
        ({"method": METHOD | {"kind": "emocap"}}, "emocap"),
    ],
)
def test_captions_without_the_method_and_the_method_without_captions_are_refused(
    store: Path, change: dict[str, Any], message: str
) -> None:
    described = captioned(store).model_dump()
    data = described["data"] | change.get("data", {})
    with pytest.raises(MienError, match=message):
        validate(RunConfig, described | change | {"data": data}, source="the test")


def test_filter_that_leaves_no_picture_to_validate_on_is_told_whole(store: Path, tmp_path: Path) -> None:
    described = captioned(store).model_dump()
    described["data"]["validation"]["max_neutral"] = 0.05  # pictures have no sentiment: one in seven
    with pytest.raises(MienError, match=r"passes data\.validation \(.*max_neutral=0\.05"):
        train(validate(RunConfig, described, source="the test"), tmp_path / "run")


def test_scores_of_pictures_nobody_voted_on_are_those_of_recall_alone() -> None:
    method = captioned_config().build().eval()
    batch = captioned_batch()
    unknown = replace(batch, votes=torch.zeros_like(batch.votes))

    class NoPrompts(Tokenizer):
        """The method's own twenty words."""

        def __init__(self) -> None: ...

        def encode(self, texts: Any, *, context_length: int = 77) -> torch.Tensor:
            return batch.token_ids[: len(texts)]

    emotions = ("anger", "fear", "joy", "sadness")
    with torch.inference_mode():
        found = validation_scores(method, [unknown], tokenizer=NoPrompts(), emotions=emotions, device="cpu")
        voted = validation_scores(method, [batch], tokenizer=NoPrompts(), emotions=emotions, device="cpu")
    assert found.keys() == {"loss", "recall@1", "recall@10"}
    assert voted.keys() == found.keys() | {"zeroshot_accuracy", "zeroshot_uar"}


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
def test_two_processes_train_as_one_does(fsdp: bool, store: Path, tmp_path: Path) -> None:
    """The mean of the weights too, whole on each process or in shards."""
    train(captioned(store), tmp_path / "one")
    start(train, captioned(store, fsdp=fsdp), tmp_path / "two", world_size=2)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    expected = weights(tmp_path / "one")
    for name, tensor in weights(tmp_path / "two").items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=1e-4, msg=name)
