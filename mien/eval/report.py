"""The report of a run: one HTML file that needs nothing else, for the browser, the telephone and the printer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from jaxtyping import Float, Int

from mien.eval.attention_section import attention_section
from mien.eval.charts import Curve, heat_map, line_chart, scatter
from mien.eval.neighbours import Neighbours, neighbours_section
from mien.eval.pictures import AttentionPicture, Still, draw_still
from mien.eval.projection import project, thin_out
from mien.eval.rebuilt import RebuiltPicture, rebuilt_section
from mien.eval.report_tables import groups_table, legend, per_class_table, result_table, tag
from mien.eval.results import EvalResult
from mien.types import EMOTIONS
from mien.whole_file import write_whole

TEMPLATE = Path(__file__).with_name("report.html")
MOST_POINTS = 400
"""Points of an embedding map; more would only hide each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedResult:
    """A run under the name that the report calls it by, say `trained` or `untrained`."""

    name: str
    result: EvalResult


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingMap:
    """A model's embeddings of the same clips as every other map's, and their emotions, as indices of `EMOTIONS`."""

    name: str
    x: Float[np.ndarray, "n e"]
    category: Int[np.ndarray, "n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFrame:
    """A frame of a clip, what is said in it, and the emotion that its truth says the speaker shows."""

    still: Still
    sentence: str
    emotion: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportContent:
    """What a report shows; a part without content is left out.

    metrics: the rows of a run's `metrics.jsonl`. facts: what one wants to know of the run at a glance, by name.
    settings: the run's config, as YAML. is_generated: whether the data are the theatre's, which the report then says
    in so many words. rebuilt: None for a method that rebuilds nothing. neighbours: found among `num_searched` clips,
    which `searched` names.
    """

    title: str
    is_generated: bool
    facts: tuple[tuple[str, str], ...] = ()
    settings: str = ""
    metrics: tuple[Mapping[str, float], ...] = ()
    results: tuple[NamedResult, ...] = ()
    maps: tuple[EmbeddingMap, ...] = ()
    attention: tuple[AttentionPicture, ...] = ()
    gallery: tuple[SampleFrame, ...] = ()
    rebuilt: tuple[RebuiltPicture, ...] | None = None
    mask_ratio: float = 0.0
    neighbours: tuple[Neighbours, ...] = ()
    num_searched: int = 0
    searched: str = ""


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report to `path`; the file appears whole or not at all."""
    write_whole(path, render_report(content))


def render_report(content: ReportContent) -> str:
    """The report as HTML."""
    sections = (_head, _gallery, _training, _results, _confusions, _maps, _rebuilt, _attention, _neighbours, _settings)
    return page(content.title, "\n".join([*(section(content) for section in sections), terms()]))


def page(title: str, body: str) -> str:
    """A whole HTML page in the report's looks."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(title=escape(title), body=body)


# ── the parts, from top to bottom ────────────────────────────────────────────────────────────────


def _head(content: ReportContent) -> str:
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in content.facts)
    generated = (
        "<p><strong>The data are generated scenes, not a real benchmark.</strong> Drawn figures play short scenes "
        "that this program made up. What is measured here shows that the pipeline works and lets methods be "
        "compared under known truth; it says nothing about how well real people's emotions are read.</p>"
    )
    return (
        f"<h1>{escape(content.title)}</h1>"
        f'<div class="notice">{generated if content.is_generated else ""}<p>A model&rsquo;s output is the emotion '
        "that a person <em>appears</em> to show to others, not what the person feels. "
        '<a href="#terms">Intended use</a> below.</p></div>'
        f'<dl class="facts">{facts}</dl>'
    )


def _gallery(content: ReportContent) -> str:
    if not content.gallery:
        return ""
    figures = "".join(
        f'<figure><img alt="A frame of a speaker who shows {escape(sample.emotion)}" '
        f'src="{draw_still(sample.still, side=256)}"><figcaption>{tag(sample.emotion)} '
        f"“{escape(sample.sentence)}”</figcaption></figure>"
        for sample in content.gallery
    )
    return (
        "<h2>What the model sees, and what is said</h2><p>One frame of each clip. The box is the subject: training "
        "tells the model where it is, and that the picture belongs with the sentence. The emotion is the truth, "
        f'which training never sees.</p><div class="gallery">{figures}</div>'
    )


_CHARTS = (
    ("Loss", {"loss": "training", "eval/loss": "held out"}),
    ("Parts of the loss", {"loss_profile": "L1", "loss_image": "L2", "loss_reconstruction": "L3"}),
    (
        "Parts of the loss, held out",
        {"eval/loss_profile": "L1", "eval/loss_image": "L2", "eval/loss_reconstruction": "L3"},
    ),
    ("Recall of a clip's own sentence, held out", {"eval/recall@1": "at 1", "eval/recall@10": "at 10"}),
    ("Emotions by prompts, held out", {"eval/zeroshot_accuracy": "accuracy", "eval/zeroshot_uar": "UAR"}),
    ("Learning rate", {"lr": ""}),
    ("Multiplier of the cosines", {"logit_scale": ""}),
    ("Clips a second", {"clips_per_s": ""}),
)
"""The training charts: title, and what goes into it from `metrics.jsonl`, with what it is called there."""


def _training(content: ReportContent) -> str:
    charts = []
    for title, labels in _CHARTS:
        curves = [curve for key, label in labels.items() if (curve := _curve(content, key, label=label))]
        if curves:
            charts.append(f"<figure>{line_chart(curves, title=title)}</figure>")
    if not charts:
        return ""
    return (
        "<h2>Training</h2><p>By step. The number at a line’s end is its last value.</p>"
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _curve(content: ReportContent, key: str, *, label: str) -> Curve | None:
    rows = [row for row in content.metrics if key in row and np.isfinite(row[key])]
    if not rows:
        return None
    return Curve(name=label, steps=tuple(row["step"] for row in rows), values=tuple(row[key] for row in rows))


def _results(content: ReportContent) -> str:
    if not content.results:
        return ""
    runs = [(named.name, named.result) for named in content.results]
    first = content.results[0].result
    skipped = "".join(f"<li>{escape(s.what)}: {escape(s.reason)}</li>" for s in first.skipped)
    details = f"<details><summary>the {first.num_skipped} skipped samples</summary><ul>{skipped}</ul></details>"
    return (
        f"<h2>Linear probes on frozen features</h2><p>Benchmark {escape(first.benchmark)}, fitted on "
        f"{first.num_train:,} clips, scored on {first.num_used:,} of split {escape(first.split)}; "
        f"{first.num_skipped} skipped. Boxes: {escape(first.boxes)}; subject: {escape(first.subject)}. "
        "<em>majority</em> knows only how frequent each label is in the training split. A macro mean is over the "
        "classes for which the score exists.</p>"
        f"{result_table(runs)}{per_class_table(runs)}{groups_table(runs)}{details if first.num_skipped else ''}"
    )


def _confusions(content: ReportContent) -> str:
    maps = [
        heat_map(np.array(task.confusion), names=task.classes, title=f"{named.name}: {task.name}")
        for named in content.results
        for task in named.result.tasks
        if task.confusion is not None
    ]
    if not maps:
        return ""
    figures = "".join(f"<figure>{drawn}</figure>" for drawn in maps)
    return (
        "<h3>What is taken for what</h3><p>Rows are the true emotion and sum to 100 per cent; the framed "
        f'diagonal is right.</p><div class="charts">{figures}</div>'
    )


def _maps(content: ReportContent) -> str:
    if not content.maps:
        return ""
    figures = []
    for each in content.maps:
        chosen = thin_out(each.category, most=MOST_POINTS)
        points, category = project(each.x[chosen]), each.category[chosen]
        drawn = scatter(points, category=category, names=EMOTIONS, title=f"{each.name} ({len(chosen)} clips)")
        figures.append(f"<figure>{drawn}</figure>")
    return (
        "<h2>Map of the embeddings</h2><p>Each point is a held-out clip; near points have similar embeddings "
        "(t-SNE; the principal components of fewer than 30). Colour and mark are the speaker’s true emotion, which the "
        "map did not know. Distances "
        f'between far points mean nothing.</p>{legend()}<div class="charts">{"".join(figures)}</div>'
    )


def _attention(content: ReportContent) -> str:
    return attention_section(content.attention) if content.attention else ""


def _rebuilt(content: ReportContent) -> str:
    return rebuilt_section(content.rebuilt, mask_ratio=content.mask_ratio) if content.rebuilt else ""


def _neighbours(content: ReportContent) -> str:
    if not content.neighbours:
        return ""
    return neighbours_section(content.neighbours, num_searched=content.num_searched, where=content.searched)


def _settings(content: ReportContent) -> str:
    if not content.settings:
        return ""
    return (
        "<h2>Settings</h2><p>What the run was started with; <code>mien train</code> takes it as a file.</p>"
        f"<details><summary>config.yaml</summary><pre>{escape(content.settings)}</pre></details>"
    )


def terms() -> str:
    """What the outputs are, and are not, for; the last part of every page."""
    return (
        '<h2 id="terms">Intended use</h2><p>For research on how emotion is perceived in communication, and for '
        "finding and describing scenes in media that one may lawfully analyse. Outputs are <em>apparent</em> "
        "emotions: what an observer would say of the picture and the words. They carry the training data’s "
        "cultures, errors and prejudices.</p><p><strong>Out of scope:</strong> judging people at work or in "
        "education, policing, hiring, credit, health decisions, and any inference about what an identified person "
        "really feels. In the European Union, inferring emotions from biometric data at work and in education is "
        "prohibited (AI Act, Article 5(1)(f)).</p>"
    )
