"""Samples: what is read of a clip, and that nothing but (seed, epoch, index) decides it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_store import write_store

from mien.data.clips import ClipDataset, ClipFilter, ClipSettings, Sample, collate, largest_track
from mien.data.store import BOXES_FILE, Store
from mien.data.tables import write_boxes
from mien.media.transforms import Augment, Preprocess
from mien.text import Tokenizer
from mien.types import MienError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_store(tmp_path / "store")


def dataset(store: Store, *, subject: str = "all", augment: Augment | None = None, seed: int = 0) -> ClipDataset:
    settings = ClipSettings(num_frames=4, subject=subject)
    preprocess = Preprocess(image_size=32)
    return ClipDataset(store, store.clips(), settings=settings, preprocess=preprocess, augment=augment, seed=seed)


def same(a: Sample, b: Sample) -> bool:
    return torch.equal(a.frames, b.frames) and all(torch.equal(x, y) for x, y in zip(a.boxes, b.boxes, strict=True))


def test_boxes_lie_on_the_persons_after_crop_resize_and_flip(store: Store) -> None:
    for augment in (None, Augment(crop=1.0), Augment(crop=0.8, horizontal_flip=True)):
        data = dataset(store, subject="speaking", augment=augment)
        for epoch in range(8):
            sample = data[epoch, 0]
            for frame, boxes in zip(sample.frames, sample.boxes, strict=True):
                bright = frame.amin(dim=0) > 190  # the speaker is white, the rest is darker
                x0, y0, x1, y1 = boxes[0].tolist()
                rows, columns = bright.nonzero(as_tuple=True)
                assert abs(rows.min() - y0) <= 1.5
                assert abs(rows.max() + 1 - y1) <= 1.5
                assert abs(columns.min() - x0) <= 1.5
                assert abs(columns.max() + 1 - x1) <= 1.5


def test_speaker_alone_or_everyone_is_the_subject_as_asked(store: Store) -> None:
    assert [len(b) for b in dataset(store, subject="all")[0, 0].boxes] == [2, 2, 2, 2]
    assert [len(b) for b in dataset(store, subject="speaking")[0, 0].boxes] == [1, 1, 1, 1]


def test_largest_person_over_the_clip_is_the_subject(store: Store) -> None:
    """The speaker's box is 40 x 80, the other's 30 x 100 and scored 0.6, against 0.9."""
    table = store.boxes("train/0")
    assert largest_track(table, 0, 12, min_score=0.35) == 1
    assert largest_track(table, 0, 12, min_score=0.95) is None
    assert largest_track(table, 50, 60, min_score=0.35) is None
    alone, speaker = dataset(store, subject="largest")[0, 0], dataset(store, subject="speaking")[0, 0]
    assert all(torch.equal(a, b) for a, b in zip(alone.boxes, speaker.boxes, strict=True))
    narrow = replace(table, xyxy=np.where((table.track == 1)[:, None], 0, table.xyxy).astype(np.float32))
    assert largest_track(narrow, 0, 12, min_score=0.35) == 2


def test_nobody_is_the_largest_where_boxes_do_not_say_who_is_who(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store")
    table = store.boxes("train/0")
    unknown = replace(table, track=np.full_like(table.track, -1))  # as boxes of the released pipeline have it
    write_boxes(store.folder("train/0") / BOXES_FILE, unknown, made_with={})
    fresh = Store(store.path)
    assert len(dataset(fresh, subject="all")[0, 0].boxes[0]) == 2
    with pytest.raises(MienError, match=r"boxes of train/0#0 do not say who is who.*subject=all"):
        dataset(fresh, subject="largest")[0, 0]


def test_subject_is_as_the_store_says_where_nothing_is_asked(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", subject="speaking")
    data = ClipDataset(store, store.clips(), settings=ClipSettings(num_frames=2), preprocess=Preprocess(image_size=32))
    assert [len(b) for b in data[0, 0].boxes] == [1, 1]


def test_detections_below_the_threshold_do_not_count(store: Store) -> None:
    settings = ClipSettings(num_frames=2, subject="all", min_box_score=0.7)
    data = ClipDataset(store, store.clips(), settings=settings, preprocess=Preprocess(image_size=32))
    assert [len(b) for b in data[0, 0].boxes] == [1, 1]


def test_augmentation_depends_on_seed_epoch_and_index_alone(store: Store) -> None:
    augment = Augment(crop=0.7, horizontal_flip=True)
    first = dataset(store, augment=augment)
    _ = first[3, 2], first[0, 5]
    again = pickle.loads(pickle.dumps(dataset(store, augment=augment)))
    assert same(first[1, 4], again[1, 4])
    assert not same(first[1, 4], first[2, 4])
    assert not same(first[1, 4], dataset(store, augment=augment, seed=1)[1, 4])


def test_batch_pads_boxes_with_empty_ones_and_texts_with_the_end_token(store: Store) -> None:
    both, speaker = dataset(store, subject="all")[0, 0], dataset(store, subject="speaking")[0, 1]
    batch = collate([both, speaker], tokenizer=Tokenizer.clip(), context_length=77)
    assert batch.frames.shape == (2, 4, 3, 32, 32)
    assert batch.boxes.shape == (2, 4, 2, 4)
    assert batch.boxes[1, :, 1].eq(0).all()
    assert batch.token_ids[:, -1].eq(49407).all()
    assert batch.ids == ("train/0#0", "train/0#1")


def test_batch_is_the_memory_that_its_samples_were_read_into(store: Store) -> None:
    samples = dataset(store).__getitems__([(0, 3), (0, 1), (2, 5)])
    batch = collate(samples, tokenizer=None, context_length=77)
    assert batch.frames.data_ptr() == samples[0].frames.data_ptr()
    assert all(torch.equal(own, sample.frames) for own, sample in zip(batch.frames, samples, strict=True))
    assert same(samples[1], dataset(store)[0, 1])


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 1], [0, 0, 1]])
def test_samples_that_do_not_fill_one_memory_in_order_are_copied(store: Store, order: list[int]) -> None:
    read = dataset(store).__getitems__([(0, 3), (0, 1), (2, 5)])
    samples = [read[i] for i in order]
    batch = collate(samples, tokenizer=None, context_length=77)
    assert all(torch.equal(own, sample.frames) for own, sample in zip(batch.frames, samples, strict=True))


def test_filter_keeps_by_name_and_by_neutrality(store: Store) -> None:
    clips = store.clips()
    assert {c.video for c in ClipFilter(videos="train/*", max_neutral=1).apply(clips)} == {"train/0", "train/1"}
    kept = ClipFilter(max_neutral=0.1).apply(clips)
    assert 0 < len(kept) < len(clips)
