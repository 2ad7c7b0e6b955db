"""Captioned samples: pure functions of (seed, epoch, index), joined by name, padded and marked."""

from __future__ import annotations

import pickle

import pytest
import torch
from tiny_captions import by_hand, derived
from tiny_store import write_store

from mien.captions.record import CaptionRecord
from mien.data.captioned import CaptionedDataset, CaptionedSample, Captions, collate_captioned
from mien.data.clips import ClipDataset, ClipSettings
from mien.data.store import Store
from mien.media.transforms import Augment, Preprocess
from mien.text import Tokenizer
from mien.types import CaptionBatch, MienError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_store(tmp_path_factory.mktemp("data") / "store", num_videos=4)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.clip()


RECORDS = [
    derived("test/0", emotion="fear"),
    derived("train/0"),
    by_hand("train/1", number_of_sentences=5),
    by_hand("train/2", number_of_sentences=1),
    derived("elsewhere", emotion="happiness"),
]


def dataset(
    store: Store,
    *,
    records: list[CaptionRecord] = RECORDS,
    augment: Augment | None = Augment(),
    seed: int = 0,
    max_local: int = 3,
) -> CaptionedDataset:
    captions = Captions(records, source="captions.jsonl")
    clips = ClipDataset(
        store,
        captions.clips(store),
        settings=ClipSettings(num_frames=2),
        preprocess=Preprocess(image_size=16),
        augment=augment,
        seed=seed,
    )
    return CaptionedDataset(clips, captions, max_local=max_local)


def said(sample: CaptionedSample) -> tuple[str, ...]:
    return (sample.caption.overall, *sample.local, sample.caption.summary)


def named(data: CaptionedDataset, video: str) -> int:
    return [clip.video for clip in data.clips.clips].index(video)


def test_videos_that_have_a_caption_are_joined_with_it_by_name(store: Store) -> None:
    data = dataset(store, records=RECORDS[1:])
    assert [clip.video for clip in data.clips.clips] == ["train/0", "train/1", "train/2"]
    assert [clip.num_frames for clip in data.clips.clips] == [20, 20, 20]
    assert len(data) == 3
    for i, image in enumerate(["train/0", "train/1", "train/2"]):
        sample = data[(0, i)]
        assert (sample.caption.image, sample.sample.id, sample.sample.text) == (image, image, sample.caption.overall)


def test_captions_of_other_names_are_refused_and_an_example_of_each_is_told(store: Store) -> None:
    with pytest.raises(MienError, match=r"c\.jsonl has captions of nothing in .*store has 'test/0', .* '0\.png'"):
        Captions([by_hand("0.png")], source="c.jsonl").clips(store)
    with pytest.raises(MienError, match="the captions 'nothing'"):
        Captions([], source="c.jsonl").clips(store)


def test_sample_does_not_depend_on_what_was_read_before(store: Store) -> None:
    data, other = dataset(store), pickle.loads(pickle.dumps(dataset(store)))
    keys = [(epoch, index) for epoch in (3, 0) for index in range(4)]
    first = [data[key] for key in keys]
    frames = [sample.sample.frames.clone() for sample in first]
    for key, sample, picture in reversed(list(zip(keys, first, frames, strict=True))):
        again = other.__getitems__([(9, 0), key])[1]
        assert said(again) == said(sample)
        assert torch.equal(again.sample.frames, picture)


def test_derived_captions_are_in_other_words_each_epoch_and_human_ones_are_not(store: Store) -> None:
    data = dataset(store, max_local=5)
    derived_one, human = ({said(data[(epoch, named(data, v))]) for epoch in range(6)} for v in ("train/0", "train/1"))
    assert len(derived_one) > 3
    assert human == {RECORDS[2].sentences}


def test_another_seed_gives_other_words(store: Store) -> None:
    found = [said(dataset(store, seed=seed)[(0, 1)]) for seed in (0, 1)]
    assert found[0] != found[1]


def test_local_sentences_are_drawn_anew_each_epoch_and_keep_their_order(store: Store) -> None:
    data, every = dataset(store, max_local=3), RECORDS[2].local
    drawn = {data[(epoch, named(data, "train/1"))].local for epoch in range(60)}
    assert len(drawn) == 10  # three of five
    assert all(local == tuple(s for s in every if s in local) for local in drawn)
    assert data[(0, named(data, "train/2"))].local == RECORDS[3].local


def test_each_epoch_draws_one_of_several_captions(store: Store) -> None:
    several = [by_hand("train/0", number_of_sentences=n) for n in (1, 2)]
    data = dataset(store, records=several)
    assert {len(data[(epoch, 0)].local) for epoch in range(10)} == {1, 2}


def test_without_augmentation_it_is_the_first_caption_as_it_stands(store: Store) -> None:
    several = [derived("train/0"), by_hand("train/0")]
    data = dataset(store, records=several, augment=None, max_local=2)
    for epoch in range(4):
        assert said(data[(epoch, 0)]) == (several[0].overall, *several[0].local[:2], several[0].summary)


def test_votes_are_in_alphabetical_order_of_all_emotions_and_zero_where_unknown(store: Store) -> None:
    data = dataset(store)
    assert data.captions.emotions == ("anger", "fear", "happiness", "neutral")
    votes = {video: data[(0, named(data, video))].votes for video in ("test/0", "train/0", "train/1")}
    assert votes == {"test/0": (0, 0.7, 0, 0.3), "train/0": (0.7, 0, 0, 0.3), "train/1": (0, 0, 0, 0)}


def collated(data: CaptionedDataset, tokenizer: Tokenizer, *, max_local: int) -> CaptionBatch:
    samples = data.__getitems__([(0, i) for i in range(len(data))])
    return collate_captioned(samples, tokenizer=tokenizer, context_length=40, max_local=max_local)


def test_batch_is_padded_and_says_which_sentences_are_present(store: Store, tokenizer: Tokenizer) -> None:
    data = dataset(store, max_local=3)
    samples = data.__getitems__([(0, i) for i in range(4)])
    batch = collate_captioned(samples, tokenizer=tokenizer, context_length=40, max_local=3)
    assert batch.ids == ("test/0", "train/0", "train/1", "train/2")
    assert batch.frames.shape == (4, 2, 3, 16, 16)
    assert batch.local_ids.shape == (4, 3, batch.token_ids.shape[1])
    assert batch.summary_ids.shape == batch.token_ids.shape
    assert batch.present.tolist() == [[k < len(s.local) for k in range(3)] for s in samples]
    assert batch.present[3].tolist() == [True, False, False]
    assert batch.votes.shape == (4, 4)
    for i, sample in enumerate(samples):
        expected = [sample.caption.overall, sample.caption.summary, *sample.local]
        found = [batch.token_ids[i], batch.summary_ids[i], *batch.local_ids[i, : len(sample.local)]]
        for text, token_ids in zip(expected, found, strict=True):
            own = tokenizer.encode([text])[0]
            assert torch.equal(token_ids[: len(own)], own)
            assert (token_ids[len(own) :] == tokenizer.eot_id).all()


def test_captions_without_votes_or_without_local_sentences_make_batches_too(store: Store, tokenizer: Tokenizer) -> None:
    written = [by_hand("train/0"), by_hand("train/1")]
    batch = collated(dataset(store, records=written, max_local=0), tokenizer, max_local=0)
    assert batch.votes.shape == (2, 0)
    assert batch.local_ids.shape == (2, 0, batch.token_ids.shape[1])
    assert batch.present.shape == (2, 0)


def test_whole_clip_is_all_of_a_video(store: Store) -> None:
    clip = store.whole_clip("train/0")
    assert (clip.id, clip.start_frame, clip.end_frame, clip.start_s, clip.end_s) == ("train/0", 0, 20, 0.0, 2.5)
