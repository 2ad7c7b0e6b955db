"""Classifiers of words from the Hugging Face hub: a model of the library transformers with its tokenizer.

Needs the extra `hf`. Nothing is downloaded but what a hub id names, and no code of a model's is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.file_digest import sha256_of
from mien.hub_fetch import fetching, import_transformers
from mien.types import MienError

PREFIX = "hf:"
"""Stands before a hub id, where a model is named."""

MAX_TOKENS = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Classifier:
    """A classifier with its tokenizer; `id` is NAME@REVISION, of a folder NAME@DIGEST."""

    id: str
    tokenizer: Any
    model: Any
    labels: list[str]
    max_tokens: int


def load_classifier(name: str, *, kind: str) -> Classifier:
    """The model of `kind` (a class of transformers) in a folder, or of a hub id, OWNER/NAME or OWNER/NAME@REVISION.

    Raises MienError if the extra is missing, the model cannot be had, or it was not trained as one of that kind.
    """
    transformers = import_transformers(name)
    folder, revision, id = _place(name)
    try:
        model, report = getattr(transformers, kind).from_pretrained(
            folder, revision=revision, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, revision=revision, trust_remote_code=False)
    except Exception as error:  # the libraries' errors have no common ancestor
        raise MienError(
            f"{name} cannot be loaded as a {kind.removeprefix('AutoModelFor')} model: {type(error).__name__}: {error}"
        ) from error
    if report["missing_keys"]:
        raise MienError(
            f"{name} has no trained {', '.join(sorted(report['missing_keys']))}: it was not trained as a "
            f"{kind.removeprefix('AutoModelFor')} model; take one that was"
        )
    config = model.config.to_dict()
    longest = int(config.get("max_position_embeddings") or MAX_TOKENS) - 2  # RoBERTa's first two stand for nothing
    return Classifier(
        id=id,
        tokenizer=tokenizer,
        model=model.eval(),
        labels=[model.config.id2label[i] for i in range(model.config.num_labels)],
        max_tokens=min(MAX_TOKENS, longest, tokenizer.model_max_length),
    )


def is_transformers_folder(folder: Path) -> bool:
    """Whether `folder` holds a model of the library transformers: only its config.json names a `model_type`."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, Mapping) and "model_type" in config


def _place(name: str) -> tuple[str, str | None, str]:
    """The folder or hub id to load from, the revision there, and the id that names both."""
    folder = Path(name)
    if folder.is_dir():
        return str(folder), None, f"{folder.resolve().name}@{_digest(folder)}"
    hub_id, _, revision = name.partition("@")
    if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?", hub_id) is None:
        raise MienError(f"no model folder at {name}; give one, or a hub id: OWNER/NAME or OWNER/NAME@REVISION")
    from huggingface_hub import hf_hub_download

    with fetching(name):
        config = hf_hub_download(hub_id, "config.json", revision=revision or None)
    commit = Path(config).parent.name  # the cache keeps a folder a commit
    return hub_id, commit, f"{hub_id}@{commit}"


def _digest(folder: Path) -> str:
    """A short fingerprint of all that a model is made of."""
    kinds = (".json", ".safetensors", ".bin", ".model", ".txt")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in kinds]
    return sha256_of(files, with_names=True)[:12]
