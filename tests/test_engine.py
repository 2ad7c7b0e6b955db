"""A model by torch or by onnxruntime: the same class, the same embeddings, and clear words where the two differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_videos import write_video
from small_mien import SIZE, small_mien
from typer.testing import CliRunner

from mien import Mien
from mien.cli import app
from mien.hub import load_model
from mien.moment_table import write_moments
from mien.onnx_export import export_onnx
from mien.types import MienError

WORDS = ["joy", "relief", "a person who has had enough of it"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`torch`, a model folder, and `onnx` and `int8`, its graphs."""
    made = tmp_path_factory.mktemp("models")
    small_mien().save_pretrained(made / "torch")
    export_onnx(made / "torch", made / "onnx")
    export_onnx(made / "torch", made / "int8", precision="int8")
    return made


@pytest.mark.slow
def test_folder_of_graphs_is_a_model_like_any_other(folder: Path, tmp_path: Path) -> None:
    ours, theirs = Mien.from_pretrained(folder / "torch", device="cpu"), Mien.from_pretrained(folder / "onnx")
    torch.manual_seed(0)
    video, mask = torch.randint(0, 256, (2, 4, 3, SIZE, SIZE), dtype=torch.uint8), torch.rand(2, 4, SIZE, SIZE)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(theirs.encode_video(video, mask), ours.encode_video(video, mask), **close)
    torch.testing.assert_close(
        theirs.encode_frames(video[0], normalize=True), ours.encode_frames(video[0], normalize=True), **close
    )
    torch.testing.assert_close(theirs.encode_text(WORDS), ours.encode_text(WORDS), **close)
    for a, b in zip(theirs.classify(video, WORDS), ours.classify(video, WORDS), strict=True):
        assert list(a.scores.values()) == pytest.approx(list(b.scores.values()), abs=1e-4)
    path = write_video(tmp_path / "a.mp4", num_frames=49, fps=30)
    embedded = [np.stack([m.embedding for m in model.embed_file(path, window_s=0.5)]) for model in (ours, theirs)]
    np.testing.assert_allclose(embedded[1], embedded[0], rtol=1e-4, atol=1e-4)
    assert write_moments(tmp_path / "e.parquet", theirs, [path]).num_moments == 1


@pytest.mark.slow
def test_backend_onnx_makes_the_graphs_of_a_model_that_has_none(folder: Path) -> None:
    model = Mien.from_pretrained(folder / "torch", backend="onnx", threads=1)
    frames = torch.randn(3, 3, SIZE, SIZE)
    expected = Mien.from_pretrained(folder / "torch", device="cpu").encode_frames(frames)
    torch.testing.assert_close(model.encode_frames(frames), expected, rtol=1e-4, atol=1e-4)
    assert model.device == "cpu"


@pytest.mark.slow
def test_graphs_in_int8_are_nearly_the_same_and_need_not_be_asked_for(folder: Path) -> None:
    frames = torch.randn(3, 3, SIZE, SIZE)
    exact = Mien.from_pretrained(folder / "onnx").encode_frames(frames)
    for asked in ("float32", "int8"):
        near = Mien.from_pretrained(folder / "int8", precision=asked).encode_frames(frames)
        assert F.cosine_similarity(near, exact).min() > 0.98
        assert not torch.equal(near, exact)


@pytest.mark.slow
def test_what_the_two_cannot_do_is_refused_with_the_remedy(folder: Path, tmp_path: Path) -> None:
    graphs = Mien.from_pretrained(folder / "onnx")
    for call, message in (
        (lambda: Mien.from_pretrained(folder / "onnx", backend="torch"), "holds ONNX graphs; leave out backend torch"),
        (lambda: Mien.from_pretrained(folder / "onnx", device="cuda"), "for the CPU, not for cuda"),
        (lambda: Mien.from_pretrained(folder / "onnx", precision="int8"), "holds graphs in float32; mien to-onnx"),
        (lambda: Mien.from_pretrained(folder / "torch", threads=2), "threads goes with backend onnx"),
        (lambda: load_model(folder / "onnx"), "holds ONNX graphs, not weights"),
        (lambda: graphs.save_pretrained(tmp_path / "out"), "runs by onnxruntime, which only embeds"),
        (lambda: graphs.encode_video(torch.randn(1, 9, 3, SIZE, SIZE)), "9 frames"),
        (lambda: graphs.encode_text(torch.ones(1, 17, dtype=torch.int64)), "length 17 exceed"),
    ):
        with pytest.raises(MienError, match=message):
            call()
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in (folder / "onnx").iterdir():
        (broken / file.name).write_bytes(file.read_bytes()[:400] if file.suffix == ".onnx" else file.read_bytes())
    with pytest.raises(MienError, match=r"frames\.onnx is not an ONNX file"):
        Mien.from_pretrained(broken)


@pytest.mark.slow
def test_verbs_write_and_run_graphs(folder: Path, tmp_path: Path) -> None:
    video, table = write_video(tmp_path / "a.mp4"), tmp_path / "e.parquet"
    wrote = CliRunner().invoke(app, ["to-onnx", str(folder / "torch"), "--out", str(tmp_path / "made"), "--int8"])
    assert wrote.exit_code == 0, wrote.output
    assert "frames.onnx, temporal.onnx, text.onnx" in wrote.output.replace("\n", " ")
    for options in (
        ["classify", str(video), "--labels", "joy,fear", "--model", str(tmp_path / "made"), "--json"],
        ["embed", str(video), "--model", str(folder / "onnx"), "--backend", "onnx", "--out", str(table)],
    ):
        ran = CliRunner().invoke(app, options)
        assert ran.exit_code == 0, ran.output
    refused = CliRunner().invoke(app, ["embed", str(video), "--model", str(folder / "onnx"), "--backend", "torch",
                                       "--out", str(table)])  # fmt: skip
    assert refused.exit_code == 1
    assert "holds ONNX graphs" in refused.output.replace("\n", " ")
