"""The page about a store: one HTML file that needs nothing else; the sample is drawn, read and put together here."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from string import Template

from pydantic import Field

from mien.config import Config
from mien.data.card import CARD_FILE, StoreCard, read_card
from mien.data.store import BOXES_FILE, FRAMES_FILE, INDEX_FILE, SKIPPED_FILE, Store
from mien.inspect.left_out import Reason, read_left_out, why_no_clip
from mien.inspect.sample import Survey, choose, read_clips, survey
from mien.inspect.sections import ShownClip, clips_section, head, left_out_section, numbers_section, timelines_section
from mien.inspect.strips import read_strip
from mien.inspect.timeline import Timeline, read_timeline
from mien.types import Clip, MienError, Skipped
from mien.whole_file import write_whole

PAGE = "inspect.html"
HERE = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = HERE / "inspect.html", HERE / "inspect.css", HERE / "inspect.js"

CLIPLESS_SHARE = 10
"""One in so many of the clips shown is of a video that makes none, if there are such; all, if there are no clips."""
CLIPLESS_S = 8.0
MOST_LOOKED_AT = 10_000
"""Videos among which those without a clip are looked for; a store may have a million."""


class InspectSettings(Config):
    """What the page shows. `videos` is a pattern (`train/*`) that names of videos must match."""

    clips: int = Field(60, ge=1, le=2000)
    videos: str = "*"
    seed: int = Field(0, ge=0)
    frames: int = Field(8, ge=1, le=32)
    """Pictures of a clip."""
    picture_area: int = Field(38_400, ge=1_000)
    """Pixels of a picture, so that all shapes weigh the same: 240 × 160, 261 × 147, 147 × 261."""
    timelines: int = Field(6, ge=0)
    """Videos that are drawn on a time axis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectReport:
    """What the page holds: clips shown, of how many; stretches of videos that make none; what could not be drawn.

    `num_failed` are the videos that `mien prepare` failed on, which the page lists.
    """

    page: Path
    num_shown: int
    num_without_clip: int
    num_clips: int
    num_failed: int
    skipped: tuple[Skipped, ...]

    def summary(self) -> str:
        """What the terminal says."""
        parts = [
            f"{self.num_shown:,} of {self.num_clips:,} clips",
            f"{self.num_without_clip:,} of videos that make no clip" if self.num_without_clip else "",
            f"{len(self.skipped):,} that could not be drawn" if self.skipped else "",
            f"{self.num_failed:,} failed to prepare" if self.num_failed else "",
            f"{self.page.stat().st_size / 1e6:.1f} MB",
        ]
        return f"{self.page}: {', '.join(part for part in parts if part)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """What was read of the store."""

    clips: tuple[ShownClip, ...]
    timelines: tuple[Timeline, ...]
    skipped: tuple[Skipped, ...]


def inspect_store(store: Path, out: Path | None = None, *, settings: InspectSettings | None = None) -> InspectReport:
    """Write the page `out` (by default `inspect.html` in the store) about the store in the folder `store`.

    The same store and settings give the same clips.

    However large the store, only what is shown is read, beside one pass over the index. Clips whose files are missing
    or damaged are listed on the page and in the report. Raises MienError where there is no store, or no clip or video
    in it that matches.
    """
    settings, out = settings or InspectSettings(), out or store / PAGE
    if out.is_dir():
        raise MienError(f"{out} is a folder; name the page to write, say {out / PAGE}")
    opened = Store(store)
    subject = str(opened.settings["subject"])
    found = survey(store / INDEX_FILE, videos=settings.videos)
    chosen = read_clips(store / INDEX_FILE, choose(found, count=settings.clips, seed=settings.seed))
    without = why_no_clip(store / SKIPPED_FILE, _without_clip(opened, found, settings))
    drawn = _draw(opened, chosen, without, settings)
    reasons = read_left_out(store / SKIPPED_FILE)
    card = read_card(store) if (store / CARD_FILE).is_file() else None
    page = _render(store, subject, found, drawn, reasons, card, settings)
    write_whole(out, page)
    return InspectReport(
        page=out,
        num_shown=sum(not shown.no_clip for shown in drawn.clips),
        num_without_clip=sum(bool(shown.no_clip) for shown in drawn.clips),
        num_clips=found.num_clips,
        num_failed=sum(r.count for r in reasons if r.is_failure),
        skipped=drawn.skipped,
    )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _draw(store: Store, chosen: Sequence[Clip], without: Mapping[str, str], settings: InspectSettings) -> _Drawn:
    """`without` are videos that make no clip, and why."""
    shown, skipped = list[ShownClip](), list[Skipped]()
    wanted: list[Clip | str] = [*chosen, *without]
    for each in wanted:
        try:
            clip = each if isinstance(each, Clip) else _stretch(store, each)
            strip = read_strip(store, clip, count=settings.frames, area=settings.picture_area)
            shown.append(ShownClip(strip=strip, no_clip="" if isinstance(each, Clip) else without[each]))
        except MienError as error:
            skipped.append(Skipped(what=each.id if isinstance(each, Clip) else each, reason=str(error)))
    timelines = []
    first_of = {s.strip.clip.video: s.strip.clip for s in reversed(shown) if not s.no_clip}
    for clip in islice(reversed(first_of.values()), settings.timelines):
        try:
            timelines.append(read_timeline(store, clip.video, around_s=(clip.start_s + clip.end_s) / 2))
        except MienError as error:
            skipped.append(Skipped(what=f"the timeline of {clip.video}", reason=str(error)))
    return _Drawn(clips=tuple(shown), timelines=tuple(timelines), skipped=tuple(skipped))


def _without_clip(store: Store, found: Survey, settings: InspectSettings) -> list[str]:
    """Some videos that have pictures and no clip: photographs, videos without subtitles, copies of others."""
    room = max(settings.clips - found.num_clips, settings.clips // CLIPLESS_SHARE)
    looked_at = islice(_videos(store.path / "videos"), MOST_LOOKED_AT)
    return list(islice((v for v in looked_at if found.is_without_clip(v, settings.videos)), room))


def _videos(root: Path) -> Iterator[str]:
    """The names of a store's videos, in order; not `Store.videos`, which looks at all of a million before the first."""
    for folder, below, files in os.walk(root):
        below.sort()
        if {FRAMES_FILE, BOXES_FILE} <= {*files}:  # else its preparation failed, or goes on
            yield Path(folder).relative_to(root).as_posix()


def _stretch(store: Store, video: str) -> Clip:
    """A few seconds from the middle of a video; all of a photograph."""
    info = store.frames(video).info
    length_s = info.num_frames / info.fps
    start_s = max(0.0, (length_s - CLIPLESS_S) / 2)
    return store.clip(video, start_s=start_s, end_s=min(start_s + CLIPLESS_S, length_s))


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def _render(
    store: Path,
    subject: str,
    found: Survey,
    drawn: _Drawn,
    reasons: Sequence[Reason],
    card: StoreCard | None,
    settings: InspectSettings,
) -> str:
    style, script = (path.read_text(encoding="utf-8") for path in (STYLE, SCRIPT))
    body = [
        head(store, found, reasons, card),
        clips_section(drawn.clips, found, subject=subject, pattern=settings.videos),
        numbers_section(found, card),
        timelines_section(drawn.timelines, drawn.clips),
        left_out_section(reasons, drawn.skipped),
    ]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{store.resolve().name}: a store of mien"),
        style=style,
        script=script,
        script_hash=_digest(script),
        body="\n".join(part for part in body if part),
    )


def _digest(text: str) -> str:
    """What the page's content security policy knows its own script by: nothing else may run, whatever a text says."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
