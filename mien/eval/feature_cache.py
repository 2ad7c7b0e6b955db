"""The feature cache: what a frozen model made of a split's clips, kept in the store until what it is made of changes.

`STORE/features/FINGERPRINT.safetensors` holds the rows `x` and nothing else. The fingerprint is of all that goes into
them: the model and how it reads (`model`), the clips with their times and texts, the files of their videos, the
versions of mien and torch, and the source files between a store and an embedding. Labels are not among it: they are
read from the annotations each time. What does not read as it was written is made anew.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

import mien
from mien.data.store import BOXES_FILE, FRAMES_FILE, Store
from mien.data.tables import made_with
from mien.file_digest import sha256_of
from mien.types import Clip, MienError
from mien.whole_file import whole_file

PACKAGE = Path(mien.__file__).parent
SOURCES = (
    "data/*.py", "engine.py", "eval/features.py", "inference.py", "media/*.py", "models/*.py", "onnx_*.py", "text.py",
    "types.py",
)  # fmt: skip
"""What decides how a clip becomes an embedding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureCache:
    """Features of one model on clips of one store. `model`: its weights' hash, its settings, the device, as JSON."""

    store: Store
    model: Mapping[str, Any]

    def load(self, clips: Sequence[Clip]) -> Float32[np.ndarray, "n e"] | None:
        """The features of `clips`, in their order; None if they are not there, or not whole."""
        path = self.path(clips)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                x, metadata = file.get_tensor("x"), file.metadata() or {}
        except (OSError, SafetensorError):
            return None
        is_whole = x.dtype == np.float32 and x.ndim == 2 and len(x) == len(clips)
        return x if is_whole and metadata.get("sha256") == _sha256(x) else None

    def save(self, clips: Sequence[Clip], x: Float32[np.ndarray, "n e"]) -> None:
        """Keep the features of `clips`. A store that cannot be written to costs a warning."""
        path = self.path(clips)
        try:
            with whole_file(path) as part:
                save_file({"x": np.ascontiguousarray(x)}, part, metadata={"sha256": _sha256(x)})
        except (OSError, MienError, SafetensorError) as error:
            warnings.warn(f"features are not kept for the next time: {error}", stacklevel=2)

    def path(self, clips: Sequence[Clip]) -> Path:
        """Where the features of `clips` are, or would be."""
        return self.store.path / "features" / f"{self.fingerprint(clips)}.safetensors"

    def fingerprint(self, clips: Sequence[Clip]) -> str:
        """32 hexadecimal digits of all that the features of `clips` depend on."""
        videos = sorted({clip.video for clip in clips})
        made_of = {
            "model": dict(self.model),
            "clips": [asdict(clip) for clip in clips],
            "store": self.store.settings,
            "videos": {video: _video(self.store, video) for video in videos},
            "versions": [mien.__version__, str(torch.__version__)],
            "sources": source_digest(PACKAGE),
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class KnownFeatures:
    """Features that are in memory already, of clips that several splits share."""

    rows: Mapping[Clip, Float32[np.ndarray, "e"]]

    def load(self, clips: Sequence[Clip]) -> Float32[np.ndarray, "n e"] | None:
        """The features of `clips`, in their order; None if there are not those of each."""
        return np.stack([self.rows[clip] for clip in clips]) if all(clip in self.rows for clip in clips) else None

    def save(self, clips: Sequence[Clip], x: Float32[np.ndarray, "n e"]) -> None:
        """Nothing: what is known is on the disk as it was made, of all the clips together."""


@cache
def source_digest(package: Path) -> str:
    """Fingerprint of the source files, and of their names, that `SOURCES` tells."""
    return sha256_of(sorted(file for pattern in SOURCES for file in package.glob(pattern)), with_names=True)


def _video(store: Store, video: str) -> dict[str, Any]:
    """What a video's pictures and boxes were made of, and whether their files are the same."""
    folder = store.folder(video)
    files = [folder / FRAMES_FILE, folder / BOXES_FILE]
    return {
        "frames": store.frames(video).made_with,
        "boxes": made_with(folder / BOXES_FILE),
        "files": [[stat.st_size, stat.st_mtime_ns] for stat in (file.stat() for file in files if file.is_file())],
    }


def _sha256(x: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
