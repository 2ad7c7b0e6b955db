"""The files of a small language model of ours: `config.json`, `tokenizer.json` and `model.safetensors` in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import tokenizers
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mien.config import Config, validate
from mien.file_digest import sha256_of
from mien.types import MienError

C = TypeVar("C", bound=Config)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFiles(Generic[C]):
    """What a model's folder holds; `digest` is a short fingerprint of all three files."""

    config: C
    bpe: tokenizers.Tokenizer
    tensors: dict[str, Tensor]
    digest: str
    folder: Path

    def fill(self, network: nn.Module, state: dict[str, Tensor]) -> None:
        """Gives `network` its weights; raises MienError where they are of other names or sizes."""
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            weights_file, config_file = self.folder / "model.safetensors", self.folder / "config.json"
            raise MienError(
                f"{weights_file} does not fit {config_file}; copy both again, from one model: {error}"
            ) from error


@contextmanager
def one_thread() -> Iterator[None]:
    """Has torch compute on one thread, so that sums, and with them a store, do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def read_model_files(folder: Path, config_class: type[C], *, script: str) -> ModelFiles[C]:
    """The files in `folder`, which `script` makes; raises MienError naming the one that is missing or broken."""
    files = [folder / name for name in ("config.json", "tokenizer.json", "model.safetensors")]
    for file in files:
        if not file.is_file():
            raise MienError(f"no {file.name} in {folder}; train one with {script}")
    config_file, tokenizer_file, weights_file = files
    config = validate(config_class, _read_json(config_file), source=str(config_file))
    try:
        bpe = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:  # the library raises nothing narrower than Exception
        raise MienError(f"{tokenizer_file} is not a tokenizer.json: {error}; copy it again") from error
    try:
        tensors = load_file(weights_file)
    except SafetensorError as error:
        raise MienError(f"{weights_file} is not a safetensors file: {error}; copy it again") from error
    return ModelFiles(config=config, bpe=bpe, tensors=tensors, digest=sha256_of(files)[:8], folder=folder)


def _read_json(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MienError(f"{path} is not JSON ({error}); copy it again or retrain the model") from error
    if not isinstance(data, dict):
        raise MienError(f"{path} must hold an object, not a {type(data).__name__}; copy it again")
    return data
