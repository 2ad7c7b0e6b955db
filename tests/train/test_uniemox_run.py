"""A run of UniEmoX through its entry point: it learns, resumes bitwise, and what it exports can be evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import assert_same_weights, config, losses
from tiny_store import write_store
from tiny_views import ENCODER, teacher

from mien.config import validate
from mien.hub import ModelFolder, save_model
from mien.inference import Mien
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig, train
from mien.types import MienError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store, and a teacher beside it."""
    known = teacher()
    save_model(
        tmp_path / "teacher",
        weights=known.model.state_dict(),
        config=ModelFolder(architecture=known.model.config, preprocess=known.preprocess),
        tokenizer=known.tokenizer,
    )
    return write_store(tmp_path / "store", num_videos=6).path


def of_views(store: Path, *, method: dict[str, Any] | None = None, **settings: Any) -> RunConfig:
    described = config(store, **settings).model_dump()
    data = described["data"] | {"views": {}, "clip": {"num_frames": 1}}
    own = {
        "kind": "uniemox",
        "model": ENCODER,
        "decoder": {"width": 16, "layers": 1, "heads": 2},
        "teacher": str(store.parent / "teacher"),
    }
    return validate(RunConfig, described | {"method": own | (method or {}), "data": data}, source="the test")


def test_run_learns_and_its_model_embeds_pictures(store: Path, tmp_path: Path) -> None:
    folder = train(of_views(store), tmp_path / "run")
    assert len(losses(tmp_path / "run")) > 0
    model = Mien.from_pretrained(folder, device="cpu")
    assert model.tokenizer is None
    frames = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    assert model.encode_frames(frames).shape == (2, 16)
    with pytest.raises(MienError, match="reads no texts"):
        model.classify(frames[:, None], ["joy", "fear"])


def test_resumed_run_ends_bitwise_where_the_whole_one_does(store: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(step: int, row: dict[str, float]) -> None:
        if step == 4:
            raise Killed

    train(of_views(store), tmp_path / "whole")
    with pytest.raises(Killed):
        train(of_views(store), tmp_path / "run", on_step=kill)
    train(of_views(store), tmp_path / "run")
    assert_same_weights(tmp_path / "run", tmp_path / "whole")


def test_masked_autoencoding_alone_needs_no_teacher(store: Path, tmp_path: Path) -> None:
    alone = {"teacher": None, "profile_weight": 0, "image_weight": 0}
    train(of_views(store, method=alone), tmp_path / "run")
    rows = read_metrics(tmp_path / "run")
    assert all("loss_profile" not in row for row in rows)


@pytest.mark.parametrize(
    ("data", "message"), [({"views": None}, "looks at scene and person"), ({"views": {"grow": -1}}, "grow")]
)
def test_settings_that_do_not_fit_are_named(store: Path, data: dict[str, Any], message: str) -> None:
    described = of_views(store).model_dump()
    with pytest.raises(MienError, match=message):
        validate(RunConfig, described | {"data": described["data"] | data}, source="the test")
