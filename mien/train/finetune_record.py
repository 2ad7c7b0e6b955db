"""The record of a fine-tuning run: what it is made of, as its folder tells, so that only the same run goes on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.checkpoint import checkpoints
from mien.train.same_run import require_same_run
from mien.types import LabeledClip
from mien.whole_file import write_whole

RECORD = "finetune.json"


def record_run(run: Path, made_of: Mapping[str, Any]) -> bool:
    """Writes what a new run is made of; True if a run of just that has checkpoints in the folder, to go on from.

    Raises MienError where the folder has checkpoints of a run that is made of something else, naming what changed.
    """
    path = run / RECORD
    if not (path.is_file() and checkpoints(run / "checkpoints")):
        write_whole(path, json.dumps(dict(made_of), indent=1) + "\n")
        return False
    require_same_run(run, json.loads(path.read_text(encoding="utf-8")), json.loads(json.dumps(dict(made_of))))
    return True


def digest_of(samples: Sequence[LabeledClip]) -> str:
    """A fingerprint of clips and their labels, in their order."""
    text = "\n".join(f"{s.clip.id}\t{s.clip.start_frame}\t{s.clip.end_frame}\t{s.labels}" for s in samples)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
