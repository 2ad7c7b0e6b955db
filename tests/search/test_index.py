"""The index: kept up to date with the store, resumed, and searched exactly."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from searched import write_searched
from small_mien import small_mien

from mien import Mien
from mien.data.store import FRAMES_FILE, Store
from mien.search import index as index_module
from mien.search.index import MomentIndex, SearchSettings, fingerprint, index_folder, update_index
from mien.search.moments import moments_of, overlapping_windows
from mien.search.segment import embeddings_in, segments_in
from mien.types import MienError

SETTINGS = SearchSettings(window_s=1.0)


@pytest.fixture
def model() -> Mien:
    return small_mien()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_searched(tmp_path / "store")


def embedded(store: Store, folder: Path, model: Mien) -> list[str]:
    """The videos that bringing the index up to date embeds."""
    seen = list[str]()
    update_index(store, folder, model, SETTINGS, on_video=lambda name, done, total: seen.append(name))
    return [name for name in seen if name]


def vectors(folder: Path) -> dict[str, np.ndarray]:
    """The embeddings of each video, in order of their rows."""
    (segment,) = segments_in(folder)
    found = dict[str, list[np.ndarray]]()
    for batch in segment.batches():
        for number, row in zip(batch.column("video").to_pylist(), embeddings_in(batch).numpy(), strict=True):
            found.setdefault(segment.videos[number], []).append(row)
    return {video: np.stack(rows) for video, rows in found.items()}


def test_what_lasts_half_a_window_lies_wholly_in_one(store: Store) -> None:
    spans = [(clip.start_s, clip.end_s) for clip in overlapping_windows(store, "train/0", window_s=1.0)]
    assert spans == [(0.0, 1.25), (0.625, 1.875), (1.25, 2.5)]


def test_index_holds_every_video_s_moments_as_the_model_makes_them(store: Store, model: Mien, tmp_path: Path) -> None:
    assert embedded(store, tmp_path / "index", model) == store.videos
    for video, rows in vectors(tmp_path / "index").items():
        moments = moments_of(model, store, video, kind="scenes", window_s=1.0)
        assert np.allclose(rows, moments.embedding, atol=1e-3)
        assert np.linalg.norm(moments.embedding, axis=1) == pytest.approx(1)


def test_second_search_embeds_nothing(store: Store, model: Mien, tmp_path: Path) -> None:
    embedded(store, tmp_path / "index", model)
    before = sorted(file.name for file in (tmp_path / "index").iterdir())
    assert embedded(store, tmp_path / "index", model) == []
    assert sorted(file.name for file in (tmp_path / "index").iterdir()) == before


def test_changed_videos_are_embedded_anew_and_those_that_went_are_dropped(
    store: Store, model: Mien, tmp_path: Path
) -> None:
    embedded(store, tmp_path / "index", model)
    old = vectors(tmp_path / "index")
    shutil.copy(store.folder("train/0") / FRAMES_FILE, store.folder("train/1") / FRAMES_FILE)
    shutil.rmtree(store.folder("test/0"))
    changed = Store(store.path)
    assert embedded(changed, tmp_path / "index", model) == ["train/1"]
    new = vectors(tmp_path / "index")
    assert new.keys() == {"train/0", "train/1"}
    assert np.array_equal(new["train/0"], old["train/0"])
    assert np.array_equal(new["train/1"], old["train/0"])
    assert not np.array_equal(new["train/1"], old["train/1"])


def test_stopped_index_goes_on_where_it_was(
    store: Store, model: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "FLUSH_S", 0.0)

    def stop_at_third(name: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update_index(store, tmp_path / "index", model, SETTINGS, on_video=stop_at_third)
    assert embedded(store, tmp_path / "index", model) == [store.videos[2]]
    assert vectors(tmp_path / "index").keys() == set(store.videos)


def test_damaged_video_is_told_and_the_others_are_searched(store: Store, model: Mien, tmp_path: Path) -> None:
    (store.folder("train/0") / FRAMES_FILE).write_bytes(b"nothing")
    updated = update_index(Store(store.path), tmp_path / "index", model, SETTINGS)
    assert [each.what for each in updated.failed] == ["train/0"]
    assert "is damaged" in updated.failed[0].reason
    assert MomentIndex(tmp_path / "index").videos == ["test/0", "train/1"]


def test_cosines_are_those_of_a_loop_in_double_precision(
    store: Store, model: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "BLOCK", 4)  # nine moments: two blocks and a rest
    update_index(store, tmp_path / "index", model, SETTINGS)
    index = MomentIndex(tmp_path / "index")
    query = np.random.default_rng(0).normal(size=16).astype(np.float32)
    query /= np.linalg.norm(query)
    rows = np.concatenate([rows for _, rows in sorted(vectors(tmp_path / "index").items())]).astype(np.float64)
    assert len(index) == 9
    assert index.cosines(query) == pytest.approx(rows @ query.astype(np.float64), abs=1e-6)


def test_rows_tell_where_a_moment_is(store: Store, model: Mien, tmp_path: Path) -> None:
    update_index(store, tmp_path / "index", model, SETTINGS)
    row = MomentIndex(tmp_path / "index").row(4, cosine=0.5)  # three a video
    assert (row.video, row.start_s, row.end_s, row.seen_s) == ("train/0", 0.625, 1.875, 1.25)
    assert (row.person, row.cosine) == (-1, 0.5)


def test_other_weights_or_settings_are_another_index(store: Store, model: Mien, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "a")
    model.model.logit_scale.data += 1
    model.save_pretrained(tmp_path / "b")
    folders = {
        index_folder(store, tmp_path / name, settings)
        for name in ("a", "b")
        for settings in (SETTINGS, SearchSettings(window_s=2.0), SearchSettings(kind="faces", window_s=1.0))
    }
    assert len(folders) == 6
    assert {folder.parent for folder in folders} == {store.path / "search"}


def test_fingerprint_of_scenes_does_not_look_at_faces(tmp_path: Path) -> None:
    store = write_searched(tmp_path / "store", faces=True)
    scenes, faces = (fingerprint(store, "train/0", kind) for kind in ("scenes", "faces"))
    (store.folder("train/0") / "faces.arrow").unlink()
    assert fingerprint(store, "train/0", "scenes") == scenes
    assert fingerprint(store, "train/0", "faces") != faces


def test_faces_are_moments_of_each_person_and_of_each_face_of_nobody(model: Mien, tmp_path: Path) -> None:
    store = write_searched(tmp_path / "store", faces=True)
    moments = moments_of(model, store, "train/0", kind="faces", window_s=1.0)
    persons, counts = np.unique(moments.person, return_counts=True)
    assert dict(zip(persons.tolist(), counts.tolist(), strict=True)) == {-1: 10, 1: 3, 2: 3}  # 20 frames at 8 a second
    assert (moments.start_s[1:] >= moments.start_s[:-1]).all()
    assert (moments.xyxy[moments.person == 2] == [120, 20, 150, 50]).all()


def test_store_without_faces_names_the_command_that_finds_them(store: Store, model: Mien, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"mien prepare VIDEOS --out .*store --faces"):
        update_index(store, tmp_path / "index", model, SearchSettings(kind="faces"))
