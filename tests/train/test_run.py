"""A training run through its entry point: it learns, resumes bitwise, is exact over ranks, refuses nonsense."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest
import torch
from tiny_run import assert_same_weights, config, losses, weights
from tiny_store import write_store

from mien.checkpoint import checkpoints
from mien.config import validate
from mien.hub import load_model
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig, train
from mien.train.trainer import Interrupted
from mien.types import MienError

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", num_videos=4).path


def test_run_leaves_config_metrics_checkpoints_and_a_loadable_model(store: Path, tmp_path: Path) -> None:
    model = train(config(store, evaluate_every=3), tmp_path / "run")
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows if "eval/recall@1" in row] == [3, 6]
    assert {"grad_norm", "logit_scale", "negatives_suppressed", "clips_per_s", "data_wait", "lr"} <= rows[0].keys()
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000003", "step-00000006"]
    loaded, folder, tokenizer = load_model(model)
    assert tokenizer is not None
    assert folder.architecture == loaded.config == config(store).method.model


def test_loss_falls_when_four_pairs_are_learnt_by_heart(store: Path, tmp_path: Path) -> None:
    train(config(store, steps=60, checkpoint_every=60), tmp_path / "run")
    values = losses(tmp_path / "run")
    assert sum(values[-10:]) < 0.7 * sum(values[:10])


def test_same_seed_gives_bitwise_the_same_run_and_another_seed_another(store: Path, tmp_path: Path) -> None:
    train(config(store), tmp_path / "a")
    train(config(store), tmp_path / "b")
    train(config(store, seed=1), tmp_path / "c")
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    assert losses(tmp_path / "a") != losses(tmp_path / "c")


def test_resumed_run_ends_bitwise_where_the_undisturbed_one_ends(store: Path, tmp_path: Path) -> None:
    train(config(store), tmp_path / "whole")

    class Killed(Exception): ...

    def kill(step: int, row: dict[str, float]) -> None:
        if step == 5:
            raise Killed

    with pytest.raises(Killed):
        train(config(store), tmp_path / "cut", on_step=kill)
    assert [path.name for path in checkpoints(tmp_path / "cut" / "checkpoints")] == ["step-00000003"]
    train(config(store), tmp_path / "cut")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")


def test_ctrl_c_writes_a_checkpoint_and_the_same_call_completes(store: Path, tmp_path: Path) -> None:
    def press(step: int, row: dict[str, float]) -> None:
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="after step 2"):
        train(config(store), tmp_path / "cut", on_step=press)
    assert [path.name for path in checkpoints(tmp_path / "cut" / "checkpoints")] == ["step-00000002"]
    train(config(store), tmp_path / "cut")
    train(config(store), tmp_path / "whole")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")


def test_half_written_checkpoint_is_not_taken_for_one(store: Path, tmp_path: Path) -> None:
    train(config(store), tmp_path / "run")
    half = tmp_path / "run" / "checkpoints" / "step-00000009.partial"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    train(config(store), tmp_path / "run")
    assert len(losses(tmp_path / "run")) == 6


def test_zero_steps_give_the_untrained_model(store: Path, tmp_path: Path) -> None:
    train(config(store, steps=0), tmp_path / "untrained")
    train(config(store, steps=1), tmp_path / "trained")
    a, b = weights(tmp_path / "untrained"), weights(tmp_path / "trained")
    assert any(not torch.equal(a[name], b[name]) for name in a)


def test_run_of_other_settings_is_refused_and_the_difference_named(store: Path, tmp_path: Path) -> None:
    train(config(store, steps=1), tmp_path / "run")
    with pytest.raises(MienError, match=r"train\.steps: 1 then, 2 now"):
        train(config(store, steps=2), tmp_path / "run")


def test_run_that_failed_before_its_first_step_may_be_started_with_other_settings(store: Path, tmp_path: Path) -> None:
    with pytest.raises(MienError, match="too few"):
        train(config(store, batch_size=64), tmp_path / "run")
    train(config(store, batch_size=2), tmp_path / "run")


def test_run_over_other_clips_than_it_began_with_is_not_resumed(store: Path, tmp_path: Path) -> None:
    def press(step: int, row: dict[str, float]) -> None:
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train(config(store), tmp_path / "run", on_step=press)
    other = write_store(tmp_path / "other", num_videos=5).path
    store.rename(tmp_path / "moved")
    other.rename(store)
    with pytest.raises(MienError, match="holds other clips than when"):
        train(config(store), tmp_path / "run")


def test_throughput_leaves_out_evaluation_and_counts_every_step(store: Path, tmp_path: Path) -> None:
    train(config(store, log_every=4, evaluate_every=3), tmp_path / "run")
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "clips_per_s" in row]
    assert [row["step"] for row in rows] == [4, 6]
    assert all(0 <= row["data_wait"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"clip": {"num_frames": 3}}}, r"data\.clip\.num_frames is 3"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"data": {"validation": None}, "train": {"evaluate_every": 2}}, r"needs data\.validation"),
        ({"method": {"model": {"saam_layers": 1}}}, "needs subject: saam"),
        ({"data": {"clip": {"subject": "speeker"}}}, "subject"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_done(
    store: Path, change: dict[str, object], message: str
) -> None:
    def merged(base: dict, over: dict) -> dict:
        nested = {k: merged(base[k], v) if isinstance(v, dict) and k in base else v for k, v in over.items()}
        return base | nested

    with pytest.raises(MienError, match=message):
        validate(RunConfig, merged(config(store).model_dump(), change), source="the test")


def test_gpu_that_is_not_there_is_named(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MienError, match="torch finds no GPU"):
        train(config(store, device="cuda"), tmp_path / "run")


def test_clips_in_training_and_validation_both_are_refused(store: Path, tmp_path: Path) -> None:
    both = config(store).model_dump()
    both["data"]["validation"]["videos"] = "*"
    with pytest.raises(MienError, match=r"in data\.filter and in data\.validation both"):
        train(validate(RunConfig, both, source="the test"), tmp_path / "run")


def test_refused_run_leaves_no_folder_and_missing_weights_are_told_before_missing_clips(
    store: Path, tmp_path: Path
) -> None:
    refused = config(store).model_dump() | {"init_from": str(tmp_path / "nowhere")}
    refused["data"]["store"] = tmp_path / "no-store"
    with pytest.raises(MienError, match=r"no model folder at .*nowhere"):
        train(validate(RunConfig, refused, source="the test"), tmp_path / "run")
    with pytest.raises(MienError, match="no store at"):
        train(validate(RunConfig, refused | {"init_from": None}, source="the test"), tmp_path / "run")
    both = config(store).model_dump()
    both["data"]["validation"]["videos"] = "*"
    with pytest.raises(MienError, match=r"are in data\.filter"):
        train(validate(RunConfig, both, source="the test"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_accumulated_parts_make_one_step_of_the_same_size(store: Path, tmp_path: Path) -> None:
    train(config(store, accumulate=2), tmp_path / "run")
    assert len(losses(tmp_path / "run")) == 6


def test_bfloat16_trains_on_the_cpu_too(store: Path, tmp_path: Path) -> None:
    train(config(store, precision="bfloat16"), tmp_path / "run")
    assert all(torch.isfinite(torch.tensor(losses(tmp_path / "run"))))


def test_training_starts_from_another_model_and_refuses_another_architecture(store: Path, tmp_path: Path) -> None:
    start = train(config(store, steps=1), tmp_path / "start")
    onward = config(store, steps=0).model_dump() | {"init_from": str(start)}
    train(validate(RunConfig, onward, source="the test"), tmp_path / "same")
    assert_same_weights(tmp_path / "start", tmp_path / "same")
    onward["method"]["model"]["vision"]["layers"] = 1
    with pytest.raises(MienError, match=r"other towers"):
        train(validate(RunConfig, onward, source="the test"), tmp_path / "other")


def test_metrics_cut_off_in_the_middle_of_a_line_are_read_up_to_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1, "loss": 2.0}) + '\n{"step": 2, "lo', encoding="utf-8")
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]


def test_training_in_a_thread_works_without_signals(store: Path, tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(config(store, steps=1), tmp_path / "run"))
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "model" / "config.json").is_file()


def test_run_of_gains_and_biases_leaves_the_weights_and_resumes_bitwise(store: Path, tmp_path: Path) -> None:
    def press(step: int, row: dict[str, float]) -> None:
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    train(config(store, steps=0), tmp_path / "untrained")
    train(config(store, optim={"train": "gains_and_biases"}), tmp_path / "whole")
    before, after = weights(tmp_path / "untrained"), weights(tmp_path / "whole")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert {after[name].ndim for name in changed} == {1}
    with pytest.raises(Interrupted):
        train(config(store, optim={"train": "gains_and_biases"}), tmp_path / "cut", on_step=press)
    train(config(store, optim={"train": "gains_and_biases"}), tmp_path / "cut")
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")
