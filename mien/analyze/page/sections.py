"""The page's parts around the persons: head, the whole video at a glance, further persons, what is said, left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from mien.analyze.page.palette import REST
from mien.analyze.page.people import NO_WORD, View, sights_of, stretches_of
from mien.analyze.page.person_section import SOURCES, Axis, Drawing, clock, lanes, names_of, scale, scrub
from mien.analyze.page.plot import MOST_CUTS, band, cuts, cuts_within, presence
from mien.analyze.record import Analysis, Utterance
from mien.analyze.timeline import UNCERTAIN

MOST_ROWS = 500
"""Rows of the tables of further persons and of utterances; what comes after is counted."""
INTENDED_USE = (
    "<strong>Apparent emotion:</strong> what an onlooker might say a person shows, not what the person feels. "
    "Not for decisions about people at work, in education, policing, hiring or health; the EU AI Act, Article "
    "5(1)(f), bans inferring emotions from biometrics in workplaces and education."
)


def head(analysis: Analysis, *, num_rows: int, files: Mapping[str, str]) -> str:
    """Title, notice, numbers, the files beside the page (address to what it is), models and settings."""
    num_persons = len({person.track for person in analysis.persons})
    numbers = [
        ("person" if num_persons == 1 else "persons", f"{num_persons:,}"),
        ("words", f"{len(analysis.words):,}"),
        ("samples scored", f"{num_rows:,}"),
        ("pixels", f"{analysis.video.width} × {analysis.video.height}"),
    ]
    if not analysis.video.is_picture:
        shots = ("shot" if len(analysis.shots) == 1 else "shots", f"{len(analysis.shots):,}")
        numbers = [("length", clock(analysis.video.duration_s)), *numbers[:2], shots, *numbers[2:]]
        numbers.append(("pictures a second", f"{analysis.video.fps:.4g}"))
    told = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers)
    links = "".join(f'<a href="{escape(address)}">{escape(what)}</a>' for address, what in files.items())
    return (
        f'<header><h1 dir="auto">{escape(analysis.video.name)}</h1><p class="notice" role="note">{INTENDED_USE}</p>'
        f'<dl class="facts">{told}</dl>{f"<nav aria-label=files>{links}</nav>" if links else ""}'
        f"<details><summary>How it was made: models and settings</summary>{_made_with(analysis)}</details></header>"
    )


def player(address: str) -> str:
    """The video, which a click into a plot moves to that time."""
    return (
        f'<section id="player" aria-label="video"><video controls preload="metadata" src="{escape(address)}" '
        'aria-label="the video with boxes and words drawn into it"></video></section>'
    )


def overview(people: Sequence[View], others: Sequence[View], analysis: Analysis, drawing: Drawing) -> str:
    """All persons over the whole video, one lane each; those who have no section of their own in one lane together."""
    axis = Axis(start_s=0.0, end_s=drawing.duration_s)
    step_s = people[0].step_s
    names = names_of(people)
    rows = [
        f'<li><a class="name" href="#person-{view.person.track}"><span>person </span>{names[view.key]}</a>'
        f'<div class="lane">{band(stretches_of(view), axis, colours=drawing.colours)}</div></li>'
        for view in people
    ]
    if others:
        spans = (span for view in others for span in sights_of(view))
        count = len({view.person.track for view in others})
        name = f'<a class="name" href="#others">{count:,} {"other" if count == 1 else "others"}</a>'
        rows.append(f'<li>{name}<div class="lane">{presence(spans, axis, cls="there")}</div></li>')
    if analysis.utterances:
        said = presence(((u.start_s, u.end_s) for u in analysis.utterances), axis, cls="said")
        rows.append(f'<li class="words"><a class="name" href="#said">words</a><div class="lane">{said}</div></li>')
    over = cuts(drawing.shots_s, axis)
    slider = scrub("overview", axis, step_s=step_s, label="time in the video")
    return (
        f'<section aria-labelledby="at-a-glance"><h2 id="at-a-glance">At a glance</h2>'
        f'<p class="soft">What is likeliest for whom, and when; nothing where a person is out of sight.</p>'
        f'<ul class="legend" aria-label="colours">{_legend(people, drawing, axis)}</ul>'
        f'<div class="plot glance">{lanes("".join(rows), over=over, scrub=slider)}'
        f'<div class="row">{scale(axis)}</div></div></section>'
    )


def persons_heading(analysis: Analysis) -> str:
    """The heading over the persons, and how their drawings are to be read."""
    about = (
        "How probable each word is, of all those that were asked for; they sum to 100 %."
        if analysis.video.is_picture
        else "Each curve is how probable a word is, from 0 at its line to 100 % at the full height; the answer is "
        f"“uncertain” where no word reaches {analysis.settings.min_confidence:.0%}. Pictures are of the moments at "
        "which a word was most probable."
    )
    return f'<h2 id="persons">Persons</h2><p class="soft">{about}</p>'


def others_section(others: Sequence[View]) -> str:
    """The persons who have no section of their own, a row each, those seen longest first."""
    if not others:
        return ""
    shown, rest = others[:MOST_ROWS], others[MOST_ROWS:]
    rows = "".join(_other(view) for view in shown)
    more = ""
    if rest:
        seconds = sum(view.person.seconds for view in rest)
        more = f"<p>And {len(rest):,} more, in sight for {seconds:,.1f} s together: they are in the table.</p>"
    count = len({view.person.track for view in others})
    columns = ("person", "seen", "from", "to", "in sight", "likeliest", "of the time", "uncertain")
    heads = "".join(f"<th>{name}</th>" for name in columns)
    return (
        f'<section aria-labelledby="others"><h2 id="others">{count:,} further {"person" if count == 1 else "persons"}'
        "</h2><p>Seen for a shorter time than those above. Who comes back in another shot counts as another person.</p>"
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{more}</section>'
    )


def said_section(analysis: Analysis, people: Sequence[View], drawing: Drawing) -> str:
    """What is said, and what each person in sight looks like meanwhile."""
    if not analysis.utterances:
        return ""
    rows = "".join(_utterance(u, people, drawing) for u in analysis.utterances[:MOST_ROWS])
    left = len(analysis.utterances) - MOST_ROWS
    more = f"<p>And {left:,} more: they are in <code>analysis.json</code>.</p>" if left > 0 else ""
    return (
        '<section aria-labelledby="said"><h2 id="said">What is said</h2><p>The sentences of the subtitles, and what '
        'each person in sight looks like meanwhile. Who says them is not known.</p><div class="wide">'
        '<table class="said"><thead><tr><th>time</th><th>words</th><th>meanwhile</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}</section>"
    )


def left_out_section(analysis: Analysis) -> str:
    """What was skipped, and why."""
    if not analysis.skipped:
        return ""
    rows = "".join(
        f"<li><code>{escape(skipped.what)}</code>: {escape(skipped.reason)}</li>"
        for skipped in analysis.skipped[:MOST_ROWS]
    )
    left = len(analysis.skipped) - MOST_ROWS
    more = f"<p>And {left:,} more: they are in <code>analysis.json</code>.</p>" if left > 0 else ""
    return f'<section aria-labelledby="left-out"><h2 id="left-out">Left out</h2><ul>{rows}</ul>{more}</section>'


def nobody(analysis: Analysis) -> str:
    """What stands in place of everything else where there is nobody to look at."""
    what = "picture" if analysis.video.is_picture else "video"
    return (
        f"<section><h2>Nobody was found</h2><p>No face and no person was found in this {what}, so there is nothing to "
        "draw. Faces of less than some 20 pixels, from behind or in the dark are missed.</p></section>"
    )


def _made_with(analysis: Analysis) -> str:
    analysis = analysis.without_folders()
    rows = [("mien", analysis.version)]
    for source, model in analysis.models.items():
        license = f"; weights: {model.weights_license}" if model.weights_license else ""
        rows.append((f"model, {SOURCES[source]}", f"{model.name} ({model.weights_hash}){license}"))
    rows += [("head", f"{head.path} ({head.kind}, {head.sha256[:12]})") for head in analysis.heads]
    rows += [(f"detector, {SOURCES[source]}", name) for source, name in analysis.detectors.items()]
    asked = analysis.settings.model_dump(mode="json")
    rows += [(name, ", ".join(map(str, v)) if isinstance(v, list) else str(v)) for name, v in asked.items()]
    told = "".join(f"<tr><th>{escape(name)}</th><td><code>{escape(v)}</code></td></tr>" for name, v in rows)
    return f'<div class="wide"><table class="made"><tbody>{told}</tbody></table></div>'


def _legend(people: Sequence[View], drawing: Drawing, axis: Axis) -> str:
    """The colours that stand for one word, then one line for all other words, and for what is no word."""
    used = {int(top) for view in people for top in np.unique(view.top)} - {NO_WORD}
    own = [word for word in sorted(used) if drawing.colours[word] != REST]
    keys = [f'<li dir="auto">{_swatch(drawing.colours[word])}{escape(drawing.words[word])}</li>' for word in own]
    if rest := len(used) - len(own):
        keys.append(f"<li>{_swatch(REST)}{rest} further {'word' if rest == 1 else 'words'}</li>")
    if any((view.top == NO_WORD).any() for view in people):
        keys.append('<li><i class="key uncertain"></i>uncertain</li>')
    if count := len(cuts_within(drawing.shots_s, axis)):
        marked = '<i class="key cut"></i>a shot begins'
        keys.append(f"<li>{marked if count <= MOST_CUTS else f'{count:,} cuts: too many to mark here'}</li>")
    return "".join(keys)


def _other(view: View) -> str:
    person = view.person
    said = {word: share for word, share in person.shares.items() if word != UNCERTAIN and share}
    best = max(said, key=said.__getitem__, default=None)
    told = f"<td dir=auto>{escape(best)}</td><td>{said[best]:.0%}</td>" if best else "<td>–</td><td>–</td>"
    return (
        f"<tr><th>{person.track}</th><td>{SOURCES[person.source]}</td><td>{_time(person.start_s)}</td>"
        f"<td>{clock(person.end_s)}</td><td>{person.seconds:.1f} s</td>{told}"
        f"<td>{person.shares.get(UNCERTAIN, 0.0):.0%}</td></tr>"
    )


def _utterance(said: Utterance, people: Sequence[View], drawing: Drawing) -> str:
    names = names_of(people)
    meanwhile = " ".join(filter(None, (_meanwhile(said, view, names[view.key], drawing) for view in people)))
    return (
        f'<tr><td>{_time(said.start_s)}</td><td dir="auto">{escape(said.text)}</td>'
        f"<td>{meanwhile or '<span class=soft>nobody in sight</span>'}</td></tr>"
    )


def _meanwhile(said: Utterance, view: View, name: str, drawing: Drawing) -> str:
    """The person's likeliest word on average over the utterance; nothing where the person is out of sight."""
    first, end = np.searchsorted(view.time_s, [said.start_s - view.step_s / 2, said.end_s])
    if end <= first:
        return ""
    mean = view.scores[first:end].mean(axis=0)
    word = int(mean.argmax())
    told = f'<span dir="auto">{escape(drawing.words[word])}</span> {mean[word]:.0%}'
    return f'<span class="meanwhile">{_swatch(drawing.colours[word])}{escape(name)}: {told}</span>'


def _swatch(colour: str) -> str:
    return f'<i class="key" style="background:{colour}"></i>'


def _time(time_s: float) -> str:
    return f'<button type="button" class="time" data-time="{time_s:.3f}">{clock(time_s)}</button>'
