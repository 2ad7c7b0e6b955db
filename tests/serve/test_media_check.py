"""Uploads are told by their content, and judged before a picture of them is decoded."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_videos import write_video
from PIL import Image

from mien.serve.media_check import check_media
from mien.serve.refusal import Refused
from mien.serve.settings import Limits

LIMITS = Limits(video_frames=200, video_pixels=500_000)


def saved(kind: str, *, width: int = 64, height: int = 48) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, kind)
    return file.getvalue()


def check(path: Path, *, at_most_s: float = 30.0) -> tuple:
    facts = check_media(path, limits=LIMITS, at_most_s=at_most_s)
    return facts.kind, facts.suffix, facts.width, facts.height, facts.num_frames


@pytest.mark.parametrize(
    ("kind", "suffix"), [("png", ".png"), ("jpeg", ".jpg"), ("bmp", ".bmp"), ("tiff", ".tif"), ("webp", ".webp")]
)
def test_picture_is_known_by_its_content(kind: str, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(saved(kind))
    assert check(tmp_path / "upload") == ("picture", suffix, 64, 48, 1)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4"), (".flv", "flv1"), (".ts", "libx264"),
     (".mpg", "libx264"), (".wmv", "wmv2"), (".mxf", "libx264"), (".ogv", "libvpx")],
)  # fmt: skip
def test_video_is_known_by_its_content_and_its_pictures_counted(suffix: str, codec: str, tmp_path: Path) -> None:
    made = write_video(tmp_path / f"v{suffix}", codec=codec, fps=25 if suffix == ".mxf" else 8)
    assert check(made.rename(tmp_path / "upload")) == ("video", suffix, 64, 48, 16)


def test_longest_video_is_taken_and_a_longer_one_refused(tmp_path: Path) -> None:
    made = write_video(tmp_path / "v.mp4")
    assert check(made, at_most_s=2.0)[0] == "video"
    with pytest.raises(Refused, match=r"lasts 2\.0 s; here it may last 1\.9 s") as refused:
        check(made, at_most_s=1.9)
    assert refused.value.status == 413


def test_length_that_no_header_tells_is_found_by_its_pictures_times(tmp_path: Path) -> None:
    made = write_video(tmp_path / "v.ts", num_frames=40)
    with pytest.raises(Refused, match=r"lasts [45]\.\d s"):
        check(made, at_most_s=3.0)


STATUS = {
    "bomb.png": None,  # its size is harmless, and decoders stop there
    "text_bomb.png": 415,
    "cut.png": None,
    "huge.png": 413, "wide.png": 413, "huge.bmp": 413, "huge.webp": 413, "huge.tif": 413, "huge.jpg": 413,
    "many_frames.mp4": 413, "long.mp4": 413, "jumping.mkv": 413, "large.mp4": 413,
}  # fmt: skip
"""What hostile files are refused with, where that is not 415; None: taken, and told when they are decoded."""


def test_hostile_files_are_refused_undecoded(hostile: dict[str, bytes], tmp_path: Path) -> None:
    found = dict[str, int | None]()
    for name, content in hostile.items():
        path = tmp_path / "uploads" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        try:
            check(path)
            found[name] = None
        except Refused as error:
            found[name] = error.status
    assert found == {name: STATUS.get(name, 415) for name in hostile}


@given(content=st.binary(max_size=2000), start=st.sampled_from(["", "png", "jpeg", "webp", "tiff", "bmp"]))
def test_any_bytes_are_taken_or_refused(content: bytes, start: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any_bytes"
    path.write_bytes((saved(start)[:40] if start else b"") + content)
    status, facts = 200, None
    try:
        facts = check_media(path, limits=LIMITS, at_most_s=30.0)
    except Refused as error:
        status = error.status
    assert status in ((413, 415) if facts is None else (200,))
    assert facts is None or facts.width * facts.height <= LIMITS.picture_pixels
