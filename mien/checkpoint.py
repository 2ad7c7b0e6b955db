"""Checkpoints of a training run: weights, the optimiser's state, and metadata a person can read.

A checkpoint is a folder that appears whole or not at all: it is written under a temporary name, flushed to disk, then
renamed. So a full disk or a kill in the middle leaves the one before.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mien.types import MienError

WEIGHTS, STATE, METADATA = "model.safetensors", "state.pt", "checkpoint.json"
PARTIAL = ".partial"


def save_checkpoint(
    folder: Path, *, step: int, write: Callable[[Path], None], metadata: Mapping[str, Any], keep_last: int
) -> Path:
    """Writes `folder/step-XXXXXXXX`, then removes all but the `keep_last` latest. Returns the new one's path.

    write: puts the state into the folder it is given (`save_state`, or shards that were written elsewhere).
    """
    path = folder / f"step-{step:08d}"
    with whole_folder(path) as partial:
        write(partial)
        (partial / METADATA).write_text(json.dumps({"step": step, **metadata}, indent=2) + "\n", encoding="utf-8")
    for old in checkpoints(folder)[:-keep_last]:
        shutil.rmtree(old)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints in `folder`, oldest first."""
    return sorted(path for path in folder.glob("step-*") if not path.name.endswith(PARTIAL))


def read_metadata(path: Path) -> dict[str, Any]:
    """A checkpoint's step, and what was given as metadata when it was saved."""
    try:
        return json.loads((path / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path / METADATA, error) from error


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Writes weights and optimiser state into a folder that is there."""
    save_file({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}, folder / WEIGHTS)
    torch.save(optimizer.state_dict(), folder / STATE)


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Reads what `save_state` wrote; tensors and plain values only, no code is run."""
    load_weights(model, folder / WEIGHTS)
    try:
        optimizer.load_state_dict(torch.load(folder / STATE, map_location="cpu", weights_only=True))
    except Exception as error:  # of many kinds, as a damaged file has it
        raise _damaged(folder / STATE, error) from error


def load_weights(model: nn.Module, path: Path) -> None:
    """Puts the weights of the safetensors file `path` into `model`; anything missing, left over or of another shape is
    an error that names it."""
    own = model.state_dict()
    try:
        theirs: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error
    problems = [f"missing: {name} {tuple(own[name].shape)}" for name in own.keys() - theirs.keys()]
    problems += [f"not of this model: {name} {tuple(theirs[name].shape)}" for name in theirs.keys() - own.keys()]
    problems += [
        f"{name}: {tuple(theirs[name].shape)} in the file, {tuple(own[name].shape)} in the model"
        for name in own.keys() & theirs.keys()
        if theirs[name].shape != own[name].shape
    ]
    if problems:
        shown = "\n".join(f"  {p}" for p in sorted(problems)[:12])
        raise MienError(
            f"{path} holds the weights of another architecture ({len(problems)} differences):\n{shown}\n"
            "Use the config the weights were trained with (config.yaml in the run, config.json in a model folder)."
        )
    model.load_state_dict(theirs)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` if the block ends well and vanishes if it does not."""
    partial = path.with_name(path.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _flush(file)
        before = path.with_name(path.name + ".before" + PARTIAL)
        if path.exists():
            path.replace(before)
        partial.replace(path)
        shutil.rmtree(before, ignore_errors=True)
    except (OSError, SafetensorError, RuntimeError) as error:  # the latter two: a full disk, as their writers see it
        raise MienError(f"could not write {path}: {error}; what was there before is unchanged") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _damaged(path: Path, error: Exception) -> MienError:
    return MienError(f"{path} cannot be read ({error}); remove its folder to fall back on an earlier checkpoint")
