"""A clip's card: its frames with boxes over them, what is said, how probable each emotion is; as HTML."""

from __future__ import annotations

import base64
import math
from html import escape

import numpy as np

from mien.eval.charts import COLOURS
from mien.eval.report_tables import tag
from mien.inspect.strips import FaceMark, PersonMark, Picture, Strip
from mien.language.sentiment import softmax
from mien.types import EMOTIONS, Clip

TRACK_COLOURS = ("#4cc9f0", "#ffb703", "#7ee081", "#ff8fab", "#c8a2ff", "#ff9f5a", "#f4f06a", "#5eead4")
"""Colours of boxes by track number: light enough for dark labels, and apart from each other on pictures."""
UNTRACKED = "#e5e7eb"
NARROW = 18.0
"""Boxes narrower than so many per cent of the picture show their label when pointed at; else labels hide people."""
WIDE = 1.15
"""Pictures wider than so many times their height stand four in a row, others eight."""


def card(strip: Strip, *, number: int, no_clip: str = "") -> str:
    """The card of a clip; or of a stretch of a video that makes none, with the reason `no_clip` in place of words."""
    is_clip = not no_clip
    pictures = "".join(frame(picture, strip) for picture in strip.pictures)
    said = escape(strip.clip.text if is_clip else f"makes no clip ({no_clip})")
    return (
        f'<article class="clip" id="clip-{number}" tabindex="-1" aria-labelledby="said-{number}" '
        f"{_attributes(strip, is_clip=is_clip)}>{_header(strip, is_clip=is_clip)}"
        f'<p class="said{"" if is_clip else " soft"}" id="said-{number}" dir="auto">{said}</p>'
        f'<div class="seen"><ol class="strip {shape_of(strip)}" aria-label="frames">{pictures}</ol>'
        f"{_emotions(strip) if is_clip else ''}</div></article>"
    )


def shape_of(strip: Strip) -> str:
    """The class of a list of these pictures, which decides how many stand in a row."""
    return "single" if len(strip.pictures) == 1 else "wide" if strip.width > WIDE * strip.height else "tall"


def frame(picture: Picture, strip: Strip) -> str:
    """A picture of a strip with its boxes over it, as an item of a list of class `strip`."""
    count = sum(mark.counts for mark in picture.persons)
    what = f"{count} person{'' if count == 1 else 's'}" if count else "nobody found"
    uri = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")
    marks = "".join([*map(_person, picture.persons), *map(_face, picture.faces)])
    return (
        f'<li class="frame" style="aspect-ratio:{strip.width}/{strip.height};--w:{strip.width}px">'
        f'<img alt="frame at {clock(picture.time_s)}: {what}" width="{strip.width}" height="{strip.height}" '
        f'loading="lazy" decoding="async" src="{uri}"><div class="marks" aria-hidden="true">{marks}</div>'
        f"<time>{picture.time_s:.2f}</time></li>"
    )


def clock(seconds: float) -> str:
    """HH:MM:SS.mmm"""
    whole, ms = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{ms:03}"


def track_colour(track: int) -> str:
    return TRACK_COLOURS[track % len(TRACK_COLOURS)] if track >= 0 else UNTRACKED


def emotion_colour(emotion: str) -> str:
    return COLOURS[EMOTIONS.index(emotion)]


def emotion_probabilities(clip: Clip) -> dict[str, float]:
    """How probable each emotion of the clip's sentence is."""
    p = softmax(np.array([clip.sentiment_logits], np.float64))[0]
    return dict(zip(EMOTIONS, p.tolist(), strict=True))


def most_probable_emotion(clip: Clip) -> str:
    return EMOTIONS[int(np.argmax(clip.sentiment_logits))]


def _attributes(strip: Strip, *, is_clip: bool) -> str:
    """What the page's filters and sorting look at."""
    clip = strip.clip
    subjects = (["all", "largest"] if strip.num_persons else []) + (["speaking"] if strip.has_speaker else [])
    values = {
        "id": clip.id,
        "video": clip.video,
        "start": f"{clip.start_s:.3f}",
        "seconds": f"{clip.end_s - clip.start_s:.3f}",
        "persons": str(strip.num_persons),
        "share": f"{clip.person_share:.4f}",
        "subjects": " ".join(subjects),
        "emotion": most_probable_emotion(clip) if is_clip else "",
        "sure": f"{max(emotion_probabilities(clip).values()):.4f}" if is_clip else "0",
    }
    return " ".join(f'data-{name}="{escape(value)}"' for name, value in values.items())


def _header(strip: Strip, *, is_clip: bool) -> str:
    clip, n = strip.clip, strip.num_persons
    persons = f"{n} person{'' if n == 1 else 's'}" + (" at a time" if n > 1 else "") if n else "nobody seen"
    is_picture = not is_clip and clip.num_frames == 1
    facts = ["one picture"] if is_picture else [f"{clock(clip.start_s)} – {clock(clip.end_s)}", _length(clip)]
    facts += [persons, *([f"in {clip.person_share:.0%} of frames"] if n and is_clip else [])]
    name = escape(clip.id if is_clip else clip.video)
    return f'<header><h3 dir="auto">{name}</h3>{"".join(f"<span>{fact}</span>" for fact in facts)}</header>'


def _length(clip: Clip) -> str:
    return f"{clip.end_s - clip.start_s:.1f} s"


def _emotions(strip: Strip) -> str:
    """A bar an emotion; the most probable one in bold."""
    p = emotion_probabilities(strip.clip)
    best = most_probable_emotion(strip.clip)
    rows = "".join(
        f"<tr{' class=best' if name == best else ''}><th scope=row>{tag(name)}</th><td><span class=bar>"
        f'<i style="width:{100 * value:.1f}%;background:{emotion_colour(name)}"></i></span></td>'
        f"<td>{100 * value:.0f}&#8239;%</td></tr>"
        for name, value in p.items()
    )
    return f'<table class="emotions"><caption>emotion of the sentence</caption><tbody>{rows}</tbody></table>'


def _person(mark: PersonMark) -> str:
    named = (("counts", mark.counts), ("largest", mark.is_largest), ("speaking", mark.is_speaking))
    classes = ["box", *(name for name, holds in named if holds)]
    left, top, right, bottom = mark.box
    if right - left < NARROW:
        classes.append("narrow")
    number = str(mark.track) if mark.track >= 0 else "?"
    speaks = " speaks" if mark.is_speaking else ""
    rest = f" {_score(mark.score)}{speaks}"
    return (
        f'<span class="{" ".join(classes)}" style="{_place(left, top, right, bottom)};--c:{track_colour(mark.track)}" '
        f'title="person {number}{rest}"><b>{number}<span>{rest}</span></b></span>'
    )


def _face(mark: FaceMark) -> str:
    points = "".join(f'<i class="point" style="left:{x:.2f}%;top:{y:.2f}%"></i>' for x, y in mark.landmarks)
    whose = f", of person {mark.track}" if mark.track >= 0 else ""
    return f'<span class="face" style="{_place(*mark.box)}" title="face {_score(mark.score)}{whose}"></span>{points}'


def _place(left: float, top: float, right: float, bottom: float) -> str:
    return f"left:{left:.2f}%;top:{top:.2f}%;width:{right - left:.2f}%;height:{bottom - top:.2f}%"


def _score(score: float) -> str:
    """Two digits, never rounded up to a whole: .87, .99, 1.0"""
    return "1.0" if score >= 1 else f"{math.floor(100 * score) / 100:.2f}"[1:]
