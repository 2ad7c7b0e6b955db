"""Copies are found whatever was done to their encoding; other videos are not taken for copies."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import UInt64

from mien.config import validate
from mien.data.store import Store
from mien.media.frames import FrameReader, FrameWriter
from mien.prepare import PrepareSettings, prepare
from mien.prepare.duplicates import are_same, find_duplicates, picture_hashes
from mien.types import VideoInfo


def scene(seed: int, *, frames: int = 24) -> list[np.ndarray]:
    """Smooth random pictures that change slowly, 160 x 120."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 255, (2, 6, 8, 3)).astype(np.float32)
    mixed = [ends[0] * (1 - t) + ends[1] * t for t in np.linspace(0, 1, frames)]
    return [cv2.resize(m, (160, 120), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8) for m in mixed]


def store_of(path: Path, pictures: list[np.ndarray], *, quality: int = 90) -> FrameReader:
    height, width, _ = pictures[0].shape
    info = VideoInfo(
        source="a.mp4", source_width=width, source_height=height, source_duration_s=3, width=width, height=height,
        fps=8.0, num_frames=0,
    )  # fmt: skip
    with FrameWriter(path, info=info, made_with={}, quality=quality) as writer:
        for i, picture in enumerate(pictures):
            writer.add(picture, time_s=i / 8)
    return FrameReader(path)


@pytest.mark.parametrize("change", ["coarse", "small", "bright", "one frame less"])
def test_hashes_hardly_change_with_the_encoding(tmp_path: Path, change: str) -> None:
    pictures = scene(1)
    original = picture_hashes(store_of(tmp_path / "a", pictures))
    match change:
        case "small":
            pictures = [cv2.resize(p, (96, 72), interpolation=cv2.INTER_AREA) for p in pictures]
        case "bright":
            pictures = [np.clip(p * 0.8 + 40, 0, 255).astype(np.uint8) for p in pictures]
        case "one frame less":
            pictures = pictures[:-1]
    copy = picture_hashes(store_of(tmp_path / "b", pictures, quality=25 if change == "coarse" else 90))
    assert are_same(original, copy)


def test_other_pictures_are_not_the_same(tmp_path: Path) -> None:
    hashes = [picture_hashes(store_of(tmp_path / str(k), scene(k))) for k in range(12)]
    assert find_duplicates(hashes, num_frames=[24] * 12, preference=[(0,)] * 12) == {}


def test_blank_pictures_say_nothing(tmp_path: Path) -> None:
    blank = picture_hashes(store_of(tmp_path / "a", [np.full((60, 80, 3), 7, np.uint8)] * 20))
    assert blank.tolist() == [0] * 16
    assert not are_same(blank, blank)


def test_two_takes_before_one_camera_are_not_the_same(tmp_path: Path) -> None:
    """A still scene in which something small moves, elsewhere in each take."""
    (background, *_) = scene(1)
    takes = []
    for take in range(2):
        rng = np.random.default_rng(take)
        pictures = [background.copy() for _ in range(24)]
        for picture in pictures:
            x, y = rng.integers(0, 130), rng.integers(0, 100)
            picture[y : y + 20, x : x + 30] = rng.integers(0, 255, 3)
        takes.append(picture_hashes(store_of(tmp_path / str(take), pictures)))
    first, second = takes
    assert np.median(np.bitwise_count(first ^ second)) <= 6  # they do look alike
    assert not are_same(first, second)


def test_photographs_are_the_same_only_if_nearly_equal(tmp_path: Path) -> None:
    hashes = [picture_hashes(store_of(tmp_path / str(k), scene(k)[:1])) for k in range(6)]
    assert all(are_same(own, own) for own in hashes)
    assert find_duplicates(hashes, num_frames=[1] * 6, preference=[(0,)] * 6) == {}
    assert not are_same(hashes[0], hashes[0] ^ np.uint64(0b111))


def test_of_a_group_the_preferred_one_is_kept(tmp_path: Path) -> None:
    same = picture_hashes(store_of(tmp_path / "a", scene(5)))
    other = picture_hashes(store_of(tmp_path / "b", scene(6)))
    hashes = [same, other, same ^ np.uint64(1), same]
    assert find_duplicates(hashes, num_frames=[24] * 4, preference=[(3,), (9,), (8,), (8,)]) == {0: 2, 3: 2}
    assert find_duplicates(hashes, num_frames=[24, 24, 24, 40], preference=[(0,)] * 4) == {2: 0}


@given(
    seed=st.integers(0, 1000),
    flips=st.lists(st.lists(st.integers(0, 63), max_size=4), min_size=16, max_size=16),
    others=st.integers(0, 30),
)
def test_whatever_is_the_same_is_found_among_others(seed: int, flips: list[list[int]], others: int) -> None:
    def flipped(value: int, bits: list[int]) -> int:
        for bit in bits:
            value ^= 1 << bit
        return value or 1

    base = np.random.default_rng((seed, 1)).integers(1, 2**63, 16).tolist()
    copy: UInt64[np.ndarray, "_"] = np.array([flipped(v, b) for v, b in zip(base, flips, strict=True)], np.uint64)
    rng = np.random.default_rng((seed, 2))
    noise = [rng.integers(1, 2**63, 16).astype(np.uint64) for _ in range(others)]
    hashes = [np.array(base, np.uint64), *noise, copy]
    found = find_duplicates(hashes, num_frames=[100] * len(hashes), preference=[(0,)] * len(hashes))
    assert found == {len(hashes) - 1: 0}


def test_copies_leave_the_index_and_are_listed(tmp_path: Path) -> None:
    from made_videos import write_subtitles

    videos = tmp_path / "videos"
    videos.mkdir()
    for name, size in (("a", (160, 120)), ("b", (320, 240)), ("c", (160, 120))):
        pictures = scene(3 if name != "c" else 4, frames=40)
        write_pictures(videos / f"{name}.mp4", [cv2.resize(p, size) for p in pictures])
        write_subtitles(videos / f"{name}.srt", [(0.5, 3.5, f"Hello, I am {name}.")])
    settings = {"boxes": {"source": "none"}}
    report = prepare(videos, tmp_path / "store", settings=validate(PrepareSettings, settings, source="test"))
    assert [clip.video for clip in Store(tmp_path / "store").clips()] == ["b", "c"]
    assert report.card
    assert report.card.num_duplicates == 1
    listed = [json.loads(line) for line in (tmp_path / "store" / "skipped.jsonl").read_text().splitlines()]
    assert {"what": "a", "reason": "duplicate: it shows the same as 'b'"} in listed
    kept = validate(PrepareSettings, settings | {"keep_duplicates": True}, source="test")
    assert prepare(videos, tmp_path / "store", settings=kept).num_clips == 3


def write_pictures(path: Path, pictures: list[np.ndarray]) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
