"""Checkpoint files of others as tensors by name; nothing in a file is executed."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mien.types import MienError

WRAPPERS = ("model", "state_dict", "model_state_dict")
"""Under which training code puts a model's tensors in a checkpoint."""

COMPANIONS = ("att_fusion",)
"""What the released UniEmoX's training code puts beside `model`; its tensors are named `att_fusion.…`."""

PREFIXES = ("module.", "_orig_mod.", "clip.")
"""What DDP, torch.compile and Hugging Face's wrappers put before every name."""


BEGINNINGS = (b"\x80", b"PK")
"""How checkpoints begin: older ones are a pickle, newer ones a zip archive with one in it."""

GLOBAL = re.compile(r"\bGLOBAL (\S+)")
"""What PyTorch's restricted reader calls the function or class that a pickle asks for."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file or a PyTorch checkpoint, on the CPU; wrappers' prefixes are taken off."""
    if path.stat().st_size == 0:
        raise MienError(f"{path} is empty (0 bytes): copy or download it again")
    if path.suffix == ".safetensors":
        try:
            return _strip_prefixes(load_file(path))
        except (SafetensorError, OSError) as error:
            raise MienError(f"{path} is not a safetensors file: {error}") from error
    with path.open("rb") as file:
        if not file.read(2).startswith(BEGINNINGS):
            raise MienError(f"{path} is not a PyTorch checkpoint: it is neither a zip archive nor a pickle")
    try:
        _refuse_script(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # plain values, which MAE's code saves beside
            content = torch.load(path, map_location="cpu", weights_only=True)
    except MienError:
        raise
    except Exception as error:  # a damaged pickle or archive can raise anything
        if isinstance(error, pickle.UnpicklingError) and (asked := GLOBAL.search(str(error))):
            raise MienError(
                f"{path} holds more than tensors and plain values, and reading it would run code from it ({asked[1]}), "
                "which is refused. If you trust it, save its tensors alone: "
                "torch.save(torch.load(PATH, weights_only=False)['model'], 'tensors.pt')"
            ) from error
        raise MienError(f"{path} is not a PyTorch checkpoint, or damaged ({type(error).__name__})") from error
    return _strip_prefixes(_unwrap(content, path)) | _companions(content)


def _refuse_script(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        is_script = any(Path(name).name == "constants.pkl" for name in archive.namelist())
    if is_script:
        raise MienError(
            f"{path} is a TorchScript archive (as OpenAI's CLIP is): a program, not a state dict. If you trust it, "
            "save its tensors: torch.save(torch.jit.load(PATH, map_location='cpu').state_dict(), 'clip.pt')"
        )


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict in what a checkpoint's file holds."""
    if isinstance(content, Mapping):
        for key in WRAPPERS:
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        others = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
        if tensors and not others:
            return tensors
        found = f"keys {', '.join([*others, *tensors][:6]) or 'none'}"
    else:
        found = f"a {type(content).__name__}"
    raise MienError(
        f"{path} holds no state dict: it holds {found}. Known are a mapping of names to tensors, or one below "
        f"{', '.join(WRAPPERS)}."
    )


def _companions(content: Any) -> dict[str, Tensor]:
    """The tensors of a checkpoint's second models, below the names of these."""
    found = dict[str, Tensor]()
    for key in COMPANIONS:
        beside = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(beside, Mapping):
            tensors = {str(name): value for name, value in beside.items() if isinstance(value, Tensor)}
            found |= {f"{key}.{name}": tensor for name, tensor in _strip_prefixes(tensors).items()}
    return found


def _strip_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = dict(tensors)
    for prefix in PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            names = {name.removeprefix(prefix): tensor for name, tensor in names.items()}
    return names
