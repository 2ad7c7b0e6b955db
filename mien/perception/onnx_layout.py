"""The layout of a foreign detector's ONNX file: what goes in, what comes out, told from shapes and names.

The rule. One input is the picture: rank 4 with 3 channels, first (n, 3, h, w) or last (n, h, w, 3); sides that are
not fixed are taken to be 640. A second input of rank 2 takes the size of the frame, width and height. Outputs are

* `yolox`: one of shape (n, a, 5 + c), a being the cells of three grids of 8, 16 and 32 pixels: middle, sides, score of
  there being something, scores of c classes. Whether middle and sides are already in pixels is seen when it is run.
* `detr`: (n, q, c) scores before the sigmoid and (n, q, 4) middle and sides as shares of the picture.
* `boxes`: `labels` (n, q), `boxes` (n, q, 4) and `scores` (n, q), corners in pixels: of the frame if its size is an
  input, of the network's input otherwise.

What a person's class is follows from the number of classes: 1 or 80 (COCO), the first; 91 (COCO's own numbers), 1; 92,
those and "nothing" in a softmax; with `boxes`, which does not tell it, the first. How pixels are scaled no file tells
either: `yolox` takes BGR from 0 to 255 in a letterbox on grey 114; all others RGB from 0 to 1, stretched, and with 91
or 92 classes normalised as ImageNet is.
A file `NAME.onnx.json` beside `NAME.onnx` may say otherwise (SideFile).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mien.config import Config
from mien.types import MienError

Kind = Literal["yolox", "detr", "boxes"]
STRIDES = (8, 16, 32)
DEFAULT_SIDE = 640
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PERSON_OF = {1: 0, 80: 0, 91: 1, 92: 1}  # by the number of classes


class SideFile(Config):
    """What a `NAME.onnx.json` may say; None, or left out, is told from the file."""

    person: int | None = Field(None, ge=0)
    """A person's class."""
    side: int | None = Field(None, gt=0)
    """Pixels of the input's sides where the file leaves them open."""
    channels: Literal["rgb", "bgr"] | None = None
    scale: float | None = Field(None, gt=0)
    """Pixels are multiplied by it first,"""
    mean: tuple[float, float, float] | None = None
    """less this then,"""
    std: tuple[float, float, float] | None = None
    """divided by this last."""
    resize: Literal["letterbox", "stretch"] | None = None
    scores: Literal["sigmoid", "softmax"] | None = None
    """How the logits of `detr` become scores; softmax has a last class, "nothing"."""
    decoded: bool | None = None
    """Whether boxes of `yolox` are in pixels already."""
    threshold: float = Field(0.5, gt=0, lt=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How to run one file and read what it says."""

    kind: Kind
    picture: str
    """The input that takes the picture, by name."""
    picture_type: str
    """onnxruntime's word for its numbers, such as tensor(float)."""
    channels_first: bool
    height: int
    width: int
    frame_size: str | None
    """The input that takes the frame's width and height, by name, if there is one."""
    outputs: tuple[str, ...]
    """yolox: all in one; detr: logits, boxes; boxes: labels, boxes, scores."""
    person: int
    is_bgr: bool
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    is_letterbox: bool
    is_softmax: bool
    is_decoded: bool | None
    """Whether boxes of `yolox` are in pixels already; None: to be seen when it is run."""
    threshold: float


def read_side_file(path: Path) -> SideFile:
    """The side file beside the weights at `path`; one that says nothing where there is none."""
    side_path = side_file_of(path)
    if not side_path.is_file():
        return SideFile()
    try:
        return SideFile.model_validate_json(side_path.read_bytes())
    except ValidationError as error:
        raise MienError(f"{side_path}: {error}; it may have {', '.join(SideFile.model_fields)}") from error


def side_file_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def find_layout(inputs: Sequence[Any], outputs: Sequence[Any], side: SideFile, *, path: Path) -> Layout:
    """The layout by the rule above. `inputs` and `outputs` are onnxruntime's (name, shape, type)."""
    pictures = [i for i in inputs if len(i.shape) == 4 and 3 in (i.shape[1], i.shape[3])]
    sizes = [i for i in inputs if len(i.shape) == 2]
    if len(pictures) != 1 or len(pictures) + len(sizes) != len(inputs) or len(sizes) > 1:
        raise _unknown(path, inputs, outputs)
    (picture,) = pictures
    channels_first = picture.shape[1] == 3
    sides = picture.shape[2:] if channels_first else picture.shape[1:3]
    height, width = (s if isinstance(s, int) else side.side or DEFAULT_SIDE for s in sides)
    match = _match(outputs, height=height, width=width)
    if match is None:
        raise _unknown(path, inputs, outputs)
    kind, names, num_classes = match
    return Layout(
        kind=kind,
        picture=picture.name,
        picture_type=picture.type,
        channels_first=channels_first,
        height=height,
        width=width,
        frame_size=sizes[0].name if sizes else None,
        outputs=names,
        person=_person(side, num_classes, path),
        is_letterbox=(side.resize or ("letterbox" if kind == "yolox" else "stretch")) == "letterbox",
        is_softmax=(side.scores or ("softmax" if num_classes == 92 else "sigmoid")) == "softmax",
        is_decoded=side.decoded,
        threshold=side.threshold,
        **_pixels(side, kind, num_classes),
    )


def _match(outputs: Sequence[Any], *, height: int, width: int) -> tuple[Kind, tuple[str, ...], int | None] | None:
    """The kind, the names of its outputs in order, and the number of classes where it is known."""
    by_name = {o.name: o for o in outputs}
    if {"labels", "boxes", "scores"} == set(by_name):
        return "boxes", ("labels", "boxes", "scores"), None
    of_rank_3 = [o for o in outputs if len(o.shape) == 3]
    boxes = [o for o in of_rank_3 if o.shape[2] == 4]
    logits = [o for o in of_rank_3 if o.shape[2] != 4 and isinstance(o.shape[2], int)]
    if len(outputs) == len(logits) == 1:
        cells = sum((height // s) * (width // s) for s in STRIDES)
        name, (_, rows, columns) = logits[0].name, logits[0].shape
        is_yolox = (rows == cells or not isinstance(rows, int)) and columns > 5  # some files leave the rows open
        return ("yolox", (name,), columns - 5) if is_yolox else None
    if len(boxes) == len(logits) == 1 and boxes[0].shape[1] == logits[0].shape[1]:
        return "detr", (logits[0].name, boxes[0].name), logits[0].shape[2]
    return None


def _person(side: SideFile, num_classes: int | None, path: Path) -> int:
    if side.person is not None:
        if num_classes is not None and side.person >= num_classes:
            raise MienError(f"{side_file_of(path)}: person is {side.person}, but {path.name} has {num_classes} classes")
        return side.person
    if num_classes is None:
        return 0
    if num_classes not in PERSON_OF:
        raise MienError(
            f"{path} has {num_classes} classes, so which one is a person is not known; "
            f'write {side_file_of(path).name} beside it, e.g. {{"person": 0}}'
        )
    return PERSON_OF[num_classes]


def _pixels(side: SideFile, kind: Kind, num_classes: int | None) -> dict[str, Any]:
    like_imagenet = kind != "yolox" and num_classes in (91, 92)
    return {
        "is_bgr": (side.channels or ("bgr" if kind == "yolox" else "rgb")) == "bgr",
        "scale": side.scale or (1.0 if kind == "yolox" else 1 / 255),
        "mean": side.mean or (IMAGENET_MEAN if like_imagenet else (0.0, 0.0, 0.0)),
        "std": side.std or (IMAGENET_STD if like_imagenet else (1.0, 1.0, 1.0)),
    }


def _unknown(path: Path, inputs: Sequence[Any], outputs: Sequence[Any]) -> MienError:
    found = [
        f"{what} {', '.join(f'{v.name} {v.shape} {v.type}' for v in values) or '(none)'}"
        for what, values in (("inputs", inputs), ("outputs", outputs))
    ]
    return MienError(
        f"{path} is not a detector of a known layout: it has {' and '.join(found)}; known are YOLOX (one output "
        f"(n, cells, 5 + classes)), DETR (logits (n, q, classes) and boxes (n, q, 4)), and labels, boxes and scores"
    )
