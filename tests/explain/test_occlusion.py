"""Hiding: what is hidden is gone, the rest stays, and what a word rests on shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mien.explain.explanation import TokenAttention, log_odds, share_on
from mien.explain.occlusion import heat_map, hide, mask_parts, squares

WORDS = ("bright", "dark")


def brightness_of_corner(clips: torch.Tensor) -> torch.Tensor:
    """A model that looks at the upper left quarter only: the brighter, the likelier `bright`."""
    size = clips.shape[-1]
    bright = clips[..., : size // 2, : size // 2].float().mean(dim=(1, 2, 3, 4)) / 64
    return torch.stack([bright, torch.zeros_like(bright)], dim=1).softmax(dim=1)


def white_corner(*, num_frames: int = 2, size: int = 8) -> np.ndarray:
    frames = np.zeros((num_frames, size, size, 3), np.uint8)
    frames[:, : size // 2, : size // 2] = 200
    return frames


def test_hidden_pixels_take_the_mean_colour_and_others_stay() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), np.uint8)
    mask = np.zeros((2, 8, 8), bool)
    mask[0, :4] = True
    hidden = hide(frames, mask, fill="mean")
    assert np.array_equal(hidden[1], frames[1])
    assert np.array_equal(hidden[0, 4:], frames[0, 4:])
    assert (hidden[0, :4] == frames[0].mean(axis=(0, 1)).round()).all()


def test_blur_keeps_the_mean_and_removes_detail() -> None:
    frames = np.zeros((1, 48, 48, 3), np.uint8)
    frames[0, ::2] = 200  # stripes
    hidden = hide(frames, np.ones((1, 48, 48), bool), fill="blur")
    assert hidden.mean() == pytest.approx(100, abs=1)
    assert hidden.std() < frames.std() / 10


@pytest.mark.parametrize(("size", "cells"), [(48, 8), (96, 7), (224, 7), (5, 5)])
def test_squares_cover_each_pixel_once(size: int, cells: int) -> None:
    masks = squares(size, cells=cells)
    assert len(masks) == cells**2
    assert (masks.sum(axis=0) == 1).all()
    assert masks.sum(axis=(1, 2)).min() >= (size // cells) ** 2


def test_heat_map_is_where_the_model_looks_and_nowhere_else() -> None:
    found = heat_map(white_corner(), score=brightness_of_corner, words=WORDS, cells=4)
    assert found.word == "bright"
    corner = np.zeros((4, 4), bool)
    corner[:2, :2] = True
    assert (found.drop[corner] > 0.1).all()
    assert found.drop[~corner] == pytest.approx(0, abs=1e-5)


def test_parts_that_matter_lower_the_word_and_others_do_not() -> None:
    corner = white_corner()[..., 0] > 0
    masked = mask_parts(white_corner(), {"corner": corner, "rest": ~corner}, score=brightness_of_corner, words=WORDS)
    assert [(m.part, m.fill, m.share) for m in masked] == [
        ("corner", "mean", 0.25), ("corner", "blur", 0.25), ("rest", "mean", 0.75), ("rest", "blur", 0.75),
    ]  # fmt: skip
    whole = math.exp(200 / 64) / (1 + math.exp(200 / 64))
    assert masked[0].scores["bright"] < whole - 0.1
    assert masked[2].scores["bright"] == pytest.approx(whole, abs=1e-5)
    assert mask_parts(white_corner(), {}, score=brightness_of_corner, words=WORDS) == ()


def test_log_odds_tell_more_from_less_where_probabilities_round_to_one() -> None:
    assert log_odds({"a": 0.5, "b": 0.5}, "a") == 0
    assert log_odds({"a": 10 / 11, "b": 1 / 22, "c": 1 / 22}, "a") == pytest.approx(math.log(10))
    assert log_odds({"a": 1.0, "b": 1e-9}, "a") > log_odds({"a": 1.0, "b": 1e-6}, "a") == pytest.approx(math.log(1e6))
    assert math.isfinite(log_odds({"a": 1.0, "b": 0.0}, "a"))


def test_evenly_spread_attention_is_a_part_s_share_of_the_pixels() -> None:
    even = TokenAttention(token="[cls]", weights=np.full((3, 2, 4, 4), 1 / 20))
    part = np.zeros((2, 8, 8), bool)
    part[:, :2, :4] = True
    assert share_on(even, part) == pytest.approx(8 / 64)
    weights = np.zeros((1, 2, 4, 4))
    weights[0, :, 0, 0] = 0.3
    assert share_on(TokenAttention(token="[cls]", weights=weights), part) == pytest.approx(1)
