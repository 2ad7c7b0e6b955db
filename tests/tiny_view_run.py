"""A run of UniEmoX of seconds: its settings, and a store with a teacher beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_run import config
from tiny_store import write_store
from tiny_views import ENCODER, teacher

from mien.config import validate
from mien.hub import ModelFolder, save_model
from mien.train.run import RunConfig


def write_taught_store(folder: Path, *, num_videos: int = 6) -> Path:
    """A store `folder`/store, and `folder`/teacher."""
    known = teacher()
    save_model(
        folder / "teacher",
        weights=known.model.state_dict(),
        config=ModelFolder(architecture=known.model.config, preprocess=known.preprocess),
        tokenizer=known.tokenizer,
    )
    return write_store(folder / "store", num_videos=num_videos).path


def of_views(
    store: Path, *, method: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **settings: Any
) -> RunConfig:
    """Six steps of four pictures by the teacher beside the store; `settings` as `tiny_run.config` takes them."""
    described = config(store, **settings).model_dump()
    data = described["data"] | {"views": {}, "clip": {"num_frames": 1}} | (data or {})
    own = {
        "kind": "uniemox",
        "model": ENCODER,
        "decoder": {"width": 16, "layers": 1, "heads": 2},
        "teacher": str(store.parent / "teacher"),
    }
    return validate(RunConfig, described | {"method": own | (method or {}), "data": data}, source="the test")
