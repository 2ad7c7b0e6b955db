import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mien.data.store import Store
from mien.eval import feature_cache
from mien.eval.feature_cache import PACKAGE, SOURCES, FeatureCache, source_digest
from mien.types import Clip

CLIP = Clip(
    id="a", video="v", start_frame=0, end_frame=8, start_s=0.0, end_s=1.0, text="so", sentiment_logits=(0.0,) * 7,
    person_share=1.0,
)  # fmt: skip
CLIPS = [CLIP, replace(CLIP, id="b", start_frame=8, end_frame=16, start_s=1.0, end_s=2.0)]
X = np.arange(6, dtype=np.float32).reshape(2, 3)


class FakeStore(Store):
    """A store with the one video `v`; what it was made with is told to it."""

    def __init__(self, path: Path, *, made: str = "digest 1", subject: str = "all") -> None:
        self.path = path
        self.settings = {"subject": subject}  # type: ignore[misc]
        self.frames = lambda video: SimpleNamespace(made_with={"source": made})  # type: ignore[assignment]
        file = path / "videos" / "v" / "frames.arrow"
        if not file.is_file():
            file.parent.mkdir(parents=True)
            file.write_bytes(b"pictures")


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(store=FakeStore(tmp_path), model={"weights": "w", "reading": {"num_frames": 8}})


def test_what_was_kept_comes_back_bit_by_bit(cache):
    assert cache.load(CLIPS) is None
    cache.save(CLIPS, X)
    assert cache.path(CLIPS).parent == cache.store.path / "features"
    np.testing.assert_array_equal(cache.load(CLIPS), X)


@pytest.mark.parametrize(
    "model",
    [
        {"weights": "other", "reading": {"num_frames": 8}},
        {"weights": "w", "reading": {"num_frames": 16}},
        {"weights": "w", "reading": {"num_frames": 8}, "device": "cuda"},
    ],
)
def test_another_model_or_reading_has_other_features(cache, model):
    assert replace(cache, model=model).fingerprint(CLIPS) != cache.fingerprint(CLIPS)


@pytest.mark.parametrize(
    "change",
    [{"id": "c"}, {"video": "w"}, {"start_s": 0.5}, {"end_s": 1.5}, {"end_frame": 9}, {"text": "no"}],
    ids=lambda change: next(iter(change)),
)
def test_another_clip_has_other_features(cache, change):
    (cache.store.path / "videos" / "w").mkdir()
    assert cache.fingerprint([replace(CLIP, **change), CLIPS[1]]) != cache.fingerprint(CLIPS)


def test_order_and_number_of_clips_count(cache):
    assert len({cache.fingerprint(clips) for clips in (CLIPS, CLIPS[::-1], CLIPS[:1])}) == 3


@pytest.mark.parametrize("change", [{"made": "digest 2"}, {"subject": "largest"}])
def test_store_that_was_made_otherwise_has_other_features(cache, change):
    other = FakeStore(cache.store.path, **change)
    assert replace(cache, store=other).fingerprint(CLIPS) != cache.fingerprint(CLIPS)


def test_file_of_a_video_that_was_written_again_counts(cache):
    before = cache.fingerprint(CLIPS)
    os.utime(cache.store.path / "videos" / "v" / "frames.arrow", (1, 1))
    assert cache.fingerprint(CLIPS) != before


def test_versions_of_mien_and_torch_count(cache, monkeypatch):
    before = cache.fingerprint(CLIPS)
    with monkeypatch.context() as patch:
        patch.setattr("mien.__version__", "99")
        assert cache.fingerprint(CLIPS) != before
    monkeypatch.setattr(torch, "__version__", "99")
    assert cache.fingerprint(CLIPS) != before


def test_source_files_count_by_content_and_name(cache, monkeypatch, tmp_path):
    before = cache.fingerprint(CLIPS)
    monkeypatch.setattr(feature_cache, "source_digest", lambda package: "other")
    assert cache.fingerprint(CLIPS) != before
    digests = set()
    for number, (name, text) in enumerate([("vit.py", "1"), ("vit.py", "2"), ("cnn.py", "1")]):
        file = tmp_path / str(number) / "models" / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
        digests.add(source_digest(tmp_path / str(number)))
    assert len(digests) == 3


def test_every_source_pattern_finds_something():
    assert [pattern for pattern in SOURCES if not list(PACKAGE.glob(pattern))] == []


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_file_is_made_anew(cache, damage):
    cache.save(CLIPS, X)
    path = cache.path(CLIPS)
    content = path.read_bytes()
    last = bytes([content[-1] ^ 1])
    path.write_bytes({"cut": content[:-4], "flip": content[:-1] + last, "empty": b""}[damage])
    assert cache.load(CLIPS) is None
    cache.save(CLIPS, X)
    np.testing.assert_array_equal(cache.load(CLIPS), X)


def test_store_that_cannot_be_written_to_costs_a_warning(cache):
    (cache.store.path / "features").write_text("in the way")
    with pytest.warns(UserWarning, match="not kept for the next time"):
        cache.save(CLIPS, X)
    assert cache.load(CLIPS) is None
