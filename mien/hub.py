"""Model folders on disk and on the hub: `config.json`, weights or graphs, `tokenizer.json`, `README.md`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mien.checkpoint import load_weights, whole_folder
from mien.config import validate
from mien.errors import did_you_mean
from mien.file_digest import sha256_of
from mien.hub_fetch import HUB, fetch_folder
from mien.hub_push import push_files
from mien.model_card import Measured, for_hub, model_card, with_results
from mien.model_folder import CARD, CONFIG, FILES, FRAMES, PRETRAINING, TOKENIZER, WEIGHTS, ModelFolder
from mien.models.video_clip import VideoClip
from mien.text import Tokenizer
from mien.types import ASSETS, MienError

SHIPPED = {"face": ASSETS / "face"}
"""Models that come with the package, by their names; a folder of such a name is `./face`."""


def save_model(
    path: Path,
    *,
    weights: Mapping[str, Tensor],
    config: ModelFolder,
    tokenizer: Tokenizer | None,
    notes: str = "",
    card: str | None = None,
    half: bool = False,
    pretraining: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes the model folder; it appears whole or not at all, and replaces nothing but a model folder.

    Without a tokenizer (foreign weights may come without one), the model takes token ids only. card: the folder's
    README; by default one is written, which opens with `notes`. half: write weights as 16-bit floats, half the bytes;
    they are computed with as 32-bit ones. Raises MienError where one does not fit in.
    pretraining: what `load_pretraining` gives back.
    """
    path = path.absolute()
    require_replaceable(path)
    with whole_folder(path) as partial:
        tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
        if half:
            tensors = {name: _halved(name, tensor) for name, tensor in tensors.items()}
        count = sum(tensor.numel() for tensor in tensors.values())
        save_file(tensors, partial / WEIGHTS, metadata={"format": "pt"})
        (partial / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        shutil.copymode(partial / CONFIG, partial / WEIGHTS)  # safetensors writes for its owner's eyes only
        if pretraining:
            save_file(dict(pretraining), partial / PRETRAINING, metadata={"format": "pt"})
            shutil.copymode(partial / CONFIG, partial / PRETRAINING)
        if tokenizer is not None:
            tokenizer.save(partial / TOKENIZER)
        (partial / CARD).write_text(card or model_card(config, num_parameters=count, notes=notes), encoding="utf-8")


def load_model(name: str | Path) -> tuple[VideoClip, ModelFolder, Tokenizer | None]:
    """The model in a folder, or on the hub, by `hf:` and its id (which downloads it unless it is in the cache).

    The tokenizer is None where the folder has none: such a model takes token ids only.
    """
    folder = resolve(name)
    config = read_config(folder)
    if config.graphs is not None:
        raise MienError(f"{name} holds ONNX graphs, not weights: Mien.from_pretrained runs it; take the model it is of")
    model = VideoClip(config.architecture)
    load_weights(model, folder / WEIGHTS)
    return model.eval(), config, load_tokenizer(folder)


def read_config(folder: Path) -> ModelFolder:
    """What a model folder's `config.json` says."""
    return validate(ModelFolder, _read_json(folder / CONFIG), source=str(folder / CONFIG))


def load_tokenizer(folder: Path) -> Tokenizer | None:
    """A model folder's tokenizer, if it has one."""
    return Tokenizer.load(folder / TOKENIZER) if (folder / TOKENIZER).is_file() else None


def read_card(folder: Path) -> str | None:
    """A model folder's README, if it has one."""
    return (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else None


def load_pretraining(name: str | Path) -> dict[str, Tensor]:
    """Decoder and fusion beside the model in a folder; nothing where there are none, or on the hub."""
    path = resolve(name) / PRETRAINING
    try:
        return load_file(path) if path.is_file() else {}
    except SafetensorError as error:
        raise MienError(f"{path} is damaged: {error}; convert the checkpoint again") from error


def resolve(name: str | Path) -> Path:
    """The local folder of a model: the path itself, that of one of SHIPPED, or a download of `hf:OWNER/NAME` or
    `hf:OWNER/NAME@REVISION`.

    Only `hf:` reaches for the hub: `models/mine`, mistyped, must not fetch what somebody of that name has there.
    """
    if str(name).startswith(HUB):
        return fetch_folder(str(name).removeprefix(HUB), files=FILES)
    folder = SHIPPED.get(name, Path(name)) if isinstance(name, str) else name
    if folder.is_dir():
        return folder
    if folder.parent.is_dir() and folder.name == "model":
        raise MienError(
            f"{folder.parent} has no finished model; run `mien train` again, which goes on where it stopped"
        )
    raise MienError(
        f"no model folder at {name}; give a folder with {CONFIG} (`mien train` and `mien convert` make such), or a "
        f"model on the hub as {HUB}OWNER/NAME or {HUB}OWNER/NAME@REVISION, or the name of a shipped one, "
        f"{', '.join(SHIPPED)}{did_you_mean(str(name), SHIPPED)}"
    )


def push_model(name: str | Path, repo_id: str, *, private: bool = True, measured: Sequence[Measured] = ()) -> str:
    """Uploads a model's files to the hub as OWNER/NAME, as they are, and returns the address of what was committed.

    Its card is the folder's README, to which `measured` is added; where there is none, one is written. A repository
    that is there already stays as public as it was. Raises MienError without a token, and where the hub refuses.
    """
    folder = resolve(name)
    config = read_config(folder)
    card = read_card(folder)
    if card is None:
        count = sum(parameter.numel() for parameter in VideoClip(config.architecture).parameters())
        card = model_card(config, num_parameters=count)
    card = with_results(for_hub(card, repo_id), measured, name=repo_id.rpartition("/")[2])
    files: dict[str, Path | bytes] = {file: folder / file for file in FILES if (folder / file).is_file()}
    return push_files(files | {CARD: card.encode()}, repo_id, private=private)


def weights_hash(folder: Path) -> str:
    """A short fingerprint of a model folder's weights, for results; of ONNX graphs, that of those they were made of."""
    graphs = read_config(folder).graphs if (folder / FRAMES).is_file() else None
    return sha256_of([folder / WEIGHTS])[:16] if graphs is None else graphs.weights_hash


def require_replaceable(path: Path) -> None:
    """Raises MienError where `path` holds anything but a model folder of ours."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    names = {p.name for p in path.iterdir()} if path.is_dir() else {path.name}
    is_ours = path.is_dir() and (path / CONFIG).is_file() and "made_with" in _read_json(path / CONFIG)
    if not is_ours or names - set(FILES):
        raise MienError(f"{path} exists and is not a model folder of ours alone; name a new folder for the model")


def _halved(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    if not torch.isfinite(halved).all():
        raise MienError(f"{name} does not fit into 16-bit floats: it goes up to {float(tensor.abs().max()):g}")
    return halved


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MienError(f"no {path.name} in {path.parent}: not a model folder; `mien convert` makes one") from None
    except json.JSONDecodeError as error:
        raise MienError(f"{path} is not valid JSON: {error}") from error
