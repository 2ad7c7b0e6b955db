"""UniEmoX in several processes, whole on each or in shards, and in micro-batches: the run of one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from processes import start
from tiny_run import weights
from tiny_view_run import of_views, write_taught_store

from mien.train.metrics import read_metrics
from mien.train.run import RunConfig, train

pytestmark = pytest.mark.slow

PARTS = ("loss_profile", "loss_image", "loss_reconstruction")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_taught_store(tmp_path_factory.mktemp("views"))


@pytest.fixture(scope="module")
def one_process(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "one"
    train(ten_steps(store), run)
    return run


def ten_steps(store: Path, **settings: object) -> RunConfig:
    return of_views(store, steps=10, checkpoint_every=10, evaluate_every=5, **settings)


def rows(run: Path, names: tuple[str, ...]) -> list[dict[str, float]]:
    return [{n: row[n] for n in names} for row in read_metrics(run / "metrics.jsonl") if all(n in row for n in names)]


def assert_close(run: Path, other: Path) -> None:
    """Each loss at each step, the held-out ones, and the weights in the end."""
    assert len(rows(run, PARTS)) == 10
    for names in (PARTS, tuple(f"eval/{name}" for name in PARTS)):
        for found, expected in zip(rows(run, names), rows(other, names), strict=True):
            assert found == pytest.approx(expected, rel=2e-3, abs=2e-4)
    for name, tensor in weights(run).items():
        torch.testing.assert_close(tensor, weights(other)[name], rtol=0, atol=2e-3, msg=name)


@pytest.mark.parametrize(
    "settings", [{}, {"fsdp": True}, {"micro_batch": 1}, {"fsdp": True, "micro_batch": 1}], ids=str
)
def test_two_processes_have_each_loss_of_one(
    settings: dict[str, object], store: Path, one_process: Path, tmp_path: Path
) -> None:
    """L1 compares with the texts of the whole batch; DDP or shards, with gradient caching or without."""
    start(train, ten_steps(store, **settings), tmp_path / "run", world_size=2)
    assert_close(tmp_path / "run", one_process)


def test_gradient_caching_has_each_loss_of_the_whole_batch(store: Path, one_process: Path, tmp_path: Path) -> None:
    train(ten_steps(store, micro_batch=1), tmp_path / "run")
    assert_close(tmp_path / "run", one_process)


def test_accumulated_terms_count_as_in_one_batch(store: Path, tmp_path: Path) -> None:
    """L2 and L3 are means over pictures; of L1 a part sees only its own texts, which is why micro_batch is there."""
    alone = {"profile_weight": 0}
    train(of_views(store, method=alone, steps=10, checkpoint_every=10), tmp_path / "one")
    train(of_views(store, method=alone, steps=10, checkpoint_every=10, accumulate=2), tmp_path / "parts")
    for name, tensor in weights(tmp_path / "parts").items():
        torch.testing.assert_close(tensor, weights(tmp_path / "one")[name], rtol=0, atol=2e-3, msg=name)
