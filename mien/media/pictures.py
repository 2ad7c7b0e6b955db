"""A picture, however a program holds it: a file, its bytes, an array, a tensor, a PIL image; as RGB."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from mien.types import MienError

Picture = str | PathLike[str] | bytes | np.ndarray | Tensor | Image.Image
"""A path or the bytes of a JPEG, PNG, WebP, BMP or TIFF; a uint8 array `[h, w, 3]` or, grey, `[h, w]`; a uint8 tensor
`[3, h, w]` or `[1, h, w]`; an image of PIL. All in RGB."""

FORMATS = "a JPEG, PNG, WebP, BMP or TIFF"


def read_picture(picture: Picture, *, name: str | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """RGB, turned upright as the file's orientation says, transparency dropped.

    Raises MienError where it is none, and calls it `name`, a file by its path unless told. Files are decoded by
    OpenCV's codecs of still pictures, not as videos of one frame (mien.media.video): bytes may come from strangers, and
    some of FFmpeg's formats are lists of other files to open.
    """
    name = name or (str(picture) if isinstance(picture, str | PathLike) else "the picture")
    if isinstance(picture, str | PathLike):
        return _decode(_read(Path(picture)), name=name)
    if isinstance(picture, bytes):
        return _decode(picture, name=name)
    if isinstance(picture, Image.Image):
        if picture.mode[0] in "IF":
            raise MienError(
                f"{name} has PIL's mode {picture.mode}, of more than 8 bits; scale it to 0 to 255 and give an array"
            )
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    if isinstance(picture, Tensor):
        array = picture.detach().cpu().numpy()
        if array.ndim != 3 or len(array) not in (1, 3):
            raise MienError(f"{name} is a tensor {tuple(array.shape)}; a picture is [3, h, w], or grey [1, h, w]")
        return _rgb(np.moveaxis(array, 0, -1), name=name)  # 3 h w -> h w 3
    if isinstance(picture, np.ndarray):
        return _rgb(picture[..., None] if picture.ndim == 2 else picture, name=name)
    raise MienError(
        f"{name} is of type {type(picture).__name__}; a path, bytes, an array, a tensor or an image of PIL is wanted"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MienError(f"no file at {path}") from None
    except OSError as error:
        raise MienError(f"{path} cannot be read: {error.strerror}") from error


def _decode(data: bytes, *, name: str) -> UInt8[np.ndarray, "h w 3"]:
    if not data:
        raise MienError(f"{name} is empty (0 bytes); {FORMATS} is wanted")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # more pixels than OpenCV reads, 2³⁰
        raise MienError(f"{name} cannot be decoded: {error.err}") from error
    if bgr is None:
        raise MienError(f"{name} cannot be decoded as a picture: {FORMATS} is wanted, whole")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _rgb(array: np.ndarray, *, name: str) -> UInt8[np.ndarray, "h w 3"]:
    if array.dtype != np.uint8:
        raise MienError(f"{name} is of {array.dtype}; uint8 from 0 to 255 is wanted (encode_frames takes normalised)")
    if array.ndim != 3 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise MienError(f"{name} is an array {array.shape}; a picture is [h, w, 3] in RGB, or grey [h, w]")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
