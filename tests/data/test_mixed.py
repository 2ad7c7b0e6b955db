"""Mixed clips: labels are shared as the pixels are, and the mixture is a function of the sample alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_store import write_store

from mien.data.clips import ClipDataset, ClipSettings
from mien.data.mixed import MixedDataset, MixSettings, _cut_in, collate_mixed
from mien.data.store import Store
from mien.media.transforms import Augment, Preprocess

KEYS = [(epoch, index) for epoch in range(3) for index in range(4)]


@pytest.fixture
def clips(tmp_path: Path) -> ClipDataset:
    store = write_store(tmp_path / "store", num_videos=2)
    return read(store, augment=None)


def read(store: Store, *, augment: Augment | None) -> ClipDataset:
    settings, preprocess = ClipSettings(num_frames=2), Preprocess(image_size=16)
    return ClipDataset(store, store.clips(), settings=settings, preprocess=preprocess, augment=augment, seed=5)


def test_blended_pixels_are_shared_as_the_labels_are(clips: ClipDataset) -> None:
    mixed = MixedDataset(clips, MixSettings(mixup=0.8))
    number = {clip.id: i for i, clip in enumerate(clips.clips)}
    shares = set()
    for key, found in zip(KEYS, mixed.__getitems__(KEYS), strict=True):
        own, other = clips[key].frames.float(), clips[key[0], number[found.partner_id]].frames.float()
        expected = found.share * own + (1 - found.share) * other
        torch.testing.assert_close(found.sample.frames.float(), expected, rtol=0, atol=0.51)
        assert found.sample.id == clips.clips[key[1]].id
        shares.add(round(found.share, 6))
    assert len(shares) == len(KEYS)
    assert all(0 <= share <= 1 for share in shares)


def test_piece_of_another_clip_covers_its_share_in_every_frame(clips: ClipDataset) -> None:
    mixed = MixedDataset(clips, MixSettings(cutmix=1.0))
    number = {clip.id: i for i, clip in enumerate(clips.clips)}
    for key, found in zip(KEYS, mixed.__getitems__(KEYS), strict=True):
        own, other = clips[key].frames, clips[key[0], number[found.partner_id]].frames
        frames = found.sample.frames
        is_own, is_other = (frames == own).all(dim=1), (frames == other).all(dim=1)
        assert (is_own | is_other).all()
        assert float(is_own.float().mean()) >= found.share - 1e-6
    for seed in range(20):  # every pixel of one, none of the other
        frames, other = torch.zeros(2, 3, 16, 16, dtype=torch.uint8), torch.ones(2, 3, 16, 16, dtype=torch.uint8)
        share = _cut_in(frames, other, seed / 20, np.random.default_rng(seed))
        assert float(1 - frames.float().mean()) == pytest.approx(share)
        assert torch.equal(frames[0], frames[1])
        assert 1 - share <= seed / 20 + 0.07  # whole pixels


def test_mixtures_do_not_depend_on_what_is_read_beside_them(clips: ClipDataset) -> None:
    mixed = MixedDataset(clips, MixSettings(mixup=0.8, cutmix=1.0))
    together = mixed.__getitems__(KEYS)
    copies = [(found.sample.frames.clone(), found.share, found.partner_id) for found in together]
    for key, (frames, share, partner) in zip(KEYS, copies, strict=True):
        alone = mixed[key]
        assert torch.equal(alone.sample.frames, frames)
        assert (alone.share, alone.partner_id) == (share, partner)


def test_batch_tells_whose_labels_count_how_much(clips: ClipDataset) -> None:
    samples = MixedDataset(clips, MixSettings(mixup=0.8)).__getitems__(KEYS[:4])
    batch = collate_mixed(samples)
    assert batch.frames.shape == (4, 2, 3, 16, 16)
    assert batch.partner_ids == tuple(mixed.partner_id for mixed in samples)
    assert batch.share.tolist() == pytest.approx([mixed.share for mixed in samples])
    assert batch.token_ids.shape == (4, 0)
    assert not MixSettings().mixes
