"""A run folder goes on with one run only: other settings than it was begun with are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.types import MienError

Difference = tuple[str, Any, Any]
"""A setting's name, and what it was and is."""


def require_same_run(run: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises MienError where what `run` was begun with is not what it is to go on with, naming each difference."""
    changed = [f"{name}: {old!r} then, {new!r} now" for name, old, new in _differences(before, now)]
    if changed:
        raise MienError(
            f"{run} holds a run with other settings; choose another folder (--out) or remove it.\n  "
            + "\n  ".join(changed)
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[Difference]:
    rows = list[Difference]()
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            rows += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            rows.append((prefix + key, old, new))
    return rows
