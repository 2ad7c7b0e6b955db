"""The page about an analysis: one HTML file that needs nothing else; read, drawn and put together here."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from mien.analyze.annotate import PICTURE_FILE, VIDEO_FILE
from mien.analyze.page.key_pictures import key_pictures
from mien.analyze.page.palette import colours_of
from mien.analyze.page.people import View, read_people
from mien.analyze.page.person_section import Drawing, Readings, person_section, still_section, word_order
from mien.analyze.page.sections import (
    head,
    left_out_section,
    nobody,
    others_section,
    overview,
    persons_heading,
    player,
    said_section,
)
from mien.analyze.record import FILE as RECORD_FILE
from mien.analyze.record import Analysis
from mien.analyze.timeline import CSV_FILE, FILE, JSONL_FILE, Timeline
from mien.whole_file import write_whole

PAGE_FILE = "report.html"
HERE = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = HERE / "page.html", HERE / "page.css", HERE / "page.js"

MOST_PERSONS = 12
"""Persons with a section of their own, those seen longest; a film's many short tracks make rows of a table."""
MOST_PICTURES = 8
"""Key pictures of a person."""
FILES = {
    CSV_FILE: "Table (CSV)",
    FILE: "Table (Parquet)",
    JSONL_FILE: "Table (JSON lines)",
    VIDEO_FILE: "Annotated video",
    PICTURE_FILE: "Annotated picture",
    RECORD_FILE: "Analysis (JSON)",
}
"""What an analysis may have left beside the page."""


def write_page(folder: Path) -> Path:
    """Writes `folder`/report.html about the analysis in `folder`, and returns its path.

    It holds everything but the annotated video and the tables, which it links to where they lie beside it. Memory
    grows with the timeline only: of the video one picture is held at a time. Raises MienError where there is no
    timeline, or the video cannot be read.
    """
    analysis, timeline = Analysis.load(folder), Timeline.load(folder)
    people = read_people(analysis, timeline)
    files = {name: what for name, what in FILES.items() if (folder / name).is_file()}
    body = [head(analysis, num_rows=timeline.table.num_rows, files=files)]
    readings = list[Readings]()
    if VIDEO_FILE in files:
        body.append(player(VIDEO_FILE))
    if people:
        parts, readings = _people(people, analysis)
        body += parts
    else:
        body.append(nobody(analysis))
    body.append(left_out_section(analysis))
    write_whole(folder / PAGE_FILE, _render(analysis, body, readings))
    return folder / PAGE_FILE


def _people(people: Sequence[View], analysis: Analysis) -> tuple[list[str], list[Readings]]:
    ranked = word_order(people, analysis.words)
    drawing = Drawing(
        words=analysis.words,
        numbers=analysis.numbers,
        colours=tuple(colours_of(analysis.words, ranked=ranked)),
        duration_s=analysis.video.duration_s,
        shots_s=tuple(shot.start_s for shot in analysis.shots),
    )
    tracks = list(dict.fromkeys(view.person.track for view in people))
    views = {track: [view for view in people if view.person.track == track] for track in tracks[:MOST_PERSONS]}
    shown = [view for own in views.values() for view in own]
    others = [view for view in people if view.person.track not in views]
    pictures = key_pictures(Path(analysis.video.path), shown, analysis.words, at_most=MOST_PICTURES)
    sections, readings = list[str](), list[Readings]()
    for own in views.values():
        own_pictures = [pictures[view.key] for view in own]
        if analysis.video.is_picture:
            sections.append(still_section(own, own_pictures, drawing))
        else:
            section, told = person_section(own, own_pictures, drawing)
            sections.append(section)
            readings += told
    glance = "" if analysis.video.is_picture else overview(shown, others, analysis, drawing)
    said = said_section(analysis, shown, drawing)
    return [glance, persons_heading(analysis), *sections, others_section(others), said], readings


def _render(analysis: Analysis, body: Sequence[str], readings: Sequence[Readings]) -> str:
    style, script = (path.read_text(encoding="utf-8") for path in (STYLE, SCRIPT))
    data = {"words": list(analysis.words), "plots": {r.id: {"bin_s": r.bin_s, "bins": r.bins} for r in readings}}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{analysis.video.name}: apparent emotions"),
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        body="\n".join(part for part in body if part),
    )
