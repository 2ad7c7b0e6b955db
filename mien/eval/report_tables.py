"""The tables of a report as HTML: scores with intervals, per-class recalls, a column a run; the emotions' legend."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mien.eval.charts import COLOURS, mark
from mien.eval.choices import choices
from mien.eval.groups import group_rows
from mien.eval.label_scores import LESS_IS_BETTER
from mien.eval.results import TaskResult
from mien.eval.uncertainty import Runs, uncertainty_notes
from mien.types import EMOTIONS

METRICS = {
    "accuracy": "accuracy",
    "uar": "unweighted average recall",
    "weighted_f1": "weighted F1",
    "top3_accuracy": "right class among the first three",
    "macro_f1": "macro F1",
    "macro_auc": "macro ROC AUC",
    "macro_map": "macro mAP",
    "top1_hit": "top class among the sample's",
    "r2": "R²",
    "mse": "mean squared error (less is better)",
    "pearson": "Pearson correlation",
    "text_to_video_r1": "clip found by its text, first (R@1)",
    "text_to_video_r5": "clip found by its text, among 5 (R@5)",
    "text_to_video_r10": "clip found by its text, among 10 (R@10)",
    "text_to_video_median_rank": "median rank of the clip (less is better)",
    "text_to_video_mean_rank": "mean rank of the clip (less is better)",
    "video_to_text_r1": "text found by its clip, first (R@1)",
    "video_to_text_r5": "text found by its clip, among 5 (R@5)",
    "video_to_text_r10": "text found by its clip, among 10 (R@10)",
    "video_to_text_median_rank": "median rank of the text (less is better)",
    "video_to_text_mean_rank": "mean rank of the text (less is better)",
    "ers": "emotion recognition score (ERS)",
}
"""What the scores are called in full."""


def result_table(runs: Runs) -> str:
    """Rows are scores, grouped by task; columns the runs, then majority; the best of a row is bold."""
    tasks = runs[0][1].tasks
    head = "".join(f"<th>{escape(name)}</th>" for name in [*(name for name, _ in runs), "majority"])
    groups = "".join(_task_rows(task, runs, width=len(runs) + 2) for task in tasks) + _combined_rows(runs)
    return (
        f'<div class="wide"><table><thead><tr><th>score</th>{head}</tr></thead>'
        f"<tbody>{groups}</tbody></table></div>{_choices(runs)}{_uncertainty(runs)}"
    )


def per_class_table(runs: Runs) -> str:
    """Recall of each emotion, a column a run, for the first task that has exclusive classes."""
    tasks = [task for task in runs[0][1].tasks if "uar" in task.per_class]
    if not tasks:
        return ""
    first = tasks[0]
    head = "".join(f"<th>{escape(name)}</th>" for name, _ in runs)
    rows = []
    for c, emotion in enumerate(first.classes):
        cells = "".join(_bar(run.task(first.name).per_class["uar"][c], emotion) for _, run in runs)
        rows.append(f"<tr><th>{tag(emotion)}</th>{cells}<td>{first.support[c]}</td></tr>")
    return (
        f'<h3>Recall of each emotion</h3><div class="wide"><table><thead><tr><th>{escape(first.name)}</th>{head}'
        f"<th>clips</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def groups_table(runs: Runs) -> str:
    """Scores by the samples' attributes, a column a run; nothing where the release tells none."""
    lines = group_rows(runs)
    if not lines:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in lines[0])
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines[1:])
    return (
        f'<h3>By the samples\' attributes</h3><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def legend() -> str:
    """The seven emotions with their marks."""
    return '<div class="legend">' + "".join(f"<span>{_symbol(e)}{e}</span>" for e in EMOTIONS) + "</div>"


def tag(emotion: str) -> str:
    """An emotion's name after its mark."""
    return f'<span class="emotion">{_symbol(emotion)}{escape(emotion)}</span>'


def _task_rows(task: TaskResult, runs: Runs, *, width: int) -> str:
    rows = [f'<tr class="group"><th colspan="{width}">{escape(task.name)} ({escape(_how(task))})</th></tr>']
    for metric in task.metrics:
        values = [run.task(task.name).metrics.get(metric) for _, run in runs] + [task.majority.get(metric)]
        left_out = task.num_left_out.get(metric, 0)
        note = f' <span class="soft">({len(task.classes) - left_out} of {len(task.classes)})</span>' if left_out else ""
        best = _best(values, less=metric in LESS_IS_BETTER)
        spreads = [_spread(run.task(task.name), metric) for _, run in runs] + [""]
        cells = "".join(f"<td>{_number(v, bold=v == best)}{s}</td>" for v, s in zip(values, spreads, strict=True))
        rows.append(f"<tr><th>{METRICS[metric]}{note}</th>{cells}</tr>")
    return "".join(rows)


def _spread(task: TaskResult, metric: str) -> str:
    """A score's deviation over draws or folds, or else its interval."""
    runs, interval = task.few_shot or task.folds, task.intervals.get(metric)
    deviation = runs.deviation[metric] if runs else None
    if deviation is not None:
        return f' <span class="soft">± {deviation:.3f}</span>'
    if interval is None:
        return ""
    low, high = (_number(bound, bold=False) for bound in (interval.low, interval.high))
    return f' <span class="soft">[{low}, {high}]</span>'


def _how(task: TaskResult) -> str:
    """The head in a few words."""
    if task.retrieval is not None:
        told = task.retrieval
        return f"retrieval among {told.num_clips:,} clips with {told.num_texts:,} different texts; majority is chance"
    if task.probe["kind"] == "zeroshot":
        prompts = ", ".join(f"“{template}”" for template in task.probe["templates"])
        return f"zero-shot, prompts {prompts}{_folds(task)}"
    if task.finetune is not None:
        return task.finetune.told()
    kind = str(task.probe["kind"]).replace("_", "-")
    parts = [f"{kind} probe", *(f"{key} {value}" for key, value in task.probe.items() if key != "kind")]
    if task.few_shot is not None:
        parts.append(f"{task.few_shot.shots} samples a class, mean ± deviation of {len(task.few_shot.seeds)} draws")
    return ", ".join(parts) + _folds(task)


def _folds(task: TaskResult) -> str:
    return "" if task.folds is None else f", mean ± deviation of {len(task.folds.splits)} folds"


def _combined_rows(runs: Runs) -> str:
    """The scores made of several tasks' metrics, the first run's."""
    combined = runs[0][1].combined
    if not combined:
        return ""
    rows = [f'<tr class="group"><th colspan="{len(runs) + 2}">combined</th></tr>']
    for score in combined:
        found = [{c.name: c.value for c in run.combined}.get(score.name) for _, run in runs]
        best = _best(values := [*found, score.majority], less=False)
        cells = "".join(f"<td>{_number(v, bold=v == best)}</td>" for v in values)
        rows.append(f"<tr><th>{escape(METRICS.get(score.name, score.name))}</th>{cells}</tr>")
    return "".join(rows)


def _best(values: Sequence[float | None], *, less: bool) -> float | None:
    known = [v for v in values if v is not None]
    return (min if less else max)(known) if known else None


def _number(value: float | None, *, bold: bool) -> str:
    if value is None:
        return "–"
    text = f"{value:.3f}".replace("-", "−")
    return f"<b>{text}</b>" if bold else text


def _choices(runs: Runs) -> str:
    """The strengths that sweeps chose, if any did."""
    told = [f"{name}, {choice}" for name, result in runs for choice in choices(result)]
    return f'<p class="soft">Chosen: {escape("; ".join(told))}.</p>' if told else ""


def _uncertainty(runs: Runs) -> str:
    """What stands beside the scores, so that nobody reads noise."""
    notes = [f"{escape(note)}." for note in uncertainty_notes(runs)]
    if not notes:
        return ""
    return f'<p class="soft">{" ".join(notes)} Another seed of training moves the scores as well.</p>'


def _bar(value: float | None, emotion: str) -> str:
    if value is None:
        return "<td>–</td>"
    fill = COLOURS[EMOTIONS.index(emotion)] if emotion in EMOTIONS else "var(--accent)"
    bar = f'<span class="bar"><i style="width:{100 * value:.0f}%;background:{fill}"></i></span>'
    return f"<td>{bar}{100 * value:.0f} %</td>"


def _symbol(emotion: str) -> str:
    if emotion not in EMOTIONS:
        return ""
    drawn = mark(EMOTIONS.index(emotion), x=7, y=7)
    return f'<svg viewBox="0 0 14 14" aria-hidden="true">{drawn}</svg>'
