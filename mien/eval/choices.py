"""The choices of sweeps in a result: which strength each probe was given, of which, and on what that was decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.eval.results import EvalResult, TaskResult


def choices(result: EvalResult) -> tuple[str, ...]:
    """A line for each task that swept: "emotion: C = 3.16, chosen by accuracy on val, of 1.0, 3.16, 10.0".

    Of several folds each one's: "emotion: C = 3.16 1.0 3.16 3.16 10.0 by fold, chosen …".
    """
    sweeps = {task["name"]: task.get("sweep") for task in result.protocol.get("tasks", ())}
    return tuple(_choice(task, sweeps[task.name]) for task in result.tasks if sweeps.get(task.name))


def _choice(task: TaskResult, sweep: Mapping[str, Any]) -> str:
    name = "alpha" if task.probe["kind"] == "ridge" else "C"
    where = sweep["validation_split"] or f"{sweep['held_out']:.0%} of train held out"
    grid = ", ".join(map(str, sweep["grid"]))
    chosen = (
        f"{task.probe[name]}" if task.folds is None else " ".join(str(p[name]) for p in task.folds.probes) + " by fold"
    )
    return f"{task.name}: {name} = {chosen}, chosen by {sweep['metric']} on {where}, of {grid}"
