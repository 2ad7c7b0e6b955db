"""Model folders: `config.json`, `model.safetensors`, `tokenizer.json`, `README.md`; on disk or on the hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from mien import __version__
from mien.checkpoint import load_weights, whole_folder
from mien.config import Config, validate
from mien.data.clips import ClipSettings
from mien.data.pictures import Shown
from mien.file_digest import sha256_of
from mien.hub_fetch import fetch_folder
from mien.media.transforms import Preprocess
from mien.models.video_clip import VideoClip, VideoClipConfig
from mien.text import Tokenizer
from mien.types import ASSETS, MienError

CONFIG, WEIGHTS, TOKENIZER, CARD = "config.json", "model.safetensors", "tokenizer.json", "README.md"
HUB = "hf:"
"""Stands before a hub id."""
SHIPPED = {"face": ASSETS / "face"}
"""Models that come with the package, by their names; a folder of such a name is `./face`."""


class ModelFolder(Config):
    """What `config.json` says of a model: how it is built, what it is fed, and on what terms it may be used."""

    format: int = 1
    architecture: VideoClipConfig
    preprocess: Preprocess
    clip: ClipSettings = ClipSettings()
    shown: Shown = "scenes"
    weights_license: str = "unknown"
    trained_on: str = "unknown"
    made_with: str = Field(default_factory=lambda: f"mien {__version__}")


def save_model(
    path: Path,
    *,
    weights: Mapping[str, Tensor],
    config: ModelFolder,
    tokenizer: Tokenizer | None,
    notes: str = "",
    half: bool = False,
) -> None:
    """Writes the model folder; it appears whole or not at all, and replaces nothing but a model folder.

    Without a tokenizer (foreign weights may come without one), the model takes token ids only. half: write weights as
    16-bit floats, half the bytes; they are computed with as 32-bit ones. Raises MienError where one does not fit in.
    """
    path = path.absolute()
    _require_replaceable(path)
    with whole_folder(path) as partial:
        tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
        if half:
            tensors = {name: _halved(name, tensor) for name, tensor in tensors.items()}
        save_file(tensors, partial / WEIGHTS, metadata={"format": "pt"})
        (partial / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        shutil.copymode(partial / CONFIG, partial / WEIGHTS)  # safetensors writes for its owner's eyes only
        if tokenizer is not None:
            tokenizer.save(partial / TOKENIZER)
        (partial / CARD).write_text(model_card(config, notes=notes), encoding="utf-8")


def load_model(name: str | Path) -> tuple[VideoClip, ModelFolder, Tokenizer | None]:
    """The model in a folder, or on the hub, by `hf:` and its id (which downloads it unless it is in the cache).

    The tokenizer is None where the folder has none: such a model takes token ids only.
    """
    folder = resolve(name)
    config = validate(ModelFolder, _read_json(folder / CONFIG), source=str(folder / CONFIG))
    model = VideoClip(config.architecture)
    load_weights(model, folder / WEIGHTS)
    has_tokenizer = (folder / TOKENIZER).is_file()
    return model.eval(), config, Tokenizer.load(folder / TOKENIZER) if has_tokenizer else None


def resolve(name: str | Path) -> Path:
    """The local folder of a model: the path itself, that of one of SHIPPED, or a download of `hf:OWNER/NAME` or
    `hf:OWNER/NAME@REVISION`.

    Only `hf:` reaches for the hub: `models/mine`, mistyped, must not fetch what somebody of that name has there.
    """
    if str(name).startswith(HUB):
        return fetch_folder(str(name).removeprefix(HUB), files=[CONFIG, WEIGHTS, TOKENIZER, CARD])
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
        f"{', '.join(SHIPPED)}"
    )


def weights_hash(folder: Path) -> str:
    """A short fingerprint of a model folder's weights, for results."""
    return sha256_of([folder / WEIGHTS])[:16]


def model_card(config: ModelFolder, *, notes: str) -> str:
    """The folder's README: the hub's YAML head, then what the model is, is for, and is not for."""
    architecture = config.architecture
    reads = architecture.text is not None
    usual = "An EmotionCLIP-style model: clips of people and what they say, in one space."
    usual = usual if reads else "An encoder of pictures, for probes and fine-tuning; it reads no texts."
    use = 'classify("video.mp4", ["joy", "anger"])' if reads else "encode_frames(pictures)  # uint8 [n, 3, h, w]"
    return f"""---
license: other
license_name: {config.weights_license}
library_name: mien
tags: [emotion-recognition, video, emotionclip]
---
# A mien model

{notes or usual}

| | |
|---|---|
| architecture | ViT {architecture.vision.width} wide, {architecture.vision.layers} layers, patch \
{architecture.vision.patch_size} at {architecture.vision.image_size} px; subject `{architecture.subject}`; \
temporal `{architecture.temporal.kind}` |
| trained on | {config.trained_on} |
| weights licence | {config.weights_license} |
| made with | {config.made_with} |

```python
from mien import Mien
model = Mien.from_pretrained("path/to/this/folder")
model.{use}
```

## Use
Outputs are *apparent* emotion: what an onlooker might say a person shows, not what the person feels.
**Out of scope**: decisions about people at work, in education, policing, hiring or health. The EU AI Act (Article
5(1)(f)) bans inferring emotions from biometrics in workplaces and education.
"""


def _halved(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    if not torch.isfinite(halved).all():
        raise MienError(f"{name} does not fit into 16-bit floats: it goes up to {float(tensor.abs().max()):g}")
    return halved


def _require_replaceable(path: Path) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    names = {p.name for p in path.iterdir()} if path.is_dir() else {path.name}
    is_ours = path.is_dir() and (path / CONFIG).is_file() and "made_with" in _read_json(path / CONFIG)
    if not is_ours or names - {CONFIG, WEIGHTS, TOKENIZER, CARD}:
        raise MienError(f"{path} exists and is not a model folder of ours alone; name a new folder for the model")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MienError(f"no {path.name} in {path.parent}: not a model folder; `mien convert` makes one") from None
    except json.JSONDecodeError as error:
        raise MienError(f"{path} is not valid JSON: {error}") from error
