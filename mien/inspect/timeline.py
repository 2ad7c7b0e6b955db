"""A stretch of a video on a time axis: its sentences, coloured by emotion, and who is there when; as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from mien.data.store import SENTENCES_FILE, Store
from mien.eval.charts import ticks
from mien.inspect.cards import clock, emotion_colour, track_colour
from mien.inspect.strips import COUNTS_FROM
from mien.types import EMOTIONS, BoxTable

WINDOW_S = 120.0
"""How much of a video is drawn; more, and a sentence would be too narrow to point at."""
MOST_TRACKS = 8
"""The persons drawn: those who are there longest."""
NUM_TICKS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A sentence on the axis; `id` is what its clip is called, if it makes one."""

    start_s: float
    end_s: float
    text: str
    emotion: str
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """When a track is there: stretches of (start_s, end_s, whether that person speaks)."""

    track: int
    stretches: tuple[tuple[float, float, bool], ...]

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end, _ in self.stretches)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """What happens in a video from `start_s` to `end_s`. `num_tracks` counts those that are not drawn, too."""

    video: str
    start_s: float
    end_s: float
    duration_s: float
    said: tuple[Said, ...]
    presences: tuple[Presence, ...]
    num_tracks: int


def read_timeline(store: Store, video: str, *, around_s: float) -> Timeline:
    """Two minutes of a video around a time, or the whole of a shorter one."""
    info = store.frames(video).info
    duration_s = info.num_frames / info.fps
    start_s = min(max(around_s - WINDOW_S / 2, 0.0), max(duration_s - WINDOW_S, 0.0))
    end_s = min(start_s + WINDOW_S, duration_s)
    presences = presences_of(store.boxes(video), fps=info.fps, start_s=start_s, end_s=end_s)
    longest = sorted(presences, key=lambda p: (-p.seconds, p.track))[:MOST_TRACKS]
    return Timeline(
        video=video,
        start_s=start_s,
        end_s=end_s,
        duration_s=duration_s,
        said=_said(store, video, start_s=start_s, end_s=end_s),
        presences=tuple(sorted(longest, key=lambda p: p.track)),
        num_tracks=len(presences),
    )


def presences_of(boxes: BoxTable, *, fps: float, start_s: float, end_s: float) -> list[Presence]:
    """When each track is there within [start_s, end_s); a stretch ends where a frame is missing or speaking changes."""
    is_in = (boxes.score >= COUNTS_FROM) & (boxes.frame >= start_s * fps) & (boxes.frame < end_s * fps)
    found = []
    for track in np.unique(boxes.track[is_in]).tolist():
        own = is_in & (boxes.track == track)
        frames, first = np.unique(boxes.frame[own], return_index=True)
        speaking = boxes.speaking[own][first]
        breaks = 1 + np.flatnonzero((np.diff(frames) > 1) | (speaking[1:] != speaking[:-1]))
        stretches = [
            (float(part[0]) / fps, float(part[-1] + 1) / fps, bool(speaks[0]))
            for part, speaks in zip(np.split(frames, breaks), np.split(speaking, breaks), strict=True)
        ]
        found.append(Presence(track=track, stretches=tuple(stretches)))
    return found


def draw_timeline(timeline: Timeline, *, cards: Mapping[str, str]) -> str:
    """The timeline as HTML. `cards` are the addresses of the clips that are on the page, by their id."""
    lanes = [_lane("sentences", "".join(_sentence(said, timeline, cards) for said in timeline.said))]
    lanes += [_lane(_name(p), "".join(_stretch(p, s, timeline) for s in p.stretches)) for p in timeline.presences]
    more = timeline.num_tracks - len(timeline.presences)
    whole = timeline.end_s - timeline.start_s >= timeline.duration_s
    extent = "" if whole else f", {clock(timeline.start_s)} to {clock(timeline.end_s)} of {clock(timeline.duration_s)}"
    note = f'<p class="soft">and {more} more, who are there no longer than these</p>' if more > 0 else ""
    return (
        f'<figure class="timeline"><figcaption><b dir="auto">{escape(timeline.video)}</b>{extent}</figcaption>'
        f"{''.join(lanes)}{_axis(timeline)}{note}</figure>"
    )


def _said(store: Store, video: str, *, start_s: float, end_s: float) -> tuple[Said, ...]:
    if not (store.folder(video) / SENTENCES_FILE).is_file():
        return ()
    scored = store.sentences(video)
    return tuple(
        Said(
            start_s=s.start_s,
            end_s=s.end_s,
            text=s.text,
            emotion=EMOTIONS[int(logits.argmax())],
            id=f"{video}#{number}",
        )
        for number, (s, logits) in enumerate(zip(scored.sentences, scored.logits, strict=True))
        if s.end_s > start_s and s.start_s < end_s
    )


def _lane(name: str, spans: str) -> str:
    return f'<div class="lane"><span class="who">{name}</span><div class="spans">{spans}</div></div>'


def _name(presence: Presence) -> str:
    return f"person {presence.track}" if presence.track >= 0 else "persons"


def _sentence(said: Said, timeline: Timeline, cards: Mapping[str, str]) -> str:
    """Filled where its clip is on this page, and then a link to it; an outline elsewhere."""
    place = f"{_place(said.start_s, said.end_s, timeline)};--c:{emotion_colour(said.emotion)}"
    about = escape(f"{said.text} ({said.emotion}, {said.end_s - said.start_s:.1f} s)")
    attributes = f'style="{place}" title="{about}"'
    if said.id in cards:
        return f'<a class="span shown" href="{cards[said.id]}" aria-label="{about}" {attributes}>{said.emotion}</a>'
    return f'<span class="span" {attributes}>{said.emotion}</span>'


def _stretch(presence: Presence, stretch: tuple[float, float, bool], timeline: Timeline) -> str:
    start_s, end_s, speaks = stretch
    place = f"{_place(start_s, end_s, timeline)};--c:{track_colour(presence.track)}"
    about = f"{_name(presence)}{', speaking' if speaks else ''}: {clock(start_s)} to {clock(end_s)}"
    return f'<span class="span there{" speaking" if speaks else ""}" style="{place}" title="{about}"></span>'


def _place(start_s: float, end_s: float, timeline: Timeline) -> str:
    length_s = timeline.end_s - timeline.start_s
    left, right = ((t - timeline.start_s) / length_s for t in (start_s, end_s))
    left, right = max(left, 0.0), min(right, 1.0)
    return f"left:{100 * left:.3f}%;width:{100 * (right - left):.3f}%"


def _axis(timeline: Timeline) -> str:
    length_s = timeline.end_s - timeline.start_s
    marks = "".join(
        f'<span style="left:{100 * (t - timeline.start_s) / length_s:.2f}%">{_short(t)}</span>'
        for t in ticks(timeline.start_s, timeline.end_s, count=NUM_TICKS)
    )
    return f'<div class="lane axis" aria-hidden="true"><span class="who"></span><div class="spans">{marks}</div></div>'


def _short(seconds: float) -> str:
    """12.5 s as 0:12.5"""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}".removesuffix(".0") if rest % 1 else f"{int(minutes)}:{int(rest):02}"
