"""Groups: what a task scores on the samples of each value of an attribute, of women and men say.

Only the task's first metric, and only on values with at least `MIN_SAMPLES` samples: a score of fewer says little. The
small groups, and the samples without the attribute, are counted. A value is what the release says, lists as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from mien.eval.label_scores import value_of
from mien.eval.results import AttributeResult, EvalResult, GroupResult
from mien.eval.scores import MacroScore
from mien.terminal import counted

MIN_SAMPLES = 20

Score = Callable[[Bool[np.ndarray, "n"]], Mapping[str, MacroScore | float]]
"""Which samples are kept → the task's scores on them, its first metric first."""


def score_groups(attributes: Sequence[Mapping[str, str]], score: Score) -> dict[str, AttributeResult]:
    """By attribute; `attributes` are the samples', in their order, and may be empty."""
    names = dict.fromkeys(name for each in attributes for name in each)
    return {name: _score_attribute([each.get(name, "") for each in attributes], score) for name in names}


def group_rows(runs: Sequence[tuple[str, EvalResult]]) -> list[list[str]]:
    """A table with a head: task, metric, attribute, value, samples, then a column a run; empty without any groups."""
    rows = list[list[str]]()
    for task in runs[0][1].tasks:
        for attribute, first in task.groups.items():
            others = [run.task(task.name).groups.get(attribute) for _, run in runs]
            where = [task.name, first.metric, attribute]
            for value, group in first.groups.items():
                told = [_number(other.groups.get(value) if other else None) for other in others]
                rows.append([*where, value, str(group.num_samples), *told])
            if first.num_small_groups:
                told = [
                    f"{counted(first.num_small_groups, 'value')} with fewer than {MIN_SAMPLES}",
                    str(first.num_in_small_groups),
                ]
                rows.append([*where, *told, *("" for _ in runs)])
            if first.num_without:
                rows.append([*where, "not told", str(first.num_without), *("" for _ in runs)])
    head = ["task", "metric", "attribute", "value", "samples", *(name for name, _ in runs)]
    return [head, *rows] if rows else []


def _score_attribute(values: Sequence[str], score: Score) -> AttributeResult:
    counts = Counter(value for value in values if value)
    large = sorted(value for value, count in counts.items() if count >= MIN_SAMPLES)
    small = [count for count in counts.values() if count < MIN_SAMPLES]
    told = np.array(values)
    scored = {value: score(told == value) for value in large}
    metric = next((name for each in scored.values() for name in each), "")
    return AttributeResult(
        metric=metric,
        groups={
            value: GroupResult(num_samples=counts[value], value=value_of(each[metric]))
            for value, each in scored.items()
        },
        num_small_groups=len(small),
        num_in_small_groups=sum(small),
        num_without=len(values) - counts.total(),
    )


def _number(group: GroupResult | None) -> str:
    return "–" if group is None or group.value is None else f"{group.value:.3f}".replace("-", "−")
