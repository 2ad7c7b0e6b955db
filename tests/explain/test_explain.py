"""Explanations of scenes and faces: from a file to numbers, the page and the verb."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from inspected import EVIL, EVIL_WORD, Outline
from made_videos import write_video
from small_mien import SIZE, small_mien
from typer.testing import CliRunner

from mien import Mien
from mien.cli import app
from mien.explain import Explanation, as_numbers, explain_faces, explain_scene, write_explanations
from mien.explain.attention import attention_of_tokens
from mien.inference import TEMPLATES
from mien.media.boxes import coverage
from mien.prepare.sidecar import SidecarRow, write_sidecar
from mien.types import MienError

WORDS = ("joy", "anger", "relief")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, one person on the left."""
    path = write_video(tmp_path_factory.mktemp("explain") / "a.mp4", num_frames=16, marks_corner=True)
    rows = [SidecarRow(time_s=t, track=0, xyxy=(8.0, 0.0, 32.0, 48.0)) for t in (0.0, 1.0, 2.0)]
    write_sidecar(path.with_name("a.boxes.csv"), rows)
    return path


@pytest.fixture(scope="module")
def scene(video: Path) -> Explanation:
    fractions = list[float]()
    found = explain_scene(small_mien(), video, WORDS, window_s=1.0, on_fraction=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    return found


def test_scene_is_the_middle_of_the_video_as_the_model_sees_it(scene: Explanation) -> None:
    assert (scene.start_s, scene.end_s) == (0.5, 1.5)
    assert scene.frames.shape == (8, SIZE, SIZE, 3)
    assert sum(scene.scores.values()) == pytest.approx(1)
    assert tuple(scene.scores) == WORDS


def test_subject_and_context_are_hidden_in_both_ways_and_make_the_whole(scene: Explanation) -> None:
    assert [(m.part, m.fill) for m in scene.masked] == [
        ("the subject", "mean"), ("the subject", "blur"), ("the context", "mean"), ("the context", "blur"),
    ]  # fmt: skip
    assert scene.masked[0].share + scene.masked[2].share == 1
    assert scene.masked[0].share == pytest.approx(0.5)  # 24 of the 48 pixels that the centre crop keeps
    assert scene.notes == ("no face was found in what the model sees",)


def test_scores_with_the_subject_hidden_are_those_of_the_hidden_pixels(scene: Explanation) -> None:
    """The subject stays pointed out, whatever its pixels show."""
    model = small_mien()
    hidden = scene.frames.copy()
    hidden[scene.parts["the subject"]] = 0
    for k, frame in enumerate(scene.frames):
        hidden[k][scene.parts["the subject"][k]] = frame.mean(axis=(0, 1)).round()
    pixels = torch.from_numpy(hidden.transpose(0, 3, 1, 2)[None].copy())
    mask = torch.from_numpy(scene.parts["the subject"][None]).float()
    scores = model.label_scores(model.encode_video(pixels, mask), WORDS)[0]
    assert list(scene.masked[0].scores.values()) == pytest.approx(scores.tolist(), abs=1e-5)


def test_attention_is_of_hmn_and_cls_in_every_layer_and_frame(scene: Explanation) -> None:
    assert [each.token for each in scene.attention] == ["hmn", "[cls]"]
    for each in scene.attention:
        assert each.weights.shape == (2, 8, 4, 4)
        assert (each.weights.sum(axis=(2, 3)) < 1).all()


def test_attention_is_the_rows_of_the_recorded_matrices() -> None:
    model = small_mien()
    frames = torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8)
    covered = coverage(torch.tensor([[[0.0, 0, 16, 32]]] * 3), height=SIZE, width=SIZE, patch=8)
    matrices = model.model.attention(model.config.preprocess.normalize(frames), covered)
    hmn, cls = attention_of_tokens(model, frames, covered)
    assert hmn.weights[1, 2, 3, 1] == pytest.approx(float(matrices[1, 2, :, 17, 1 + 13].mean()))
    assert cls.weights[0, 1, 0, 2] == pytest.approx(float(matrices[0, 1, :, 0, 1 + 2].mean()))


def test_numbers_are_json_and_have_no_pictures(scene: Explanation) -> None:
    told = json.loads(json.dumps(as_numbers(scene)))
    assert told["top_word"] == scene.top_word
    assert np.array(told["heat_map"]["drop"]).shape == (7, 7)
    assert [len(each["share_on"]["the subject"]) for each in told["attention"]] == [2, 2]
    assert "picture" not in str(told.keys()) + str(told["masked"])


def test_nobody_in_the_picture_is_told_and_nothing_is_hidden(tmp_path: Path) -> None:
    path = write_video(tmp_path / "empty.mp4")
    write_sidecar(tmp_path / "empty.boxes.csv", [])
    found = explain_scene(small_mien(), path, WORDS, window_s=1.0)
    assert (found.parts, found.masked, found.unmarked) == ({}, (), None)
    assert found.notes[0].startswith("nobody was found")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"words": ["joy"]}, "a word is scored among others"),
        ({"words": ["joy", "joy"]}, "each label once"),
        ({"at_s": 60.0}, r"lasts 2\.0 s, so there is nothing at 60 s"),
        ({"window_s": 0.0}, "window must last"),
    ],
)
def test_what_cannot_be_explained_is_named(video: Path, asked: dict[str, object], message: str) -> None:
    with pytest.raises(MienError, match=message):
        explain_scene(small_mien(), video, **({"words": WORDS} | asked))  # type: ignore[arg-type]


def test_video_without_a_face_is_refused_by_its_second(video: Path) -> None:
    with pytest.raises(MienError, match=r"no face is seen in .*a\.mp4 at 0\.5 s; name another second by --at"):
        explain_faces(small_mien(), video, WORDS, at_s=0.5)


def test_page_is_whole_escapes_what_it_is_told_and_fetches_nothing(video: Path, tmp_path: Path) -> None:
    found = explain_scene(small_mien(), video, [EVIL_WORD, "joy"], window_s=1.0)
    write_explanations(tmp_path / "page.html", [found], model=EVIL, templates=TEMPLATES)
    outline = Outline((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert outline.open == []
    assert outline.all("script") == []
    images = outline.all("img")
    assert all(image["src"].startswith("data:image/jpeg") for image in images)
    assert len(images) == 6 + 1 + 2 * 4 * (1 + 2)  # rows of the table, the heat map, tokens × frames × layers
    assert len(outline.all("rect")) == 49
    assert EVIL in outline.text
    assert EVIL_WORD in outline.text
    assert "facts about the model, not about the person" in outline.text


def test_verb_writes_the_page_and_prints_numbers(video: Path, tmp_path: Path) -> None:
    small_mien().save_pretrained(tmp_path / "model")
    arguments = ["explain", str(video), "--model", str(tmp_path / "model"), "--words", "joy, anger", "--window", "1"]
    out = tmp_path / "page.html"
    done = CliRunner().invoke(app, [*arguments, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert list(json.loads(done.stdout)[0]["scores"]) == ["joy", "anger"]
    assert out.is_file()
    table = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert "the context" in table.stdout
    failed = CliRunner().invoke(app, ["explain", str(video)])
    assert failed.exit_code == 1
    assert "--model is needed" in failed.stderr


@pytest.mark.slow
def test_smiles_rest_on_mouths_for_the_shipped_face_model(real_data: Path) -> None:
    """Four of the five smile; of each, hiding the mouth takes more from happiness than hiding eyes and brows."""
    found = explain_faces(Mien.from_pretrained("face"), real_data / "people" / "multi_face.jpg", WORDS_OF_FACES)
    assert len(found) == 5
    smiling = [each for each in found if each.top_word == "happiness"]
    assert len(smiling) == 4
    for each in smiling:
        by_part = {m["part"]: m["log_odds"] for m in as_numbers(each)["masked"] if m["fill"] == "mean"}
        assert by_part["mouth"] < by_part["eyes and brows"] - 1


WORDS_OF_FACES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
