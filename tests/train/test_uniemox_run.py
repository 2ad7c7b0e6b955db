"""A run of UniEmoX through its entry point: it learns, resumes bitwise, and what it exports can be evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from released_mae import Sizes, random_fusion, random_state, uniemox_checkpoint
from safetensors.torch import load_file
from tiny_captions import write_tiny_captions
from tiny_run import assert_same_weights, losses
from tiny_view_run import of_views, write_taught_store
from tiny_views import ENCODER

from mien.config import validate
from mien.convert import convert
from mien.data.store import Store
from mien.inference import Mien
from mien.train.metrics import read_metrics
from mien.train.run import RunConfig, RunSummary, train
from mien.types import MienError

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store, and a teacher beside it."""
    return write_taught_store(tmp_path)


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
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert rows
    assert all("loss_profile" not in row for row in rows)


@pytest.mark.parametrize(("views", "message"), [(None, "looks at scene and person"), ({"grow": -1}, "grow")])
def test_settings_that_do_not_fit_are_named(store: Path, views: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(MienError, match=message):
        of_views(store, data={"views": views})


def test_captioned_pictures_are_learnt_from_without_being_said(store: Path, tmp_path: Path) -> None:
    """Pictures have no sentences, so that their store's index is empty."""
    write_tiny_captions(tmp_path / "captions.jsonl", images=["train/0", "train/1", "train/2", "train/3", "test/0"])
    seen = list[RunSummary]()
    captioned = of_views(store, data={"captions": {"file": str(tmp_path / "captions.jsonl")}})
    train(captioned, tmp_path / "run", on_start=seen.append)
    assert seen[0].num_clips == 4


def test_pictures_of_which_nothing_is_said_have_no_texts_to_compare(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "clips", lambda self: [])  # as of a store of pictures
    with pytest.raises(MienError, match=r"nothing is said in .*data\.captions\.file, or set method\.profile_weight=0"):
        train(of_views(store), tmp_path / "refused")
    seen = list[RunSummary]()
    train(of_views(store, method={"profile_weight": 0}), tmp_path / "run", on_start=seen.append)
    assert seen[0].num_clips >= 4  # whole


def test_held_out_losses_are_told_while_it_trains(store: Path, tmp_path: Path) -> None:
    train(of_views(store, evaluate_every=3), tmp_path / "run")
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "eval/loss" in row]
    assert len(rows) == 2
    parts = ("eval/loss_profile", "eval/loss_image", "eval/loss_reconstruction")
    assert rows[0]["eval/loss"] == pytest.approx(sum(rows[0][part] for part in parts), rel=1e-4)


@pytest.mark.parametrize("augment", [{"distort": {"rotation": 5}}, {"crop": 0.5}])
def test_settings_that_views_have_no_use_for_are_refused(store: Path, augment: dict[str, Any]) -> None:
    with pytest.raises(MienError, match=r"data\.views says how pictures are cut"):
        of_views(store, data={"augment": augment})


def test_teacher_that_reads_no_texts_is_refused_by_name(store: Path, tmp_path: Path) -> None:
    alone = {"teacher": None, "profile_weight": 0, "image_weight": 0}
    encoder = train(of_views(store, method=alone), tmp_path / "encoder")
    with pytest.raises(MienError, match=r"the teacher .*model reads no texts; set method\.profile_weight=0"):
        train(of_views(store, method={"teacher": str(encoder)}), tmp_path / "run")


def test_run_goes_on_with_a_converted_decoder_and_tells_what_it_starts_anew(store: Path, tmp_path: Path) -> None:
    sizes = Sizes(image=16, patch=4, width=16, layers=2, heads=2, decoder_width=16, decoder_layers=1, decoder_heads=2)
    state = random_state(sizes)
    torch.save(uniemox_checkpoint(state, random_fusion(16)), tmp_path / "checkpoint.pth")
    convert(tmp_path / "checkpoint.pth", tmp_path / "converted", vision_heads=2)
    wide = {"model": {**ENCODER, "vision": {**ENCODER["vision"], "mlp_width": 64}}}
    seen = list[RunSummary]()
    onward = of_views(store, method=wide, steps=1).model_dump() | {"init_from": str(tmp_path / "converted")}
    onward["optim"]["lr"] = 1e-9
    train(validate(RunConfig, onward, source="the test"), tmp_path / "run", on_start=seen.append)
    assert seen[0].fresh == ("fusion",)  # the checkpoint's is `elu`'s, and as wide as its teacher
    (checkpoint,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    trained = load_file(checkpoint / "model.safetensors")
    expected = state["decoder_embed.weight"]
    torch.testing.assert_close(trained["decoder.from_encoder.weight"], expected, rtol=0, atol=1e-6)
