"""Label efficiency as one sees it: a chart, a table for the terminal, and a page with both."""

from __future__ import annotations

import base64
import io
from html import escape

from matplotlib.figure import Figure
from rich.markup import escape as escape_markup
from rich.table import Table

from mien.eval.efficiency import EfficiencyTask, LabelEfficiency, Spread
from mien.eval.label_scores import NUMBERS
from mien.eval.report import page, terms
from mien.eval.report_tables import METRICS

INK, GREY = "#2A5DB0", "#8C8C8C"
PIXELS_AN_INCH = 150


def draw_efficiency(record: LabelEfficiency) -> bytes:
    """The chart as a PNG: a panel a task, what its epochs are chosen by over the number of labels."""
    figure = Figure(figsize=(5.6 * len(record.tasks), 3.8), dpi=PIXELS_AN_INCH, layout="constrained")
    for position, task in enumerate(record.tasks, start=1):
        axes = figure.add_subplot(1, len(record.tasks), position)
        metric, scale = task.chosen_by, _scale(task.chosen_by)
        known = [point for point in task.points if point.metrics[metric].mean is not None]
        labels, spreads = [point.num_fitted for point in known], [point.metrics[metric] for point in known]
        means = [scale * (spread.mean or 0.0) for spread in spreads]
        errors = [scale * (spread.standard_error or 0.0) for spread in spreads]
        axes.errorbar(labels, means, yerr=errors, color=INK, marker="o", markersize=5, capsize=4, linewidth=1.8)
        majority = task.majority.get(metric)
        if majority is not None:
            axes.axhline(scale * majority, color=GREY, linestyle="--", linewidth=1)
            axes.annotate(
                "majority", (1, scale * majority), xycoords=("axes fraction", "data"), xytext=(-4, 4),
                textcoords="offset points", color=GREY, fontsize=9, ha="right",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(labels, [f"{p.num_fitted:,}\n({_percent(p.fraction)})" for p in known])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("labels trained on (share of the training split)")
        axes.set_ylabel(METRICS.get(metric, metric) + (" (%)" if scale == 100 else ""))
        axes.grid(axis="y", color="#dfe1e3", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(f"{record.benchmark}, {record.split}: {task.name}", loc="left", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def render_efficiency(record: LabelEfficiency) -> str:
    """The series as a self-contained HTML page."""
    chart = base64.b64encode(draw_efficiency(record)).decode("ascii")
    generated = "<p><strong>The data are generated, not a real benchmark:</strong> the pipeline works, no more.</p>"
    tables = "".join(_table(task) for task in record.tasks)
    return page(
        f"Label efficiency: {record.benchmark}",
        f"<h1>Label efficiency: {escape(record.benchmark)}</h1>"
        f'<div class="notice">{generated if record.is_generated else ""}<p>A model&rsquo;s output is the emotion that '
        "a person <em>appears</em> to show to others, or that a picture appears to evoke. "
        '<a href="#terms">Intended use</a> below.</p></div>'
        f"<p>{escape(_told(record))}</p>"
        f'<figure><img style="width:100%;max-width:{620 * len(record.tasks)}px" alt="Scores by number of labels" '
        f'src="data:image/png;base64,{chart}"></figure>{tables}{terms()}',
    )


def to_rich(task: EfficiencyTask) -> Table:
    """A column a share, for a terminal."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    head, *lines = _lines(task)
    for position, name in enumerate(head):
        shown.add_column(escape_markup(name), justify="right" if position else "left", no_wrap=True)
    for line in lines:
        shown.add_row(*line)
    return shown


def _table(task: EfficiencyTask) -> str:
    head, *lines = _lines(task)
    rows = "".join(f"<tr><th>{line[0]}</th>" + "".join(f"<td>{cell}</td>" for cell in line[1:]) for line in lines)
    return (
        f'<h2>{escape(task.name)}</h2><div class="wide"><table><thead><tr>'
        f"{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _lines(task: EfficiencyTask) -> list[list[str]]:
    """A column a share, then what majority scores; a row a metric."""
    head = ["share of the labels", *(_percent(point.fraction) for point in task.points), "majority"]
    labels = ["labels", *(f"{point.num_fitted:,}" for point in task.points), ""]
    metrics = [
        [
            f"{name} %" if _scale(name) == 100 else name,
            *(_spread(point.metrics[name], name) for point in task.points),
            _number(task.majority.get(name), name),
        ]
        for name in task.points[0].metrics
    ]
    return [head, labels, *metrics]


def _told(record: LabelEfficiency) -> str:
    seeds = ", ".join(map(str, record.seeds))
    error = "mean ± standard error over the seeds" if len(record.seeds) > 1 else "one seed, so no error is known"
    return (
        f"{record.model_id} ({record.trained_on or 'trained on unknown data'}), fine-tuned on shares of the training "
        f"split and scored on {record.num_used:,} samples of {record.split}; protocol {record.protocol}. Seeds "
        f"{seeds}: each draws other samples, of each class alike, and another head to start from; {error}. The test "
        "samples are the same in all runs: what another draw of these would change is not in the error."
    )


def _spread(spread: Spread, name: str) -> str:
    error = spread.standard_error
    return _number(spread.mean, name) + ("" if error is None else f" ± {_number(error, name)}")


def _number(value: float | None, name: str) -> str:
    scale = _scale(name)
    return "–" if value is None else f"{scale * value:.{1 if scale == 100 else 3}f}"


def _scale(name: str) -> int:
    return 1 if name in NUMBERS else 100


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"
