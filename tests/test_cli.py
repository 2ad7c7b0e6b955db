"""The surface: every verb has help with an example, errors are one message and an exit status, help is instant."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_videos import write_subtitles, write_video
from tiny_run import MODEL
from typer.testing import CliRunner

from mien.cli import app
from mien.data.clips import ClipSettings
from mien.hub import ModelFolder, save_model
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer

VERBS = (
    "theatre",
    "prepare",
    "train",
    "evaluate",
    "finetune",
    "report",
    "analyze",
    "classify",
    "embed",
    "convert",
    "search",
    "explain",
    "doctor",
    "inspect",
    "serve",
    "export",
    "import",
    "to-onnx",
    "push",
)
TINY = (
    "method.model.embed_dim=16",
    "method.model.temporal.heads=2",
    "method.model.temporal.mlp_width=32",
    "method.model.vision.image_size=32",
    "method.model.vision.layers=1",
    "method.model.text.layers=1",
    "train.steps=3",
    "train.batch_size=4",
    "train.workers=0",
    "train.device=cpu",
    "train.log_every=1",
)


def save_tiny_model(path: Path) -> None:
    config = ModelFolder(
        architecture=VideoClipConfig.model_validate(MODEL),
        preprocess=Preprocess(image_size=32),
        clip=ClipSettings(num_frames=2),
    )
    model = VideoClip(config.architecture)
    save_model(path, weights=model.state_dict(), config=config, tokenizer=Tokenizer.clip())


def run(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    text = run(verb, "--help")
    assert f"mien {verb}" in text
    assert "Example" in text


def test_verbs_are_all_there_are() -> None:
    assert {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    } == set(VERBS)


def test_help_does_not_import_torch() -> None:
    code = "import sys, mien.cli; assert 'torch' not in sys.modules, 'torch'; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "nowhere.yaml"), "no config file at nowhere.yaml"),
        (("prepare", "nowhere", "--out", "store"), "nowhere"),
        (("evaluate", "theatre"), "--root is needed"),
        (("evaluate", "nosuch", "--root", ".", "--store", ".", "--model", "m"), "no benchmark 'nosuch'"),
        (("evaluate", "--table", "nowhere"), "nowhere"),
        (("classify", "nowhere.mp4", "--labels", "joy", "--model", "nowhere"), "no model folder at nowhere"),
        (("classify", "nowhere.mp4", "--labels", "joy"), "add --faces"),
        (("classify", "nowhere.mp4", "--model", "nowhere"), "add --faces"),
        (("analyze",), "name a video, a folder or a camera"),
        (("analyze", "nowhere.mp4"), "no file or folder at nowhere.mp4"),
        (("analyze", "camera:999"), "no camera at /dev/video999"),
        (("analyze", ".", "--words", "joy,joy"), "twice there is joy"),
        (("analyze", ".", "--words", "joy,time_s"), "the table has a column of that name"),
        (("analyze", ".", "--words", ""), "at least one word is wanted"),
        (("analyze", "."), "no video or picture in ."),
        (("embed", "nowhere.mp4", "--model", "nowhere", "--out", "x.parquet"), "no model folder at nowhere"),
        (("convert", "nowhere.pt", "out"), "nowhere.pt"),
        (("explain", "x.jpg", "--model", "face", "--out", "a.txt"), "a.txt is, by its name, no page"),
        (("analyze", "x.mp4", "--sample"), "leave it out, or x.mp4"),
        (("to-onnx", "nowhere", "--out", "out"), "no model folder at nowhere"),
        (("push", "nowhere", "me/mine"), "no model folder at nowhere"),
        (("push", "face", "me/mine", "--results", "nowhere.json"), "nowhere.json is not a result"),
    ],
)
def test_what_is_not_there_is_named_and_the_status_is_one(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = run(*words, status=1)
    assert "error" in text
    assert message in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "words",
    [
        ("embed", "v.mp4", "--model", "m", "--out", "file/e.parquet"),
        ("analyze", "--sample", "--out", "file/analysis"),
        ("evaluate", "theatre", "--root", ".", "--model", "m", "--out", "file/r.json"),
        ("evaluate", "theatre", "--root", ".", "--model", "m", "--save-heads", "file/heads"),
    ],
)
def test_output_that_cannot_be_written_is_refused_before_anything_is_done(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert "file is a file; name another place" in run(*words, status=1)
    (tmp_path / "file").unlink()
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    assert f"nothing may be written to {tmp_path}; name another place" in run(*words, status=1)


def test_table_of_a_file_that_is_not_there_names_it(tmp_path: Path) -> None:
    text = run("evaluate", "--table", tmp_path / "nosuch/x.csv", status=1)
    assert f"there is no {tmp_path}/nosuch/x.csv" in text
    assert "Errno" not in text


def test_benchmarks_are_listed_in_order_and_a_slip_is_answered_with_the_nearest() -> None:
    names = run("evaluate", "--list").split()
    assert names == sorted(names)
    assert "no benchmark 'theater'; did you mean 'theatre'?" in run("data", "describe", "theater", status=1)
    assert "; there are afew, " in run("data", "describe", "qqq", status=1)
    assert "Did you mean 'evaluate'?" in run("evalute", status=2)


def test_unknown_key_and_impossible_size_in_a_config_are_named(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("data: {store: s}\nmethod: {modle: {}}\n")
    assert "method.modle: no such key" in run("train", config, status=1)
    config.write_text("data: {store: s}\nmethod: {model: {vision: {image_size: 100}}}\n")
    assert "image_size 100 is not a multiple of patch_size 32" in run("train", config, status=1)
    assert "not of the form key=value" in run("train", config, "data", status=1)


def test_values_that_make_no_sense_are_one_message_each(tmp_path: Path) -> None:
    assert "num_train" in run("theatre", tmp_path / "t", "--train", -1, status=1)
    assert "fps" in run("prepare", tmp_path, "--out", tmp_path / "s", "--fps", 0, status=1)
    config = tmp_path / "c.yaml"
    config.write_text("data: {store: s}\n")
    assert "quote text" in run("train", config, "data.filter.videos=*", status=1)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    assert "not valid YAML" in run("train", tmp_path / "binary.yaml", status=1)


def test_doctor_finds_everything_and_speaks_json() -> None:
    findings = json.loads(run("doctor", "--json"))
    assert {"mien", "torch", "person detector", "utterance emotion", "CLIP tokenizer"} <= {f["what"] for f in findings}
    assert not [f for f in findings if f["state"] == "missing"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos with subtitles, one without, one picture-less file."""
    folder = tmp_path_factory.mktemp("videos")
    for name in ("a", "b"):
        write_video(folder / f"{name}.mp4", num_frames=96, width=128, height=96)
        lines = [(0.0, 2.9, "I am so happy for you!"), (3.0, 5.9, "Leave me alone."), (6.0, 9.0, "What was that?")]
        write_subtitles(folder / f"{name}.srt", lines)
    write_video(folder / "silent.mp4", num_frames=24, width=128, height=96)
    return folder


@pytest.mark.slow
def test_prepare_train_embed_classify_go_through_on_a_folder_of_videos(videos: Path, tmp_path: Path) -> None:
    store, out, table = tmp_path / "store", tmp_path / "run", tmp_path / "e.parquet"
    assert "3 videos" in run("prepare", videos, "--out", store, "--workers", 1)
    assert "0 worked on now" in run("prepare", videos, "--out", store, "--workers", 1)
    run("train", "configs/small.yaml", "--out", out, f"data.store={store}", *TINY)
    run("embed", videos, "--model", out / "model", "--out", table, "--window", 3)
    rows = pq.read_table(table).to_pylist()
    assert len(rows) == 4 + 4 + 1
    assert len(rows[0]["embedding"]) == 16
    words = ("classify", videos / "a.mp4", "--model", out / "model", "--labels", "joy, anger")
    moments = json.loads(run(*words, "--json").split("\n\n")[0])
    assert [set(m["scores"]) for m in moments] == [{"joy", "anger"}] * 3
    assert all(sum(m["scores"].values()) == pytest.approx(1) for m in moments)
    assert "00:00:04.000" in run(*words)


def test_prepare_says_what_videos_lack_and_what_goes_with_none(videos: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(videos, tmp_path / "videos")
    (folder / "room.wav").touch()
    cut = folder / "cut.mp4"
    write_video(cut, num_frames=64, options={"movflags": "faststart"}, codec="mjpeg", pix_fmt="yuvj420p")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (folder / "silent.boxes.csv").write_text("time_s,track,x0,y0,x1,y1\n0,0,1,2,33,44\n")
    text = run("prepare", folder, "--out", tmp_path / "store", "--boxes", "sidecar", "--workers", 1)
    for line in (
        "4 videos (4 worked on now)",
        "2 videos without words, so without clips",
        "3 videos without a side-car, so without boxes",
        "1 video cut off: kept as far as they decode",
        "left out room.wav: sound without pictures",
    ):
        assert line in text


def test_broken_file_is_listed_the_rest_is_embedded_and_the_status_is_one(videos: Path, tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    text = run(
        "embed", tmp_path / "broken.mp4", videos / "silent.mp4", "--model", tmp_path / "model",
        "--out", tmp_path / "e.parquet", status=1,
    )  # fmt: skip
    assert "broken.mp4" in text
    assert "1 moment of 1 file in" in text
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 1
    words = ("embed", tmp_path / "broken.mp4", "--model", tmp_path / "model", "--out", tmp_path / "e.parquet")
    assert "nothing could be embedded" in run(*words, status=1)
    assert "window must last" in run(*words, "--window", 0, status=1)
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 1


def test_what_of_a_video_does_not_decode_is_told(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    mjpeg = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
    video = write_video(tmp_path / "videos/cut.mp4", num_frames=64, options={"movflags": "faststart"}, **mjpeg)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    save_tiny_model(tmp_path / "model")
    told = re.compile(r"cut off .*cut(\.mp4)?: decoded only 3\.\d of 8\.0 s")
    assert told.search(run("embed", video, "--model", tmp_path / "model", "--out", tmp_path / "e.parquet"))
    assert told.search(run("classify", video, "--model", tmp_path / "model", "--labels", "joy, anger"))
