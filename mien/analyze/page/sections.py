"""The page's parts around the persons: head, the whole video at a glance, further persons, what is said, left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from mien.analyze.page.facts import Facts, Utterance
from mien.analyze.page.people import UNCERTAIN, View, stretches_of
from mien.analyze.page.person_section import Axis, Drawing, clock, scale, scrub
from mien.analyze.page.plot import band, cuts, presence

MOST_ROWS = 500
"""Rows of the tables of further persons and of utterances; what comes after is counted."""
INTENDED_USE = (
    "<strong>Apparent emotion:</strong> what an onlooker might say a person shows, not what the person feels. "
    "Not for decisions about people at work, in education, policing, hiring or health; the EU AI Act, Article "
    "5(1)(f), bans inferring emotions from biometrics in workplaces and education."
)


def head(facts: Facts, people: Sequence[View], *, words: Sequence[str], num_rows: int, files: Mapping[str, str]) -> str:
    """Title, notice, numbers, the files beside the page (address to what it is), models and settings."""
    num_persons = len({view.track for view in people})
    numbers = [
        ("person" if num_persons == 1 else "persons", f"{num_persons:,}"),
        ("words", f"{len(words):,}"),
        ("samples scored", f"{num_rows:,}"),
        ("pixels", f"{facts.width} × {facts.height}"),
    ]
    if not facts.is_picture:
        shots = ("shot" if len(facts.shots_s) == 1 else "shots", f"{len(facts.shots_s):,}")
        numbers = [("length", clock(facts.duration_s)), *numbers[:2], shots, *numbers[2:]]
        numbers.append(("pictures a second", f"{facts.fps:.4g}"))
    told = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers)
    links = "".join(f'<a href="{escape(address)}">{escape(what)}</a>' for address, what in files.items())
    return (
        f'<header><h1 dir="auto">{escape(facts.video)}</h1><p class="notice" role="note">{INTENDED_USE}</p>'
        f'<dl class="facts">{told}</dl>{f"<nav aria-label=files>{links}</nav>" if links else ""}'
        f"<details><summary>How it was made: models and settings</summary>{_made_with(facts)}</details></header>"
    )


def player(address: str) -> str:
    """The video, which a click into a plot moves to that time."""
    return (
        f'<section id="player" aria-label="video"><video controls preload="metadata" src="{escape(address)}" '
        'aria-label="the video with boxes and words drawn into it"></video></section>'
    )


def overview(people: Sequence[View], others: Sequence[View], facts: Facts, drawing: Drawing) -> str:
    """All persons over the whole video, one lane each; those who have no section of their own in one lane together."""
    axis = Axis(start_s=0.0, end_s=drawing.duration_s)
    step_s = people[0].step_s
    rows = [
        f'<li><a class="name" href="#person-{view.track}">person {view.track}</a><div class="lane">'
        f"{band(stretches_of(view), axis, colours=drawing.colours)}</div></li>"
        for view in people
    ]
    if others:
        spans = (span for view in others for span in _sights(view))
        count = len({view.track for view in others})
        name = f'<a class="name" href="#others">{count:,} {"other" if count == 1 else "others"}</a>'
        rows.append(f'<li>{name}<div class="lane">{presence(spans, axis, cls="there")}</div></li>')
    if facts.utterances:
        said = presence(((u.start_s, u.end_s) for u in facts.utterances), axis, cls="said")
        rows.append(f'<li class="words"><a class="name" href="#said">words</a><div class="lane">{said}</div></li>')
    used = {int(top) for view in people for top in np.unique(view.top)}
    legend = "".join(_key(drawing, top) for top in range(len(drawing.words)) if top in used)
    if UNCERTAIN in used:
        legend += '<li><i class="key uncertain"></i>uncertain</li>'
    over = cuts(drawing.shots_s, axis)
    if over:
        legend += '<li><i class="key cut"></i>a shot begins</li>'
    slider = scrub("overview", axis, step_s=step_s, label="time in the video")
    return (
        f'<section aria-labelledby="at-a-glance"><h2 id="at-a-glance">At a glance</h2>'
        f'<p class="soft">What is likeliest for whom, and when; nothing where a person is out of sight.</p>'
        f'<ul class="legend" aria-label="colours">{legend}</ul>'
        f'<div class="plot glance"><div class="lanes"><ul>{"".join(rows)}</ul><div class="over">{over}{slider}</div></div>'
        f'<div class="row">{scale(axis)}</div></div></section>'
    )


def others_section(others: Sequence[View], drawing: Drawing) -> str:
    """The persons who have no section of their own, a row each, those seen longest first."""
    if not others:
        return ""
    shown, rest = others[:MOST_ROWS], others[MOST_ROWS:]
    rows = "".join(_other(view, drawing) for view in shown)
    more = ""
    if rest:
        seconds = sum(view.seconds for view in rest)
        more = f"<p>And {len(rest):,} more, in sight for {seconds:,.1f} s together: they are in the table.</p>"
    count = len({view.track for view in others})
    return (
        f'<section aria-labelledby="others"><h2 id="others">{count:,} further {"person" if count == 1 else "persons"}'
        "</h2><p>Seen for a shorter time than those above. A person who leaves the sight and comes back in another shot "
        f'may count as another.</p><div class="wide"><table><thead><tr><th>person</th><th>from</th><th>to</th>'
        "<th>in sight</th><th>likeliest</th><th>of the time</th><th>uncertain</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{more}</section>"
    )


def said_section(facts: Facts, people: Sequence[View], drawing: Drawing) -> str:
    """What is said, and what each person in sight looks like meanwhile."""
    if not facts.utterances:
        return ""
    rows = "".join(_utterance(u, people, drawing) for u in facts.utterances[:MOST_ROWS])
    left = len(facts.utterances) - MOST_ROWS
    more = f"<p>And {left:,} more: they are in <code>analysis.json</code>.</p>" if left > 0 else ""
    return (
        '<section aria-labelledby="said"><h2 id="said">What is said</h2><p>The sentences of the subtitles, and what '
        'each person in sight looks like meanwhile. Who says them is not known.</p><div class="wide">'
        '<table class="said"><thead><tr><th>time</th><th>words</th><th>meanwhile</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}</section>"
    )


def left_out_section(facts: Facts) -> str:
    """What was skipped, and why."""
    if not facts.skipped:
        return ""
    rows = "".join(
        f"<li><code>{escape(skipped.what)}</code>: {escape(skipped.reason)}</li>" for skipped in facts.skipped[:MOST_ROWS]
    )
    left = len(facts.skipped) - MOST_ROWS
    more = f"<p>And {left:,} more: they are in <code>analysis.json</code>.</p>" if left > 0 else ""
    return f'<section aria-labelledby="left-out"><h2 id="left-out">Left out</h2><ul>{rows}</ul>{more}</section>'


def nobody(facts: Facts) -> str:
    """What stands in place of everything else where there is nobody to look at."""
    what = "picture" if facts.is_picture else "video"
    return (
        f"<section><h2>Nobody was found</h2><p>No face and no person was found in this {what}, so there is nothing to "
        "draw. Faces of less than some 20 pixels, from behind or in the dark are missed.</p></section>"
    )


def _made_with(facts: Facts) -> str:
    models = "".join(f"<tr><th>{escape(k)}</th><td><code>{escape(v)}</code></td></tr>" for k, v in facts.models.items())
    asked = "".join(
        f"<tr><th>{escape(k)}</th><td><code>{escape(v)}</code></td></tr>" for k, v in facts.settings.items()
    )
    return f'<div class="wide"><table class="made"><tbody>{models}{asked}</tbody></table></div>'


def _sights(view: View) -> list[tuple[float, float]]:
    """From when to when a person is in sight without a gap."""
    firsts = [0, *(1 + np.flatnonzero(view.breaks)).tolist(), len(view.time_s)]
    return [
        (float(view.time_s[a]), float(view.time_s[b - 1]) + view.step_s)
        for a, b in zip(firsts, firsts[1:], strict=False)
    ]


def _key(drawing: Drawing, word: int) -> str:
    return f'<li dir="auto"><i class="key" style="background:{drawing.colours[word]}"></i>{escape(drawing.words[word])}</li>'


def _other(view: View, drawing: Drawing) -> str:
    shares = view.shares
    best = int(shares.argmax())
    told = f"<td dir=auto>{escape(drawing.words[best])}</td><td>{shares[best]:.0%}</td>" if shares[best] else (
        "<td>–</td><td>–</td>"
    )
    return (
        f"<tr><th>{view.track}</th><td>{_time(view.start_s)}</td><td>{clock(view.end_s)}</td>"
        f"<td>{view.seconds:.1f} s</td>{told}<td>{view.uncertain_share:.0%}</td></tr>"
    )


def _utterance(said: Utterance, people: Sequence[View], drawing: Drawing) -> str:
    meanwhile = " ".join(filter(None, (_meanwhile(said, view, drawing) for view in people)))
    return (
        f'<tr><td>{_time(said.start_s)}</td><td dir="auto">{escape(said.text)}</td>'
        f"<td>{meanwhile or '<span class=soft>nobody in sight</span>'}</td></tr>"
    )


def _meanwhile(said: Utterance, view: View, drawing: Drawing) -> str:
    """The person's likeliest word on average over the utterance; nothing where the person is out of sight."""
    first, end = np.searchsorted(view.time_s, [said.start_s - view.step_s / 2, said.end_s])
    if end <= first:
        return ""
    mean = view.scores[first:end].mean(axis=0)
    word = int(mean.argmax())
    colour = f'<i class="key" style="background:{drawing.colours[word]}"></i>'
    return f'<span class="meanwhile">{colour}{view.track}: <span dir="auto">{escape(drawing.words[word])}</span> {mean[word]:.0%}</span>'


def _time(time_s: float) -> str:
    return f'<button type="button" class="time" data-time="{time_s:.3f}">{clock(time_s)}</button>'
