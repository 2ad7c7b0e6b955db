"""The sections of a store's page, from top to bottom, as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mien.data.card import CARD_FILE, StoreCard
from mien.eval.report_tables import tag
from mien.inspect.cards import card as clip_card
from mien.inspect.cards import most_probable_emotion, track_colour
from mien.inspect.left_out import Reason
from mien.inspect.numbers import charts_of, facts_of, models_of
from mien.inspect.sample import Survey
from mien.inspect.strips import COUNTS_FROM, Strip
from mien.inspect.timeline import Timeline, draw_timeline
from mien.types import EMOTIONS, Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownClip:
    """A clip on the page; or a stretch of a video that makes none, and then `no_clip` says why."""

    strip: Strip
    no_clip: str = ""


def head(store: Path, found: Survey, reasons: Sequence[Reason], card: StoreCard | None) -> str:
    """Name, the numbers one wants at a glance, what failed, and where to find what."""
    facts = "".join(f"<div><dt>{escape(n)}</dt><dd>{escape(v)}</dd></div>" for n, v in facts_of(found, card))
    failed = sum(reason.count for reason in reasons if reason.is_failure)
    notice = (
        f'<p class="notice"><strong>{failed:,} video{"" if failed == 1 else "s"} failed</strong> to prepare and '
        f'{"is" if failed == 1 else "are"} not in the store: <a href="#left-out">why</a>.</p>'
        if failed
        else ""
    )
    name = store.resolve().name
    where = "" if str(store) == name else f'<p class="soft path">{escape(str(store))}</p>'
    return (
        f'<h1 dir="auto">{escape(name)}</h1>{where}'
        f'<dl class="facts">{facts}</dl>{notice}<nav aria-label="sections"><a href="#clips">Clips</a>'
        '<a href="#numbers">Numbers</a><a href="#timelines">Timelines</a><a href="#left-out">Left out</a></nav>'
    )


def clips_section(clips: Sequence[ShownClip], found: Survey, *, subject: str, pattern: str) -> str:
    """The clips, and the form that filters them."""
    without = sum(bool(shown.no_clip) for shown in clips)
    num_clips = len(clips) - without
    is_all = num_clips == found.num_clips
    of = f"All {num_clips:,} clips" if is_all and num_clips > 1 else f"{num_clips:,} of {found.num_clips:,} clips"
    which = "" if pattern == "*" else f" of the videos <code>{escape(pattern)}</code>"
    drawn = "" if is_all else ", drawn at random, with some of every emotion there is"
    more = f", and {without:,} video{'s that make' if without > 1 else ' that makes'} none" if without else ""
    cards = "".join(
        clip_card(shown.strip, number=number, no_clip=shown.no_clip) for number, shown in enumerate(clips, start=1)
    )
    nothing = "" if clips else '<p class="soft">This store has no clips and no videos to show.</p>'
    return (
        f'<section id="clips" data-subject="{escape(subject)}"><h2>Clips</h2><p>{of}{which}{drawn}{more}. Emotions are '
        f"those of the <em>sentence</em>, as a model of text sees them; not what anyone in the picture feels.</p>"
        f'{_form(clips, subject=subject) + _legend() if clips else nothing}<p id="nothing" class="soft" hidden>No clip '
        f'fits these filters.</p><div id="cards">{cards}</div>{_pager()}'
        "</section>"
    )


def numbers_section(found: Survey, card: StoreCard | None) -> str:
    about = (
        f"<p>Of the whole store, from its data card (<code>{CARD_FILE}</code>).</p>"
        if card
        else f'<p class="soft">This store has no data card (<code>{CARD_FILE}</code>), so these numbers are of its '
        "index alone; <code>mien prepare</code> writes one.</p>"
    )
    charts = charts_of(found, card)
    return (
        f'<section id="numbers"><h2>Numbers</h2>{about}<div class="charts">{charts}</div>'
        f"{models_of(card) if card else ''}</section>"
    )


def timelines_section(timelines: Sequence[Timeline], clips: Sequence[ShownClip]) -> str:
    """Some videos on a time axis."""
    cards = {s.strip.clip.id: f"#clip-{number}" for number, s in enumerate(clips, start=1) if not s.no_clip}
    drawn = "".join(draw_timeline(timeline, cards=cards) for timeline in timelines)
    legend = '<div class="legend">' + "".join(f"<span>{tag(e)}</span>" for e in EMOTIONS) + "</div>"
    about = (
        "<p>When something is said, in the colour of its emotion, and who is seen meanwhile. Filled sentences are "
        f"clips on this page, and lead to them; a line below marks who speaks.</p>{legend}"
    )
    nothing = '<p class="soft">No video with clips to draw.</p>'
    return f'<section id="timelines"><h2>Timelines</h2>{about + drawn if timelines else nothing}</section>'


def left_out_section(reasons: Sequence[Reason], undrawn: Sequence[Skipped]) -> str:
    """Failures first, videos kept in part, then what the rules left out; and what this page could not draw."""
    failures = [reason for reason in reasons if reason.is_failure]
    cut_off = [reason for reason in reasons if reason.is_cut_off]
    others = [reason for reason in reasons if not (reason.is_failure or reason.is_cut_off)]
    parts = [
        _reasons("Failed", failures, open_first=True),
        _reasons("Cut off: kept as far as they decode", cut_off),
        _reasons("Left out by the rules", others),
    ]
    if undrawn:
        rows = "".join(_example(skipped) for skipped in undrawn)
        parts.insert(0, f"<h3>Could not be drawn on this page</h3><ul>{rows}</ul>")
    nothing = '<p class="soft">Nothing was left out.</p>'
    return f'<section id="left-out"><h2>Left out</h2>{"".join(parts) or nothing}</section>'


# ── their parts ──────────────────────────────────────────────────────────────────────────────────


def _form(clips: Sequence[ShownClip], *, subject: str) -> str:
    videos = sorted({shown.strip.clip.video for shown in clips})
    emotions = Counter(most_probable_emotion(shown.strip.clip) for shown in clips if not shown.no_clip)
    named = [(e, f"{e} ({emotions[e]})") for e in EMOTIONS if emotions[e]]
    subjects = [("all", "everyone"), ("largest", "the largest"), ("speaking", "who speaks")]
    sorts = [
        ("", "as drawn"), ("time", "video and time"), ("seconds", "shortest first"), ("-seconds", "longest first"),
        ("-sure", "surest emotion first"), ("sure", "least sure first"), ("-persons", "most persons first"),
        ("share", "least seen first"),
    ]  # fmt: skip
    faces = any(picture.faces for shown in clips for picture in shown.strip.pictures)
    most = max(shown.strip.num_persons for shown in clips)
    persons = [("0", "nobody"), ("1", "one"), *((f"{n}+", f"{n} or more") for n in range(2, min(most, 5) + 1))]
    return (
        '<form id="filters" role="search" aria-label="Filter the clips" autocomplete="off">'
        '<label class="text">Search <input type="search" name="q" placeholder="words, video…"></label>'
        f"{_select('emotion', 'Emotion', [('', 'any'), *named])}"
        f"{_select('video', 'Video', [('', 'any'), *((v, v) for v in videos)])}"
        f"{_select('persons', 'Persons', [('', 'any'), *persons])}"
        '<label>Seconds <span class="range"><input type="number" name="min" min="0" step="0.5" aria-label="at least, '
        'seconds" placeholder="from"><input type="number" name="max" min="0" step="0.5" aria-label="at most, seconds" '
        'placeholder="to"></span></label>'
        f"{_select('subject', 'Subject', subjects, chosen=subject)}"
        f"{_select('sort', 'Order', sorts)}"
        '<span class="checks"><label><input type="checkbox" name="seen" value="1"> only with subject</label>'
        '<label><input type="checkbox" name="boxes" value="1" checked> boxes</label>'
        f'<label{"" if faces else " hidden"}><input type="checkbox" name="faces" value="1" checked> faces</label>'
        "</span>"
        '<span class="end"><output id="count" role="status" aria-live="polite"></output>'
        '<button type="reset">Clear</button></span></form>'
    )


def _select(name: str, label: str, options: Sequence[tuple[str, str]], *, chosen: str = "") -> str:
    rows = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options
    )
    return f'<label>{label} <select name="{name}">{rows}</select></label>'


def _legend() -> str:
    """How the boxes are to be read."""
    sample = "".join(
        f'<span><i class="key {kind}" style="--c:{track_colour(0)}"></i>{text}</span>'
        for kind, text in (
            ("subject", "the subject"),
            ("other", "another person"),
            ("faint", f"scored under {COUNTS_FROM:g}: not used"),
        )
    )
    return (
        f'<p class="legend">{sample}<span>Colour and number: the track. Then the score.</span><span class="keys">'
        "<kbd>/</kbd> search <kbd>j</kbd> <kbd>k</kbd> next, previous <kbd>b</kbd> boxes</span></p>"
    )


def _pager() -> str:
    return (
        '<nav id="pager" aria-label="pages" hidden><button type="button" data-step="-1">Previous</button>'
        '<span id="page"></span><button type="button" data-step="1">Next</button></nav>'
    )


def _reasons(title: str, reasons: Sequence[Reason], *, open_first: bool = False) -> str:
    if not reasons:
        return ""
    rows = "".join(
        f"<details{' open' if open_first and not i else ''}><summary><b>{reason.count:,}</b> "
        f'<span dir="auto">{escape(reason.pattern)}</span></summary><ul>'
        f"{''.join(_example(skipped) for skipped in reason.examples)}"
        f"{_and_more(reason.count - len(reason.examples))}</ul></details>"
        for i, reason in enumerate(reasons)
    )
    return f"<h3>{title}: {sum(reason.count for reason in reasons):,}</h3>{rows}"


def _example(skipped: Skipped) -> str:
    return f'<li><code dir="auto">{escape(skipped.what)}</code> <span dir="auto">{escape(skipped.reason)}</span></li>'


def _and_more(count: int) -> str:
    return f'<li class="soft">and {count:,} more, in skipped.jsonl</li>' if count > 0 else ""
