"""A run's measurements: JSON lines always, TensorBoard if asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.types import MienError


class MetricsWriter:
    """Appends one line a call to `metrics.jsonl`; on a resumed run it first drops the lines past `first_step`."""

    def __init__(self, run: Path, *, first_step: int, tensorboard: bool = False) -> None:
        self.path = run / "metrics.jsonl"
        kept = [row for row in read_metrics(self.path) if row["step"] <= first_step]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._tensorboard = _tensorboard_writer(run) if tensorboard else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._tensorboard:
            for name, value in values.items():
                self._tensorboard.add_scalar(name, value, step)
            self._tensorboard.flush()


class NoMetrics(MetricsWriter):
    """For the processes that do not write."""

    def __init__(self) -> None: ...

    def write(self, step: int, values: Mapping[str, float]) -> None: ...


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl`; a last line cut off by a kill is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _tensorboard_writer(run: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MienError(f"train.tensorboard needs the extra: pip install 'mien[train]' ({error})") from error
    return SummaryWriter(str(run / "tensorboard"))
