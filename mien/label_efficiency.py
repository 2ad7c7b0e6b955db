"""Label-efficiency series: a model fine-tuned on several shares of the labels, each with several seeds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from mien.eval.efficiency import LabelEfficiency, label_efficiency
from mien.eval.efficiency_page import draw_efficiency, render_efficiency
from mien.eval.protocol import Protocol
from mien.eval.results import EvalResult
from mien.evaluate import chosen_protocol, evaluate_model
from mien.hub import resolve, weights_hash
from mien.train.epochs import OnEpoch, say_nothing
from mien.types import MienError
from mien.whole_file import whole_file, write_whole

RESULT = "result.json"
RECORD, CHART, PAGE = "label_efficiency.json", "label_efficiency.png", "label_efficiency.html"
OWN_SETTINGS = ("fraction", "seed")

OnRun = Callable[[float, int, bool], None]
"""Told of each run before it begins: its share, its seed, and whether it is there already."""


def fine_tune_series(
    benchmark: str,
    *,
    model: str,
    root: Path,
    out: Path,
    fractions: Sequence[float],
    num_seeds: int,
    store: Path | None = None,
    protocol: str = "finetune",
    split: str | None = None,
    splits: Path | None = None,
    workers: int = 1,
    overrides: Sequence[str] = (),
    on_run: OnRun = lambda fraction, seed, is_there: None,
    on_epoch: OnEpoch = say_nothing,
) -> LabelEfficiency:
    """Fine-tunes `num_seeds` times on each share, and writes record, chart and page of the series into `out`.

    A run's folder is OUT/fraction-F/seed-S, with what `mien finetune` leaves but for checkpoints, which go when it is
    done. Called again, runs that are done are kept and one that was cut off goes on. The smallest shares come first:
    settings that do not suit them (a batch larger than the share) are refused at once.

    Raises MienError where `out` has a result of another model or other settings.
    """
    seeds = range(num_seeds)
    if clash := [each for each in overrides if each.split("=")[0] in OWN_SETTINGS]:
        raise MienError(f"{clash[0]} is set by the series itself; leave it out, or fine-tune without --fractions")
    _, named = chosen_protocol(benchmark, protocol, overrides=overrides, splits=splits)
    runs = dict[float, list[EvalResult]]()
    for fraction in sorted(fractions):
        for seed in seeds:
            settings = (*overrides, f"fraction={fraction:g}", f"seed={seed}")
            folder = out / f"fraction-{fraction:g}" / f"seed-{seed}"
            on_run(fraction, seed, (folder / RESULT).is_file())
            if (folder / RESULT).is_file():
                _, own = chosen_protocol(benchmark, protocol, overrides=settings, splits=splits)
                result = _kept(folder / RESULT, model=model, protocol=own, split=split)
            else:
                result = evaluate_model(
                    benchmark,
                    model=model,
                    root=root,
                    store=store,
                    protocol=protocol,
                    split=split,
                    splits=splits,
                    out=folder / RESULT,
                    workers=workers,
                    run=folder,
                    overrides=settings,
                    on_epoch=on_epoch,
                )
            _drop_checkpoints(folder, result)
            runs.setdefault(fraction, []).append(result)
    record = label_efficiency(runs, protocol=named.name, seeds=seeds)
    record.save(out / RECORD)
    with whole_file(out / CHART) as part:
        part.write_bytes(draw_efficiency(record))
    write_whole(out / PAGE, render_efficiency(record))
    return record


def shares_of(text: str) -> tuple[float, ...]:
    """The shares that "0.01,0.1,1" tells, smallest first. Raises MienError for what is no share, and for one twice."""
    try:
        fractions = sorted(float(each) for each in text.split(","))
    except ValueError:
        fractions = []
    if not fractions or not 0 < fractions[0] <= fractions[-1] <= 1 or len(set(fractions)) < len(fractions):
        raise MienError(f"{text} are not different shares above 0 and up to 1; write them so: 0.01,0.1,1")
    return tuple(fractions)


def _kept(path: Path, *, model: str, protocol: Protocol, split: str | None) -> EvalResult:
    """The result of a run that is done, if it is one of this series."""
    result = EvalResult.load(path)
    wanted = {
        "model": weights_hash(resolve(model)),
        "protocol": protocol.model_dump(mode="json"),
        "split": split or protocol.report[0],
    }
    found = {"model": result.weights_hash, "protocol": result.protocol, "split": result.split}
    if other := [name for name in wanted if wanted[name] != found[name]]:
        raise MienError(f"{path} is of another {', '.join(other)}; choose another folder (--out) for a new series")
    return result


def _drop_checkpoints(folder: Path, result: EvalResult) -> None:
    """A series would else keep three copies of every model; the result is written, so that nothing goes on there."""
    for task in result.tasks:
        shutil.rmtree(folder / task.name / "checkpoints", ignore_errors=True)
        (folder / task.name / "best.safetensors").unlink(missing_ok=True)
