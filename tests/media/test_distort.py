"""Distortions: none at zero strength, the same for the same draw, boxes go where their pixels go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_store import write_store

from mien.data.clips import ClipDataset, ClipSettings
from mien.media.distort import Distortion, Distortions
from mien.media.transforms import Augment, Preprocess
from mien.types import Clip

SIZE = 96


def drawn(seed: int = 0, *, size: int = SIZE, **strengths: float) -> Distortion:
    return Distortions.model_validate(strengths).draw(np.random.default_rng(seed), size=size)


def random_picture(size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (size, size, 3), dtype=np.uint8)


def with_square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[y0:y1, x0:x1] = 255
    return picture


def extent(picture: np.ndarray) -> list[int]:
    """x0 y0 x1 y1 of what is bright, half-open."""
    rows, columns = np.nonzero(picture[..., 0] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def turned_around() -> Distortion:
    """By 180°: pixel i goes to 95 - i."""
    matrix = np.array([[-1.0, 0, SIZE - 1], [0, -1, SIZE - 1]])
    return Distortion(matrix=matrix, contrast=1, offset=0, shrink=1, noise=0, erased=None, seed=0)


def test_nothing_changes_at_zero_strength() -> None:
    assert not Distortions().changes_anything
    boxes = torch.tensor([[3.0, 4, 50, 60], [0, 0, 0, 0], [0, 0, SIZE, SIZE]])
    for seed in range(5):
        assert np.array_equal(drawn(seed).picture(random_picture()), random_picture())
        torch.testing.assert_close(drawn(seed).boxes(boxes, size=SIZE), boxes)


@pytest.mark.parametrize("name", [name for name in Distortions.model_fields if not name.startswith("random_")])
def test_each_distortion_changes_pictures_by_itself(name: str) -> None:
    strength = {name: 0.9}
    assert Distortions.model_validate(strength).changes_anything
    changed = [not np.array_equal(drawn(s, **strength).picture(random_picture()), random_picture()) for s in range(8)]
    assert any(changed)


ALL = {"rotation": 20, "zoom": 0.2, "shift": 0.1, "light": 0.3, "blur": 0.5, "noise": 10, "erase": 0.5,
       "random_operations": 2}  # fmt: skip


def test_same_generator_draws_the_same_and_another_one_other_pictures() -> None:
    pictures = [drawn(seed, **ALL).picture(random_picture()) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_box_follows_a_bright_square() -> None:
    off = []
    for seed in range(20):
        distortion = drawn(seed, rotation=30, zoom=0.2, shift=0.05)
        box = distortion.boxes(torch.tensor([[30.0, 36, 60, 56]]), size=SIZE)[0].numpy()
        off.append(extent(distortion.picture(with_square(30, 36, 60, 56))) - box)
    assert np.abs(off).max() < 1.5  # the corners of a turned square are faint
    assert np.abs(np.mean(off, axis=0).reshape(2, 2).mean(axis=0)).max() < 0.2  # of the middle, in x and y


def test_box_of_a_picture_turned_around_is_that_of_its_pixels_exactly() -> None:
    box = turned_around().boxes(torch.tensor([[10.0, 20, 30, 50]]), size=SIZE)[0]
    assert box.tolist() == extent(turned_around().picture(with_square(10, 20, 30, 50))) == [66, 46, 86, 76]


def test_box_that_leaves_the_picture_is_cut_and_then_empty() -> None:
    matrix = np.array([[1.0, 0, 40], [0, 1.0, 0]])
    distortion = Distortion(matrix=matrix, contrast=1, offset=0, shrink=1, noise=0, erased=None, seed=0)
    boxes = torch.tensor([[10.0, 20, 70, 50], [60, 20, 70, 50], [0, 0, 0, 0]])
    assert distortion.boxes(boxes, size=SIZE).tolist() == [[50, 20, 96, 50], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_share_of_the_area_that_is_erased_is_within_its_range_and_one_grey() -> None:
    shares = []
    for seed in range(60):
        distortion = drawn(seed, erase=1.0)
        picture = distortion.picture(random_picture())
        assert distortion.erased is not None
        x0, y0, x1, y1, grey = distortion.erased
        assert 0 <= x0 < x1 <= SIZE
        assert 0 <= y0 < y1 <= SIZE
        assert (picture[y0:y1, x0:x1] == grey).all()
        kept = picture != random_picture()
        kept[y0:y1, x0:x1] = False
        assert not kept.any()
        shares.append((x1 - x0) * (y1 - y0) / SIZE**2)
    assert 0.018 < min(shares) < 0.04  # sides are whole pixels
    assert 0.13 < max(shares) < 0.155


def test_share_of_the_clips_that_is_erased_or_blurred_is_as_told() -> None:
    found = [drawn(seed, erase=0.25, blur=0.75) for seed in range(400)]
    assert np.mean([d.erased is not None for d in found]) == pytest.approx(0.25, abs=0.06)
    assert np.mean([d.shrink < 1 for d in found]) == pytest.approx(0.75, abs=0.06)
    assert min(d.shrink for d in found) >= 1 / 3


def test_noise_alone_differs_between_the_frames_of_a_clip() -> None:
    still, noisy = drawn(1, **(ALL | {"noise": 0})), drawn(1, noise=60)
    assert noisy.noise > 0
    assert np.array_equal(still.picture(random_picture(), number=0), still.picture(random_picture(), number=1))
    assert not np.array_equal(noisy.picture(random_picture(), number=0), noisy.picture(random_picture(), number=1))


def clip_of_one_picture(folder: Path, augment: Augment, *, seed: int = 0) -> ClipDataset:
    """One picture of the tiny store, read four times as the frames of a clip."""
    store = write_store(folder / "store", num_videos=1)
    clip = Clip(
        id="a", video="test/0", start_frame=3, end_frame=4, start_s=0.375, end_s=0.5, text="",
        sentiment_logits=(0.0,) * 7, person_share=1.0,
    )  # fmt: skip
    settings, preprocess = ClipSettings(num_frames=4), Preprocess(image_size=32)
    return ClipDataset(store, [clip], settings=settings, preprocess=preprocess, augment=augment, seed=seed)


def test_all_frames_of_a_clip_get_one_distortion_and_their_boxes_with_them(tmp_path: Path) -> None:
    strengths = {"rotation": 30, "zoom": 0.3, "shift": 0.1, "light": 0.3, "erase": 1.0}
    augment = Augment(crop=1.0, distort=Distortions.model_validate(strengths))
    dataset = clip_of_one_picture(tmp_path, augment)
    sample = dataset[(0, 0)]
    frames, boxes = sample.frames.clone(), [own.clone() for own in sample.boxes]
    assert all(torch.equal(frame, frames[0]) for frame in frames)
    assert all(torch.equal(own, boxes[0]) for own in boxes)
    other_epoch, again = dataset[(1, 0)].frames.clone(), dataset[(0, 0)].frames
    assert torch.equal(again, frames)
    assert not torch.equal(other_epoch, frames)
    dataset.augment = Augment(crop=1.0)
    assert not torch.equal(dataset[(0, 0)].boxes[0], boxes[0])
