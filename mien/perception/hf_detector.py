"""A detector of persons from the Hugging Face hub, by transformers: `hf:OWNER/NAME[@REVISION]` or `hf:FOLDER`.

Needs the extra `hf`. Any model of AutoModelForObjectDetection that has a class called person: DETR, RT-DETR, D-FINE,
YOLOS. Nothing is downloaded but what a hub id names, and no code of a model's is run.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import BaseModel, ValidationError

from mien.file_digest import sha256_of
from mien.hub_fetch import fetch_folder, import_transformers
from mien.perception.detections import choose, highest_first, in_frame, without_doubles
from mien.perception.letterbox import stretch
from mien.types import Detections, MienError

PERSON = "person"
FLOOR = 0.1  # scores below are noise
THINNEST = 4  # image processors scale pictures that are thinner, long to short side, to nothing
SAME_IOU = 0.7  # such models mean to find each person once, so only near copies go
CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
PROCESSOR = "processor_config.json"  # the newer place of the former
FILES = (CONFIG, PREPROCESSOR, PROCESSOR, WEIGHTS)


class HfDetector:
    """Finds persons with a model of the hub, or in a folder here; weights are read at the first use.

    Raises MienError at once if it cannot be had or knows no persons. Pictures are prepared by the model's own image
    processor in its form without torchvision, and its boxes read by it.
    """

    finds: Literal["persons"] = "persons"
    threshold = 0.5

    def __init__(self, where: str, *, threads: int = 0) -> None:
        self.where = where
        self.threads = threads
        self.folder, revision = find_folder(where)
        self.person = person_class(self.folder / CONFIG)
        self.id = f"hf:{where.partition('@')[0]}@{revision}"

    def detect(self, frames: UInt8[np.ndarray, "n h w 3"]) -> list[Detections]:
        """Persons in each frame, highest score first, down to a score of 0.1, in pixels of these frames."""
        return [self._detect(frame) for frame in frames]  # one by one, so that a batch finds what singles do

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, (self.where, self.threads)

    def _detect(self, frame: UInt8[np.ndarray, "h w 3"]) -> Detections:
        height, width = frame.shape[:2]
        picture = not_too_thin(frame)
        inputs = self._processor(images=[picture], return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            outputs = self._model(**inputs)
        (read,) = self._processor.post_process_object_detection(
            outputs, threshold=FLOOR, target_sizes=torch.tensor([picture.shape[:2]])
        )
        found = Detections(
            xyxy=read["boxes"].reshape(-1, 4).float().numpy(), score=read["scores"].reshape(-1).float().numpy()
        )
        persons = choose(found, np.flatnonzero(read["labels"].reshape(-1).numpy() == self.person))
        as_it_is = stretch(frame_height=height, frame_width=width, input_height=height, input_width=width)
        return without_doubles(highest_first(in_frame(persons, as_it_is)), same_iou=SAME_IOU)

    @cached_property
    def _processor(self) -> Any:
        transformers = import_transformers(f"hf:{self.where}")
        # Two names of one wish: the processor that needs no torchvision.
        is_new = int(transformers.__version__.partition(".")[0]) >= 5
        choice: dict[str, Any] = {"backend": "pil"} if is_new else {"use_fast": False}
        return _load(transformers.AutoImageProcessor, self.folder, **choice)

    @cached_property
    def _model(self) -> Any:
        if self.threads:
            torch.set_num_threads(self.threads)  # of the whole process; there is no narrower setting
        return _load(import_transformers(f"hf:{self.where}").AutoModelForObjectDetection, self.folder).eval()


def _build(where: str, threads: int) -> HfDetector:
    return HfDetector(where, threads=threads)


def not_too_thin(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The frame with black below or beside it, if it is thinner than one to four."""
    height, width = frame.shape[:2]
    below, beside = max(0, -(-width // THINNEST) - height), max(0, -(-height // THINNEST) - width)
    return np.pad(frame, ((0, below), (0, beside), (0, 0))) if below or beside else frame


def find_folder(where: str) -> tuple[Path, str]:
    """Where a model's files are, fetched if need be, and their revision: the commit, of a folder here a digest."""
    import_transformers(f"hf:{where}")
    folder = Path(where).expanduser()
    if folder.is_dir():
        return folder, sha256_of(folder / name for name in FILES if (folder / name).is_file())[:12]
    name = where.partition("@")[0]
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise MienError(f"no folder {where}; give one with {CONFIG}, or a hub id OWNER/NAME or OWNER/NAME@REVISION")
    fetched = fetch_folder(where, files=FILES)
    return fetched, fetched.name  # the cache keeps a commit in a folder of its name


def person_class(config: Path) -> int:
    """The number of the class called person; raises MienError naming those there are if none is."""
    if not config.is_file():
        raise MienError(f"no {config}; give a folder of a model that transformers saved")
    try:
        labels = _Labels.model_validate_json(config.read_bytes()).id2label or {}
    except ValidationError as error:
        raise MienError(f"{config} is not one that transformers saved ({error}); fetch the model again") from error
    for number, label in labels.items():
        if str(label).strip().lower() == PERSON:
            return number
    named = ", ".join(map(str, list(labels.values())[:20])) or "none"
    raise MienError(f"{config} has no class {PERSON!r} among its labels ({named}); take a detector that finds persons")


class _Labels(BaseModel):
    """What is read of a model's config.json."""

    id2label: dict[int, Any] | None = None


def _load(kind: Any, folder: Path, **choice: Any) -> Any:
    try:
        return kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **choice)
    except Exception as error:  # the libraries' errors have no common ancestor
        raise MienError(
            f"{folder} cannot be read by transformers as {kind.__name__}: {type(error).__name__}: {error}"
        ) from error
