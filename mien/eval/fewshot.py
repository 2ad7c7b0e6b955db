"""Few-shot: a probe fitted on a few samples of each class, and how much it matters which ones.

For each seed, `shots` samples of each class are drawn from train without replacement, all of a class that has no more;
a probe is fitted on them and scored on the whole split. The result is the mean over the seeds, with their standard
deviation. That is what the choice of samples does; what another test split would change is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from mien.eval.features import labels_of
from mien.eval.label_scores import deviation_of, mean_of, number_or_none, score_classes, value_of
from mien.eval.probe import fit_probe
from mien.eval.protocol import ClassNames, FewShot, Task
from mien.eval.results import FewShotResult, TaskResult
from mien.eval.scores import MacroScore
from mien.types import Features


def run_few_shot(task: Task, few_shot: FewShot, *, classes: ClassNames, train: Features, test: Features) -> TaskResult:
    """The task's probe fitted on each seed's draw of `train` and scored on `test`; `majority` knows all of train."""
    names = classes.category
    category = labels_of(train, "category", task=task.name, role="fitted on")
    truth = labels_of(test, "category", task=task.name, role="scored on")
    available = np.bincount(category, minlength=len(names))
    drawn = [draw(category, shots=few_shot.shots, seed=seed) for seed in few_shot.seeds]
    heads = [fit_probe(train.x[kept], category[kept], classes=names, config=task.probe) for kept in drawn]
    runs = [score_classes(truth, head.probabilities(test.x)) for head in heads]
    prior = np.broadcast_to(available / available.sum(), (len(truth), len(names)))
    metrics = {name: tuple(value_of(run[name]) for run in runs) for name in runs[0]}
    told = FewShotResult(
        shots=few_shot.shots,
        seeds=few_shot.seeds,
        num_fitted=int(drawn[0].sum()),
        short_classes={n: int(a) for n, a in zip(names, available, strict=True) if a < few_shot.shots},
        metrics=metrics,
        deviation={name: deviation_of(values) for name, values in metrics.items()},
    )
    macro = {name: score for name, score in runs[0].items() if isinstance(score, MacroScore)}
    return TaskResult(
        name=task.name,
        probe=task.probe.model_dump(mode="json"),
        classes=names,
        support=tuple(np.bincount(truth, minlength=len(names)).tolist()),
        metrics={name: mean_of(values) for name, values in metrics.items()},
        majority={name: value_of(score) for name, score in score_classes(truth, prior).items()},
        per_class={name: _mean_per_class([run[name] for run in runs]) for name in macro},
        num_left_out={name: score.num_left_out for name, score in macro.items()},
        few_shot=told,
    )


def draw(category: Int[np.ndarray, "n"], *, shots: int, seed: int) -> Bool[np.ndarray, "n"]:
    """Which samples are drawn: `shots` of each class, all of one that has no more."""
    shuffled = np.random.default_rng(seed).permutation(len(category))
    kept = np.zeros(len(category), dtype=bool)
    for label in np.unique(category):
        kept[shuffled[category[shuffled] == label][:shots]] = True
    return kept


def _mean_per_class(runs: Sequence[MacroScore | float]) -> tuple[float | None, ...]:
    rows = [run.per_class for run in runs if isinstance(run, MacroScore)]
    return tuple(mean_of([number_or_none(value) for value in column]) for column in zip(*rows, strict=True))
