"""A picture is the same, however a program holds it."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mien.media.pictures import read_picture
from mien.types import MienError

RGB = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
ROTATED_RIGHT = 6
"""EXIF's orientation of a picture to be turned by 90 degrees clockwise."""


def png(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def test_path_bytes_array_tensor_and_image_are_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "a picture without an ending"
    path.write_bytes(png(RGB))
    tensor = torch.from_numpy(RGB).permute(2, 0, 1)  # h w 3 -> 3 h w
    for held in (path, str(path), png(RGB), RGB, tensor, Image.fromarray(RGB)):
        assert np.array_equal(read_picture(held), RGB)


def test_grey_becomes_three_equal_colours_and_transparency_goes() -> None:
    grey, rgba = RGB[..., 0], Image.fromarray(RGB).convert("RGBA")
    for held in (grey, torch.from_numpy(grey)[None], Image.fromarray(grey)):
        assert np.array_equal(read_picture(held), np.stack([grey] * 3, axis=-1))
    assert np.array_equal(read_picture(rgba), RGB)


def test_a_photo_is_turned_upright_from_bytes_and_by_pil() -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = ROTATED_RIGHT
    Image.fromarray(RGB).resize((64, 96)).save(file, "JPEG", exif=exif)
    assert read_picture(file.getvalue()).shape == (64, 96, 3)
    assert read_picture(Image.open(file)).shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (b"", r"the picture is empty \(0 bytes\)"),
        (b"<html>not found</html>", "the picture cannot be decoded as a picture: a JPEG, PNG"),
        (png(RGB)[:20], "the picture cannot be decoded"),
        ("nowhere.jpg", "no file at nowhere.jpg"),
        (".", r"\. cannot be read: Is a directory"),
        (RGB / 255, "float64; uint8 from 0 to 255"),
        (RGB[..., :2], r"array \(6, 4, 2\)"),
        (RGB[:0], r"array \(0, 4, 3\)"),
        (RGB[None], r"array \(1, 6, 4, 3\)"),
        (torch.from_numpy(RGB), r"tensor \(6, 4, 3\); a picture is \[3, h, w\]"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is(held, message: str) -> None:
    with pytest.raises(MienError, match=message):
        read_picture(held)


def test_a_list_of_files_that_ffmpeg_would_open_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(RGB))
    for playlist in (f"ffconcat version 1.0\nfile '{tmp_path}/secret.png'\n", "#EXTM3U\n#EXTINF:1,\nsecret.png\n"):
        with pytest.raises(MienError, match="cannot be decoded"):
            read_picture(playlist.encode())
