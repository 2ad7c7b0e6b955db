import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.eval.benchmarks import load_benchmark
from mien.eval.charts import COLOURS, MARKS, Curve, heat_map, line_chart, mark, scatter, ticks
from mien.eval.pictures import (
    AttentionPicture,
    Still,
    draw_attention,
    draw_still,
    hmn_attention,
    share_on_subject,
    subject_coverage,
)
from mien.eval.projection import project, thin_out
from mien.eval.report import EmbeddingMap, NamedResult, ReportContent, SampleFrame, render_report, write_report
from mien.eval.results import EvalResult
from mien.eval.tasks import run_task
from mien.types import EMOTIONS, Features, MienError


def features(*, noise: float, seed: int) -> Features:
    rng = np.random.default_rng(seed)
    category = np.arange(70) % 7
    x = (np.eye(7)[category] + noise * rng.normal(size=(70, 7))).astype(np.float32)
    scores = np.zeros((70, 26), dtype=np.float32)
    scores[np.arange(70), category] = 1
    vad = rng.normal(size=(70, 3)).astype(np.float32)
    return Features(x=x, category=category, scores=scores, vad=vad, ids=tuple(map(str, range(70))))


def result_of(model: str, *, noise: float) -> EvalResult:
    theatre = load_benchmark("theatre")
    train, test = features(noise=noise, seed=0), features(noise=noise, seed=1)
    tasks = [run_task(task, classes=theatre.classes, train=train, test=test)[0] for task in theatre.protocol().tasks]
    return EvalResult(
        benchmark="theatre", is_generated=True, split="test", protocol={}, model_id=model, weights_hash="", seed=0,
        tasks=tuple(tasks), num_train=70, num_used=70, num_skipped=1, skipped=({"what": "a", "reason": "<torn>"},),
        boxes="sidecar", subject="speaking", reading={}, store_settings={}, versions={}, hardware="", started_at="",
        seconds=0.0,
    )  # fmt: skip


def still() -> Still:
    return Still(frame=np.full((64, 64, 3), 90, np.uint8), boxes=np.array([[0.0, 0.0, 32.0, 64.0]], np.float32))


def full_content() -> ReportContent:
    attention = np.random.default_rng(0).random((3, 4, 4)).astype(np.float32)
    x = features(noise=0.1, seed=0)
    assert x.category is not None
    return ReportContent(
        title="A <run>",
        is_generated=True,
        facts=(("seed", "0"),),
        settings="method: <b>\n",
        metrics=({"step": 10, "loss": 4.0, "lr": 1e-3}, {"step": 20, "loss": 3.0}, {"step": 20, "eval/loss": 3.5}),
        results=(
            NamedResult(name="trained", result=result_of("a", noise=0.1)),
            NamedResult(name="untrained", result=result_of("b", noise=5.0)),
        ),
        maps=(EmbeddingMap(name="trained", x=x.x, category=x.category),),
        attention=(AttentionPicture(still=still(), attention=attention, caption="“Go & see”"),),
        gallery=(SampleFrame(still=still(), sentence="1 < 2", emotion="joy"),),
    )  # fmt: skip


class Outline(HTMLParser):
    """Checks that tags close in order, and collects what a browser would fetch."""

    VOID = ("meta", "img", "br", "line", "circle", "rect", "path", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "href") and not v.startswith(("data:", "#"))]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs): ...

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def test_report_is_well_formed_and_fetches_nothing(tmp_path: Path):
    write_report(tmp_path / "deep" / "report.html", full_content())
    page = (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert outline.fetched == []
    assert "url(" not in page
    assert outline.headings == [
        "What the model sees, and what is said",
        "Training",
        "Linear probes on frozen features",
        "Map of the embeddings",
        "Where the subject token looks",
        "Settings",
        "Intended use",
    ]


def test_report_escapes_what_it_quotes():
    page = render_report(full_content())
    assert "A &lt;run&gt;" in page
    assert "&lt;torn&gt;" in page
    assert "“1 &lt; 2”" in page
    assert "Go &amp; see" in page
    assert "method: &lt;b&gt;" in page


def test_report_of_the_theatre_says_that_it_is_no_real_benchmark():
    notice = "The data are generated scenes, not a real benchmark."
    assert notice in render_report(ReportContent(title="t", is_generated=True))
    page = render_report(ReportContent(title="t", is_generated=False))
    assert notice not in page
    assert "Out of scope" in page


def test_parts_without_content_are_left_out():
    page = render_report(ReportContent(title="t", is_generated=True))
    assert re.findall("<h2[^>]*>([^<]*)", page) == ["Intended use"]


def test_result_table_marks_the_best_of_each_row_and_counts_what_is_left_out():
    page = render_report(full_content())
    row = re.search(r"<tr><th>accuracy</th>(.*?)</tr>", page)
    assert row is not None
    assert row[1].startswith("<td><b>")
    assert row[1].count("<b>") == 1
    assert 'macro mAP <span class="soft">(7 of 26)</span>' in page


# ── charts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 300, [0, 100, 200, 300]),
        (0.12, 0.43, [0.2, 0.3, 0.4]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (2, 5.3, [2, 3, 4, 5]),
    ],
)
def test_ticks_are_round_numbers_inside_the_range(low, high, expected):
    assert ticks(low, high, count=4) == pytest.approx(expected)


@pytest.mark.parametrize("values", [(1.0,), (2.0, 2.0), (0.0, 0.0), (-1.0, 5.0)])
def test_line_chart_draws_single_points_and_constants(values):
    drawn = line_chart([Curve(name="x", steps=tuple(range(len(values))), values=values)], title="t")
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_lines_that_end_together_have_labels_apart():
    curves = [Curve(name=name, steps=(0, 1), values=(0.0, 1.0)) for name in "ab"]
    ys = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>[ab] 1<', line_chart(curves, title="t"))]
    assert ys[1] - ys[0] >= 14


def test_heat_map_shows_rows_in_per_cent_and_survives_an_empty_one():
    drawn = heat_map(np.array([[3, 1], [0, 0]]), names=("a", "b"), title="t")
    assert re.findall(r">(\d+)</text></g>", drawn) == ["75", "25", "0", "0"]
    assert "3 of 4 “a” taken for “a”" in drawn


def test_every_emotion_has_its_own_colour_and_mark():
    assert len(set(COLOURS)) == len(set(MARKS)) == len(EMOTIONS)
    assert len({mark(i, x=0, y=0) for i in range(7)}) == 7


def test_scatter_draws_every_point_once():
    drawn = scatter(np.eye(2), category=np.array([0, 3]), names=EMOTIONS, title="t")
    assert re.findall("<g><title>(.*?)</title>", drawn) == ["anger", "joy"]


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────


def test_hmn_attention_is_the_last_row_on_the_patches_averaged_over_heads():
    matrices = torch.zeros(2, 1, 2, 6, 6)  # two layers, a frame, two heads; [cls], 2 × 2 patches, hmn
    matrices[1, 0, 0, -1] = torch.tensor([9.0, 1, 2, 3, 4, 9])
    matrices[1, 0, 1, -1] = torch.tensor([9.0, 3, 2, 1, 0, 9])
    weights = hmn_attention(matrices, grid=2)
    assert weights.tolist() == [[[[0, 0], [0, 0]], [[2, 2], [2, 2]]]]


def test_model_without_hmn_is_refused():
    with pytest.raises(MienError, match="a vanilla model has no hmn"):
        hmn_attention(torch.zeros(1, 1, 1, 5, 5), grid=2)


def test_share_on_subject_is_its_area_for_an_even_look_and_one_for_a_look_at_it_alone():
    attention = np.stack([np.ones((4, 4)), np.repeat([[1.0, 1.0, 0.0, 0.0]], 4, axis=0)])
    picture = AttentionPicture(still=still(), attention=attention, caption="")
    assert subject_coverage(picture).mean() == pytest.approx(0.5)
    assert share_on_subject(picture).tolist() == pytest.approx([0.5, 1.0])


def test_pictures_leave_the_frame_as_it_was_and_repeat_bit_for_bit():
    picture = AttentionPicture(still=still(), attention=np.ones((2, 4, 4)), caption="")
    first = [draw_still(picture.still, side=32), *draw_attention(picture, side=32)]
    assert (picture.still.frame == 90).all()
    assert first == [draw_still(picture.still, side=32), *draw_attention(picture, side=32)]
    assert len(first) == 3
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in first)


# ── the map ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [3, 70])
def test_map_is_the_same_every_time(count):
    x = features(noise=0.1, seed=0).x[:count]
    first = project(x)
    assert first.shape == (count, 2)
    assert (first == project(x)).all()


def test_map_keeps_classes_apart_that_are_apart():
    own = features(noise=0.05, seed=0)
    points = project(own.x)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(70)
    assert own.category is not None
    assert (own.category[distance.argmin(axis=1)] == own.category).mean() > 0.95


def test_thinning_keeps_the_share_of_each_class():
    chosen = thin_out(np.repeat([0, 1], [300, 100]), most=40)
    assert len(chosen) == 40
    assert (chosen < 300).sum() == 30
    assert thin_out(np.zeros(5, dtype=int), most=40).tolist() == [0, 1, 2, 3, 4]
