"""Two views of a picture: the person crop really is the person, and every draw is a function of the sample alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_store import write_store

from mien.data.clips import ClipDataset, ClipSettings
from mien.data.store import Store
from mien.data.views import ViewDataset, ViewSettings, collate_views
from mien.media.boxes import coverage
from mien.media.transforms import Augment, Preprocess
from mien.text import Tokenizer
from mien.types import BoxTable, Clip

SIZE = 16


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_store(tmp_path / "store", num_videos=2)


def views(store: Store, *, augment: Augment | None = None, **settings: object) -> ViewDataset:
    clips = ClipDataset(
        store,
        store.clips(),
        settings=ClipSettings(num_frames=1),
        preprocess=Preprocess(image_size=SIZE),
        augment=augment,
        seed=3,
    )
    return ViewDataset(clips, ViewSettings.model_validate(settings), patches=16)


def with_box(store: Store, clip: Clip, monkeypatch: pytest.MonkeyPatch, *boxes: tuple[list[float], float]) -> None:
    """The same boxes and scores in every frame, in pixels of the source."""
    frames = np.repeat(np.arange(1000), len(boxes))
    table = BoxTable(
        frame=frames.astype(np.int32),
        track=np.tile(np.arange(len(boxes)), 1000).astype(np.int32),
        xyxy=np.tile(np.array([box for box, _ in boxes], np.float32).reshape(-1, 4), (1000, 1)),
        score=np.tile(np.array([score for _, score in boxes], np.float32), 1000),
        speaking=np.zeros(len(frames), bool),
    )
    monkeypatch.setattr(store, "boxes", lambda video: table)


def test_person_is_the_largest_box_grown_by_a_tenth(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = store.clips()[0]
    info = store.frames(clip.video).info
    picture = np.zeros((info.height, info.width, 3), np.uint8)
    to_source = 1 / np.array(info.stored_per_source * 2)
    picture[4:14, 10:20] = 200  # what the grown box covers: 10 × 10 of the stored picture
    monkeypatch.setattr("mien.media.frames.FrameReader.decode", lambda self, i, **_: picture)
    person = np.array([10.5, 4.5, 19.5, 13.5]) * to_source
    smaller = np.array([0.0, 0.0, 4.0, 4.0]) * to_source
    unsure = np.array([0.0, 0.0, 30.0, 24.0]) * to_source
    with_box(store, clip, monkeypatch, (list(smaller), 0.9), (list(person), 0.6), (list(unsure), 0.1))
    sample = views(store)[0, 0]
    assert sample.has_person
    assert (sample.person > 195).all()
    assert not (sample.scene > 195).all()
    box = np.array([10.5, 4.5, 19.5, 13.5]) * SIZE / np.array([info.width, info.height] * 2)
    torch.testing.assert_close(sample.box, torch.tensor(box, dtype=torch.float32))


def test_box_stays_on_the_person_through_cuts_and_mirrors(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = store.clips()[0]
    info = store.frames(clip.video).info
    picture = np.zeros((info.height, info.width, 3), np.uint8)
    picture[4:14, 10:20] = 200
    monkeypatch.setattr("mien.media.frames.FrameReader.decode", lambda self, i, **_: picture)
    with_box(store, clip, monkeypatch, (list(np.array([10.0, 4, 20, 14]) / np.array(info.stored_per_source * 2)), 0.9))
    drawn = views(store, augment=Augment(horizontal_flip=True), scene_scale=(0.6, 0.9))
    shares = list[float]()
    for epoch in range(12):
        sample = drawn[epoch, 0]
        covered = coverage(sample.box[None], height=SIZE, width=SIZE, patch=1)
        shares.append(float(covered.mean()))
        assert (sample.scene[0] / 200 - covered).abs().mean() <= 0.1 * shares[-1] + 0.002  # bytes are rounded
    assert sum(share > 0.02 for share in shares) >= 6  # some cuts lose the person


def test_without_a_person_the_second_view_is_another_cut_of_the_scene(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_box(store, store.clips()[0], monkeypatch)
    sample = views(store, augment=Augment())[0, 0]
    assert not sample.has_person
    assert sample.box.tolist() == [0, 0, 0, 0]
    assert not torch.equal(sample.scene, sample.person)
    still = views(store)[0, 0]
    assert torch.equal(still.scene, still.person)


def test_views_are_functions_of_seed_epoch_and_index(store: Store) -> None:
    once, again = (
        views(store, augment=Augment(horizontal_flip=True)),
        views(store, augment=Augment(horizontal_flip=True)),
    )
    for key in ((0, 0), (1, 0), (0, 1)):
        assert torch.equal(once[key].scene, again[key].scene)
        assert torch.equal(once[key].patch_order, again[key].patch_order)
    assert not torch.equal(once[0, 0].patch_order, once[1, 0].patch_order)
    order = once[0, 0].patch_order
    assert order.shape == (2, 16)
    assert torch.equal(order.sort(dim=1).values, torch.arange(16).expand(2, -1))
    assert not torch.equal(order[0], order[1])  # scene and person are masked each for itself


def test_batch_has_both_views_and_texts_if_they_are_read(store: Store) -> None:
    dataset = views(store)
    samples = [dataset[0, i] for i in range(2)]
    batch = collate_views(samples, tokenizer=Tokenizer.clip(), context_length=16)
    assert batch.frames.shape == (2, 1, 3, SIZE, SIZE)
    assert batch.person.shape == (2, 3, SIZE, SIZE)
    assert batch.token_ids.shape[0] == 2
    assert batch.token_ids.shape[1] > 2
    assert collate_views(samples, tokenizer=None, context_length=0).token_ids.shape == (2, 0)


@pytest.mark.parametrize(
    "settings", [{"scene_scale": (0.5, 0.2)}, {"scene_scale": (0.0, 1.0)}, {"scene_ratio": (2, 1)}]
)
def test_bounds_that_are_none_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="scene_scale"):
        ViewSettings.model_validate(settings)
