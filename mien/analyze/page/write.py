"""The page about an analysis: one HTML file that needs nothing else; read, drawn and put together here."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from mien.analyze.page.facts import Facts, read_facts
from mien.analyze.page.key_pictures import key_pictures
from mien.analyze.page.palette import colours_of
from mien.analyze.page.people import View, read_people
from mien.analyze.page.person_section import Drawing, Readings, person_section, still_section, word_order
from mien.analyze.page.sections import head, left_out_section, nobody, others_section, overview, player, said_section
from mien.analyze.timeline import CSV_FILE, FILE, Timeline
from mien.whole_file import write_whole

PAGE = "report.html"
ANNOTATED_FILE = "annotated.mp4"
HERE = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = HERE / "page.html", HERE / "page.css", HERE / "page.js"

MOST_PERSONS = 12
"""Persons with a section of their own, those seen longest; a film's many short tracks make rows of a table."""
MOST_PICTURES = 8
"""Key pictures of a person."""
FILES = {
    CSV_FILE: "Table (CSV)",
    FILE: "Table (Parquet)",
    "timeline.jsonl": "Table (JSON lines)",
    ANNOTATED_FILE: "Annotated video",
    "analysis.json": "Analysis (JSON)",
}
"""What an analysis may have left beside the page."""


def write_page(folder: Path) -> Path:
    """Writes `folder`/report.html about the analysis in `folder`, and returns its path.

    It holds everything but the annotated video and the tables, which it links to where they lie beside it. Memory
    grows with the timeline only: of the video one picture is held at a time. Raises MienError where there is no
    timeline, or the video cannot be read.
    """
    timeline, facts = Timeline.load(folder), read_facts(folder)
    people = read_people(timeline.table, timeline.words, step_s=facts.step_s)
    files = {name: what for name, what in FILES.items() if (folder / name).is_file()}
    body = [head(facts, people, words=timeline.words, num_rows=timeline.table.num_rows, files=files)]
    readings = list[Readings]()
    if ANNOTATED_FILE in files and not facts.is_picture:
        body.append(player(ANNOTATED_FILE))
    if people:
        parts, readings = _people(people, facts, timeline.words)
        body += parts
    else:
        body.append(nobody(facts))
    body.append(left_out_section(facts))
    write_whole(folder / PAGE, _render(facts, body, timeline.words, readings))
    return folder / PAGE


def _people(people: Sequence[View], facts: Facts, words: Sequence[str]) -> tuple[list[str], list[Readings]]:
    ranked = word_order(people)
    drawing = Drawing(
        words=tuple(words),
        colours=tuple(colours_of(words, ranked=ranked)),
        duration_s=max(facts.duration_s, *(view.end_s for view in people)),
        shots_s=facts.shots_s,
    )
    tracks = list(dict.fromkeys(view.track for view in people))
    views = {track: [view for view in people if view.track == track] for track in tracks[:MOST_PERSONS]}
    shown = [view for own in views.values() for view in own]
    others = [view for view in people if view.track not in views]
    pictures = key_pictures(facts.path, shown, at_most=MOST_PICTURES)
    sections, readings = list[str](), list[Readings]()
    for own in views.values():
        own_pictures = [pictures[view.key] for view in own]
        if facts.is_picture:
            sections.append(still_section(own, own_pictures, drawing))
        else:
            section, told = person_section(own, own_pictures, drawing)
            sections.append(section)
            readings += told
    glance = "" if facts.is_picture else overview(shown, others, facts, drawing)
    said = said_section(facts, shown, drawing)
    return [glance, "<h2>Persons</h2>", *sections, others_section(others, drawing), said], readings


def _render(facts: Facts, body: Sequence[str], words: Sequence[str], readings: Sequence[Readings]) -> str:
    style, script = (path.read_text(encoding="utf-8") for path in (STYLE, SCRIPT))
    data = {"words": list(words), "plots": {r.id: {"bin_s": r.bin_s, "bins": r.bins} for r in readings}}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{facts.video}: apparent emotions"),
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        body="\n".join(part for part in body if part),
    )
