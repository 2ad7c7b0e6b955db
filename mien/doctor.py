"""What is installed, which devices there are, which assets are in place: the first thing to look at when it fails."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien import __version__
from mien.types import ASSETS

REQUIRED = (
    "torch", "numpy", "av", "opencv-python-headless", "onnxruntime", "simplejpeg", "pyyaml", "safetensors",
    "huggingface-hub", "tokenizers", "ftfy", "pydantic", "pyarrow", "scikit-learn", "matplotlib", "rich", "typer",
    "einops", "jaxtyping", "scipy", "fsspec", "charset-normalizer",
)  # fmt: skip
OPTIONAL = {
    "tensorboard": "train", "transformers": "hf", "faster-whisper": "asr", "ray": "ray", "h5py": "hdf5",
    "onnxscript": "onnx",
}  # fmt: skip
SHIPPED = {
    "person detector": "centernet/centernet.onnx",
    "face detector": "centerface/centerface.onnx",
    "face emotion": "face/model.safetensors",
    "punctuation": "punctuation/model.safetensors",
    "utterance emotion": "utterance/model.safetensors",
    "CLIP tokenizer": "clip_bpe/tokenizer.json",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the report. `missing` things stop something from working; `absent` ones are options."""

    what: str
    state: Literal["ok", "missing", "absent"]
    detail: str


def examine() -> list[Finding]:
    """Everything there is to say of this installation, most general first."""
    return [
        Finding(what="mien", state="ok", detail=f"{__version__} in {Path(__file__).parent}"),
        Finding(what="python", state="ok", detail=f"{platform.python_version()} on {platform.platform()}"),
        *(_package(name, extra=None) for name in REQUIRED),
        *(_package(name, extra=extra) for name, extra in OPTIONAL.items()),
        *_devices(),
        *(_asset(what, ASSETS / path) for what, path in SHIPPED.items()),
        _disk(),
    ]


def _package(name: str, *, extra: str | None) -> Finding:
    try:
        return Finding(what=name, state="ok", detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        if extra:
            return Finding(what=name, state="absent", detail=f"optional: pip install 'mien[{extra}]'")
        return Finding(what=name, state="missing", detail=f"pip install {name}")


def _devices() -> list[Finding]:
    import onnxruntime
    import torch

    cores = f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads"
    rows = [Finding(what="cpu", state="ok", detail=cores)]
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(i)
            detail = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
            rows.append(Finding(what=f"cuda:{i}", state="ok", detail=detail))
    else:
        rows.append(
            Finding(what="cuda", state="absent", detail="no GPU that torch can use; everything runs on the CPU")
        )
    providers = ", ".join(p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers())
    return [*rows, Finding(what="onnxruntime on", state="ok", detail=providers)]


def _asset(what: str, path: Path) -> Finding:
    if path.is_file():
        return Finding(what=what, state="ok", detail=f"{path.name}, {path.stat().st_size / 1e6:.1f} MB")
    return Finding(what=what, state="missing", detail=f"{path} is not there; reinstall mien")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding(what="disk", state="ok" if free > 1 else "missing", detail=f"{free:.0f} GB free in {Path.cwd()}")
