"""Searching: words and likenesses to moments, each once; the page and the verb."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from inspected import EVIL_WORD, Outline
from made_videos import write_video
from searched import SAID, write_searched
from small_mien import small_mien
from typer.testing import CliRunner

from mien.cli import app
from mien.data.store import FRAMES_FILE, Store
from mien.search import Found, SearchSettings, open_store, search, write_page
from mien.search.hits import nearest
from mien.search.index import MomentIndex, index_folder
from mien.search.moments import embed_scenes
from mien.types import MienError

SETTINGS = SearchSettings(window_s=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with faces, and a model."""
    path = tmp_path_factory.mktemp("search")
    write_searched(path / "store", num_videos=4, faces=True)
    small_mien().save_pretrained(path / "model")
    return path


def found_in(folder: Path, *, kind: str = "scenes", **asked: object) -> Found:
    settings = SearchSettings.model_validate({"kind": kind, "window_s": 1.0})
    return search(Store(folder / "store"), folder / "model", settings=settings, **asked)  # type: ignore[arg-type]


def test_hits_come_nearest_first_each_moment_once(folder: Path) -> None:
    found = found_in(folder, words="so happy", top=50)
    cosines = [hit.moment.cosine for hit in found.hits]
    assert cosines == sorted(cosines, reverse=True)
    spans = [(hit.moment.video, hit.moment.start_s, hit.moment.end_s) for hit in found.hits]
    assert all(a[0] != b[0] or a[2] <= b[1] or b[2] <= a[1] for a in spans for b in spans if a != b)
    assert {span[0] for span in spans} == set(Store(folder / "store").videos)
    assert (found.num_moments, found.num_videos) == (12, 4)


def test_nearest_is_what_sorting_all_moments_gives(folder: Path) -> None:
    found_in(folder, words="so happy")
    index = MomentIndex(index_folder(Store(folder / "store"), folder / "model", SETTINGS))
    cosines = np.random.default_rng(0).normal(size=len(index)).astype(np.float32)
    rows = [index.row(int(number), cosine=float(cosines[number])) for number in np.argsort(-cosines)]
    expected = list[object]()
    for row in rows:
        if not any(r.video == row.video and r.start_s < row.end_s and row.start_s < r.end_s for r in expected):
            expected.append(row)
    for top in (1, 2, 5):
        assert nearest(index, cosines, top=top) == expected[:top]


def test_what_is_said_in_a_moment_is_told(folder: Path) -> None:
    found = found_in(folder, words="so happy", top=50)
    assert {hit.said for hit in found.hits if hit.moment.start_s < 1.0} == {SAID}
    assert {hit.said for hit in found.hits if hit.moment.start_s > 1.0} == {""}


def test_moment_s_own_embedding_finds_it_first(folder: Path) -> None:
    store = Store(folder / "store")
    query = embed_scenes(small_mien(), store, [store.clip("train/1", start_s=0.0, end_s=1.25)])[0]
    index = MomentIndex(index_folder(store, folder / "model", SETTINGS))
    (best,) = nearest(index, index.cosines(query), top=1)
    assert (best.video, best.start_s) == ("train/1", 0.0)
    assert best.cosine == pytest.approx(1, abs=1e-3)


def test_what_a_likeness_was_cut_out_of_is_not_found(folder: Path) -> None:
    found = found_in(folder, like="train/1@0.5", top=50)
    assert [hit.moment for hit in found.hits if hit.moment.video == "train/1" and hit.moment.start_s < 1.0] == []
    assert "train/1" in {hit.moment.video for hit in found.hits}
    assert found.asked == "train/1 at 0.5 s"


def test_clip_of_the_store_can_be_what_to_be_like(folder: Path) -> None:
    found = found_in(folder, like="train/0#0", top=50)
    assert found.asked == "the clip train/0#0"
    assert all(hit.moment.video != "train/0" or hit.moment.start_s >= 1.5 for hit in found.hits)


@pytest.mark.slow
def test_pictures_and_moments_of_files_can_be_what_to_be_like(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8))
    assert len(found_in(folder, like=str(picture), top=3).hits) == 3
    video = write_video(tmp_path / "b@home.mp4", num_frames=24)
    assert found_in(folder, like=f"{video}@1.5", top=3).asked == f"{video} at 1.5 s"
    with pytest.raises(MienError, match=r"is a video; say which moment of it is meant: .*b@home\.mp4@SECONDS"):
        found_in(folder, like=str(video))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"words": "joy", "like": "train/0@1"}, "either words or something to be like"),
        ({}, "either words or something to be like"),
        ({"words": " "}, "what is looked for is empty"),
        ({"words": "joy", "top": 0}, "at least one moment"),
        ({"like": "nowhere@3"}, r"nothing at nowhere@3 to be like.*test/0, train/0, train/1"),
        ({"like": "train/0@7"}, r"train/0 lasts 2\.5 s, so there is nothing at 7 s"),
        ({"like": "train/0"}, r"say which moment of it is meant: train/0@1\.2"),
    ],
)
def test_what_cannot_be_searched_for_is_named(folder: Path, asked: dict[str, object], message: str) -> None:
    with pytest.raises(MienError, match=message):
        found_in(folder, **asked)


def test_faces_are_found_person_by_person(folder: Path) -> None:
    found = found_in(folder, kind="faces", words="anger", top=100)
    one = [hit.moment for hit in found.hits if hit.moment.video == "train/0"]
    assert {moment.person for moment in one} == {-1, 1, 2}
    assert all(any(moment.xyxy) for moment in one)
    of_one_person = sorted((m.start_s, m.end_s) for m in one if m.person == 1)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(of_one_person))


def test_likeness_of_faces_takes_the_largest(folder: Path) -> None:
    found = found_in(folder, kind="faces", like="train/0@1.0", top=100)
    assert all(hit.moment.video != "train/0" or hit.moment.start_s >= 1.0 for hit in found.hits)
    assert max(hit.moment.cosine for hit in found.hits) <= 1 + 1e-3


def test_folder_of_videos_names_the_command_that_prepares_it(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    with pytest.raises(MienError, match="holds videos, not a store of them; prepare them first by `mien prepare"):
        open_store(tmp_path)


def test_page_is_whole_escapes_what_it_is_told_and_fetches_nothing(folder: Path, tmp_path: Path) -> None:
    for kind in ("scenes", "faces"):
        found = found_in(folder, kind=kind, words=EVIL_WORD, top=3)
        settings = SearchSettings.model_validate({"kind": kind, "window_s": 1.0})
        write_page(tmp_path / "page.html", Store(folder / "store"), found, settings=settings)
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        outline = Outline(page)
        assert outline.open == []
        assert len(outline.cards) == 3
        assert outline.all("script") == []
        assert all(image["src"].startswith("data:image/jpeg") for image in outline.all("img"))
        assert EVIL_WORD in outline.text
        assert "not what anyone feels" in outline.text
        assert len(outline.all("img")) == 3 * (4 if kind == "scenes" else 5)


def test_page_tells_which_pictures_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    found = found_in(folder, words="joy", top=1)
    other = write_searched(tmp_path / "store", num_videos=4)
    (other.folder(found.hits[0].moment.video) / FRAMES_FILE).unlink()
    write_page(tmp_path / "page.html", Store(other.path), found, settings=SETTINGS)
    assert "has no frames.arrow" in Outline((tmp_path / "page.html").read_text(encoding="utf-8")).text


def test_verb_prints_json_writes_the_page_and_says_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    store, model = str(folder / "store"), str(folder / "model")
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["search", "joy", store, "--model", model, "--window", "1", "--top", "2", "--json",
                                    "--html", str(page)])  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [set(hit["moment"]) >= {"video", "start_s", "end_s", "cosine"} for hit in told["hits"]] == [True, True]
    assert page.is_file()
    for arguments, message in (
        (["joy", store], "--model is needed"),
        (["joy"], "words and a store are needed"),
        (["joy", store, "--like", "train/0@1", "--model", model], "leave --like or the words out"),
    ):
        failed = CliRunner().invoke(app, ["search", *arguments])
        assert failed.exit_code == 1
        assert message in failed.stderr


def test_damaged_video_sets_the_exit_status_after_the_hits_are_shown(tmp_path: Path) -> None:
    store = write_searched(tmp_path / "store")
    small_mien().save_pretrained(tmp_path / "model")
    (store.folder("train/0") / FRAMES_FILE).write_bytes(b"nothing")
    done = CliRunner().invoke(
        app, ["search", "joy", str(store.path), "--model", str(tmp_path / "model"), "--window", "1"]
    )
    assert done.exit_code == 1
    assert "train/1" in done.stdout
    assert "failed train/0" in done.stderr
