"""One person on the page: the plot over time with the share of each word, and the key pictures."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from mien.analyze.page.key_pictures import KeyPicture
from mien.analyze.page.people import View, stretches_of
from mien.analyze.page.plot import Axis, Binned, band, binned, curve, cuts, likeliest, number_line, time_scale
from mien.analyze.timeline import UNCERTAIN

SHOWN_WORDS = 8
"""Words of a plot that stand open; further ones can be unfolded."""
WHOLE_FROM = 0.4
"""Who is in sight within so much of a video is drawn over all of it, so that plots can be compared."""
TOLD = 3
"""Words told of the time that one points at."""
SOURCES = {"face": "by the face", "person": "by body and setting"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What all drawings of a page share: the words with their colours, the numbers, the video's length and shots."""

    words: tuple[str, ...]
    numbers: tuple[str, ...]
    colours: tuple[str, ...]
    duration_s: float
    shots_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """What the page's script tells of the time one points at: the likeliest words of each column of a plot."""

    id: str
    bin_s: float
    bins: list[list[int]]


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are some: 0:07.25, 1:02:03.5"""
    hundredths = round(100 * seconds)
    hours, minutes = divmod(hundredths // 6000, 60)
    rest = f"{hundredths % 6000 / 100:05.2f}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"


def names_of(people: Sequence[View]) -> dict[tuple[int, str], str]:
    """What each view is called, by its key: the person's number, and the source where a person has two."""
    tracks = Counter(view.person.track for view in people)
    several = {track for track, count in tracks.items() if count > 1}
    return {
        view.key: f"{view.person.track}, {view.person.source}"
        if view.person.track in several
        else f"{view.person.track}"
        for view in people
    }


def word_order(people: Sequence[View], words: Sequence[str]) -> list[int]:
    """The words' places, the one that is likeliest most of the time first; then by mean probability."""
    time, mean = np.zeros(len(words)), np.zeros(len(words))
    for view in people:
        time += view.person.num_samples * np.array([view.person.shares.get(word, 0.0) for word in words])
        mean += view.person.num_samples * view.scores.mean(axis=0)
    return np.lexsort((-mean, -time)).tolist()


def person_section(
    views: Sequence[View], pictures: Sequence[Sequence[KeyPicture]], drawing: Drawing
) -> tuple[str, list[Readings]]:
    """The section as HTML, and its plots' readings. `views` are one person's, a source each; so are `pictures`."""
    first, person = views[0], views[0].person
    where = f"{clock(person.start_s)} – {clock(person.end_s)}, in sight for {person.seconds:.1f} s"
    heading = f'<h3 id="person-{first.person.track}">Person {first.person.track} <span class="soft">{where}</span></h3>'
    parts, readings = [heading], []
    for view, own in zip(views, pictures, strict=True):
        body, reading = _plot(view, drawing)
        source = f"<h4>{_source(view.person.source)}</h4>" if len(views) > 1 else ""
        parts.append(f"{source}{body}{_pictures(own, drawing)}")
        readings.append(reading)
    return f'<section class="person" aria-labelledby="person-{first.person.track}">{"".join(parts)}</section>', readings


def still_section(views: Sequence[View], pictures: Sequence[Sequence[KeyPicture]], drawing: Drawing) -> str:
    """A person of a photograph: the picture, and each word's probability."""
    first = views[0]
    bodies = []
    for view, own in zip(views, pictures, strict=True):
        source = f"<h4>{_source(view.person.source)}</h4>" if len(views) > 1 else ""
        rows = "".join(_bar(word, float(view.scores[0, word]), drawing) for word in word_order([view], drawing.words))
        body = f'{_pictures(own, drawing)}<ul class="bars" aria-label="probabilities">{rows}</ul>'
        bodies.append(f'{source}<div class="still">{body}</div>')
    heading = f'<h3 id="person-{first.person.track}">Person {first.person.track}</h3>'
    return f'<section class="person" aria-labelledby="person-{first.person.track}">{heading}{"".join(bodies)}</section>'


def scrub(id: str, axis: Axis, *, step_s: float, label: str) -> str:
    """What one points at, clicks on, or moves by keys, to choose a time; it lies over a plot's lanes."""
    return (
        f'<div class="scrub" role="slider" tabindex="0" id="{id}" aria-label="{escape(label)}" '
        f'aria-valuemin="{axis.start_s:.2f}" aria-valuemax="{axis.end_s:.2f}" aria-valuenow="{axis.start_s:.2f}" '
        f'aria-valuetext="{clock(axis.start_s)}" data-step="{step_s:.4f}"><i class="cursor" hidden></i></div>'
    )


def lanes(rows: str, *, over: str, scrub: str = "") -> str:
    """The rows of a plot, and what lies over all of them."""
    return f'<div class="lanes"><ul>{rows}</ul><div class="over">{over}{scrub}</div></div>'


def scale(axis: Axis) -> str:
    """The round times under a plot."""
    marks = "".join(
        f'<span class="{"end" if place > 94 else ""}" style="left:{place:.2f}%">{clock(time_s)}</span>'
        for time_s, place in time_scale(axis)
    )
    return f'<div class="scale" aria-hidden="true">{marks}</div>'


def axis_of(view: View, drawing: Drawing) -> Axis:
    """The whole video, for who is about in much of it; else from the first to the last sight of the person."""
    if view.end_s - view.start_s >= WHOLE_FROM * drawing.duration_s:
        return Axis(start_s=0.0, end_s=max(drawing.duration_s, view.end_s - view.step_s))
    return Axis(start_s=view.start_s, end_s=view.end_s)


def _plot(view: View, drawing: Drawing) -> tuple[str, Readings]:
    axis = axis_of(view, drawing)
    bins = binned(view, view.scores, axis)
    id = f"plot-{view.person.track}-{view.person.source}"
    over = cuts(drawing.shots_s, axis)
    order = word_order([view], drawing.words)
    top = (
        f'<li class="likeliest"><span class="name">likeliest</span><div class="lane">'
        f"{band(stretches_of(view), axis, colours=drawing.colours, labels=drawing.words)}</div>"
        f'<span class="share soft">share of time</span></li>'
    )
    numbers = _numbers(view, axis, drawing)
    shown = "".join(_lane(view, bins, word, drawing) for word in order[:SHOWN_WORDS])
    label = f"time, person {view.person.track} {_source(view.person.source)}"
    slider = scrub(id, axis, step_s=view.step_s, label=label)
    more = ""
    if rest := order[SHOWN_WORDS:]:
        rows = "".join(_lane(view, bins, word, drawing) for word in rest)
        more = f"<details><summary>{len(rest)} more words, less of the time</summary>{lanes(rows, over=over)}</details>"
    note = (
        f'<p class="soft note">Each column is {bins.samples_per_bin} samples ({bins.bin_s:.2f} s): '
        "their mean, and lighter behind it the highest.</p>"
        if bins.samples_per_bin > 1
        else ""
    )
    body = (
        f'<div class="plot">{lanes(top + shown + _uncertain(view) + numbers, over=over, scrub=slider)}'
        f'<div class="row">{scale(axis)}</div><output class="reading" for="{id}"></output>{more}{note}</div>'
    )
    return body, Readings(id=id, bin_s=bins.bin_s, bins=likeliest(bins, count=TOLD))


def _lane(view: View, bins: Binned, word: int, drawing: Drawing) -> str:
    share = view.person.shares.get(drawing.words[word], 0.0)
    about = f"likeliest in {share:.1%} of the time; at most {float(view.scores[:, word].max()):.0%} probable"
    return (
        f'<li title="{about}"><span class="name" dir="auto">{escape(drawing.words[word])}</span>'
        f'<div class="lane">{curve(bins, word, colour=drawing.colours[word])}</div>'
        f"{_share(share, colour=drawing.colours[word])}</li>"
    )


def _numbers(view: View, axis: Axis, drawing: Drawing) -> str:
    """A lane for each number that is no probability, with its mean."""
    bins = binned(view, view.numbers, axis)
    rows = []
    for place, name in enumerate(drawing.numbers):
        low, high = float(view.numbers[:, place].min()), float(view.numbers[:, place].max())
        line = number_line(bins.mean[:, place], low=low, high=high)
        rows.append(
            f'<li title="from {low:.2f} to {high:.2f}"><span class="name" dir="auto">{escape(name)}</span>'
            f'<div class="lane">{line}</div><span class="share"><span class="soft">mean</span> '
            f"<b>{view.person.means[name]:.2f}</b></span></li>"
        )
    return "".join(rows)


def _uncertain(view: View) -> str:
    share = view.person.shares.get(UNCERTAIN, 0.0)
    if not share:
        return ""
    return (
        '<li class="uncertain"><span class="name">uncertain</span><div class="lane"></div>'
        f"{_share(share, colour='var(--soft)')}</li>"
    )


def _share(share: float, *, colour: str) -> str:
    return (
        f'<span class="share"><span class="bar"><i style="width:{100 * share:.1f}%;background:{colour}"></i></span>'
        f"<b>{_per_cent(share)}</b></span>"
    )


def _bar(word: int, probability: float, drawing: Drawing) -> str:
    name = f'<span class="name" dir="auto">{escape(drawing.words[word])}</span>'
    return f"<li>{name}{_share(probability, colour=drawing.colours[word])}</li>"


def _per_cent(share: float) -> str:
    """Whole per cents, never 0 for what is there, nor 100 for what is not all."""
    if 0 < share < 0.005:
        return "&lt;1&#8239;%"
    if 0.995 <= share < 1:
        return "&gt;99&#8239;%"
    return f"{100 * share:.0f}&#8239;%"


def _pictures(pictures: Sequence[KeyPicture], drawing: Drawing) -> str:
    return f'<ol class="pictures" aria-label="key pictures">{"".join(_picture(p, drawing) for p in pictures)}</ol>'


def _picture(picture: KeyPicture, drawing: Drawing) -> str:
    word, colour = escape(picture.peak.word), drawing.colours[drawing.words.index(picture.peak.word)]
    told = f"{100 * picture.peak.probability:.0f}&#8239;%"
    left, top, width, height = picture.box
    place = f"left:{left:.1f}%;top:{top:.1f}%;width:{width:.1f}%;height:{height:.1f}%"
    uri = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")
    time = clock(picture.peak.time_s)
    button = f'<button type="button" class="time" data-time="{picture.peak.time_s:.3f}">{time}</button> '
    return (
        f'<li style="--c:{colour}"><div class="frame"><img alt="the person at {time}" loading="lazy" decoding="async" '
        f'width="{picture.width}" height="{picture.height}" src="{uri}"><i class="box" style="{place}"></i></div>'
        f'{button if drawing.duration_s else ""}<b dir="auto">{word}</b> {told}</li>'
    )


def _source(source: str) -> str:
    return SOURCES.get(source, escape(source))
