"""A store's numbers as small bar charts, made of tables so that every reader can read them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from mien.data.card import StoreCard
from mien.eval.report_tables import tag
from mien.inspect.cards import emotion_colour
from mien.inspect.sample import Survey
from mien.lengths import told_length
from mien.types import EMOTIONS

UNITS = {"h": "hours", "min": "minutes", "s": "seconds"}
MOST_ROWS = 12
"""Bars of a chart; what comes after them is summed up in one row."""


def facts_of(found: Survey, card: StoreCard | None) -> list[tuple[str, str]]:
    """The numbers one wants at a glance, by name."""
    if card is None:
        return [
            ("clips", f"{found.num_clips:,}"),
            _length(found.hours, "clips"),
            ("videos with clips", f"{len(found.videos):,}"),
        ]
    return [
        ("videos", f"{card.num_videos:,}"),
        _length(card.hours, "pictures"),
        ("sentences", f"{card.num_sentences:,}"),
        ("words", f"{card.num_words:,}"),
        ("clips", f"{card.num_clips:,}"),
        _length(card.clip_hours, "clips"),
        ("persons followed", f"{card.num_tracks:,}"),
        *([("videos cut off", f"{card.num_cut_off:,}")] if card.num_cut_off else []),
        ("videos without words", f"{card.num_videos_without_words:,}"),
        ("duplicates left out", f"{card.num_duplicates:,}"),
        ("failed", f"{card.num_failed:,}"),
    ]


def _length(hours: float, what: str) -> tuple[str, str]:
    number, unit = told_length(hours).split()
    return f"{UNITS[unit]} of {what}", number


def charts_of(found: Survey, card: StoreCard | None) -> str:
    """The histograms: of the data card where the store has one, else of what the index tells."""
    if card is None:
        return "".join([
            _durations(found.durations),
            _emotions(found.emotions, dict(zip(EMOTIONS, found.mean_emotions.tolist(), strict=True))),
        ])  # fmt: skip
    left_out = {"made clips": card.num_clips} | dict(card.left_out)
    return "".join([
        _emotions(card.emotions, card.mean_emotions),
        _durations(card.clip_durations),
        bars(_in_order(card.persons_per_frame), title="Persons in a picture", unit="pictures", keeps_order=True),
        bars(left_out, title="What became of the sentences", unit="sentences", keeps_order=True),
        bars(card.words_from, title="Where the words come from", unit="videos"),
        bars(card.languages, title="Languages", unit="videos"),
        bars(card.sources, title="Sources", unit="videos"),
        bars(card.licenses, title="Licences", unit="videos"),
    ])  # fmt: skip


def models_of(card: StoreCard) -> str:
    """Which models made what, as a table."""
    rows = "".join(
        f"<tr><th scope=row>{escape(what)}</th><td><code>{escape(model)}</code></td></tr>"
        for what, model in card.models.items()
    )
    return f'<table class="models"><caption>Models</caption><tbody>{rows}</tbody></table>' if rows else ""


def bars(counts: Mapping[str, int], *, title: str, unit: str, keeps_order: bool = False) -> str:
    """A bar chart of counts by name; the most frequent first unless their order means something."""
    if not counts:
        return ""
    shown = list(counts.items()) if keeps_order else sorted(counts.items(), key=lambda pair: -pair[1])
    if rest := shown[MOST_ROWS:]:
        shown = [*shown[:MOST_ROWS], (f"{len(rest)} more", sum(count for _, count in rest))]
    rows = [(f"<span dir=auto>{escape(name)}</span>", count, "var(--accent)", "") for name, count in shown]
    return _chart(rows, title=title, unit=unit)


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of "0", "1", …, "5+" from the smallest number on."""
    return dict(sorted(counts.items(), key=lambda pair: int(pair[0].rstrip("+"))))


def _durations(durations: Mapping[str, int]) -> str:
    named = {f"{length}–{int(length) + 1} s": count for length, count in _in_order(durations).items()}
    return bars(named, title="Length of the clips", unit="clips", keeps_order=True)


def _emotions(counts: Mapping[str, int], means: Mapping[str, float]) -> str:
    """By the most probable emotion; beside it the mean probability over all clips."""
    rows = [
        (tag(name), count, emotion_colour(name), f"mean {100 * means.get(name, 0.0):.0f}&#8239;%")
        for name, count in counts.items()
        if name in EMOTIONS
    ]
    return _chart(rows, title="Emotion of the sentences", unit="clips") if any(counts.values()) else ""


def _chart(rows: list[tuple[str, int, str, str]], *, title: str, unit: str) -> str:
    """Rows of (name as HTML, count, colour, a note)."""
    total, highest = sum(row[1] for row in rows), max(row[1] for row in rows)
    body = "".join(
        f"<tr><th scope=row>{name}</th><td><span class=bar>"
        f'<i style="width:{100 * count / max(highest, 1):.1f}%;background:{colour}"></i></span></td>'
        f"<td>{count:,}</td><td>{100 * count / max(total, 1):.0f}&#8239;%</td>"
        f"{f'<td class=soft>{note}</td>' if note else ''}</tr>"
        for name, count, colour, note in rows
    )
    return f'<table class="chart"><caption>{escape(title)} <span>({unit})</span></caption><tbody>{body}</tbody></table>'
