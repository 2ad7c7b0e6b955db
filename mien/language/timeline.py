"""The timeline: captions in order that never overlap, and every word with its time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from mien.language.formats.cue import LATEST_S, Cue, CueWord, skip
from mien.language.scripts import words_in
from mien.types import Caption, Skipped, Word

MAX_WORD_S = 1.0
"""A word of which only the start is known lasts no longer, and no longer than to the next word; what counts as several
(`scripts.words_in`), as many times as long."""

NOMINAL_WORD_S = 0.4
"""What a word takes where a caption's end makes no sense: 150 words a minute."""


def captions_of(cues: Iterable[Cue]) -> tuple[list[Caption], list[Skipped]]:
    """The captions that `cues` say, and what was left out.

    Cues without text, or that end before the video begins, are listed. A negative start becomes 0; an end that is not
    after the start, or is missing, is replaced by `NOMINAL_WORD_S` a word. Times are rounded to milliseconds. Of cues
    with the same start and text one is kept, the others listed. What remains is put in order (`in_order`).
    """
    captions: list[Caption] = []
    skipped = []
    seen = set()
    for cue in cues:
        if reason := _not_shown(cue):
            skipped.append(skip(cue, reason))
            continue
        caption = _caption(cue)
        if (caption.start_s, caption.text) in seen:
            skipped.append(skip(cue, "the same text begins at the same time already"))
            continue
        seen.add((caption.start_s, caption.text))
        captions.append(caption)
    return in_order(captions), skipped


def _not_shown(cue: Cue) -> str | None:
    if not cue.text:
        return "it has no text"
    if cue.start_s < 0 and cue.end_s is not None and cue.end_s <= 0:
        return "it ends before or when the video begins"
    if cue.start_s > LATEST_S or (cue.end_s is not None and cue.end_s > LATEST_S):
        return "its time is that of no video"
    return None


def _caption(cue: Cue) -> Caption:
    start_s = max(0.0, round(cue.start_s, 3))
    end_s = round(cue.end_s, 3) if cue.end_s is not None else start_s
    if end_s <= start_s:
        end_s = round(start_s + NOMINAL_WORD_S * max(1.0, sum(words_in(word) for word in cue.text.split())), 3)
    says_all = "".join(part for word in cue.words for part in word.text.split()) == "".join(cue.text.split())
    words = place_words(cue.words, start_s=start_s, end_s=end_s) if says_all else ()
    text = " ".join(word.text for word in words) or "\n".join(line for line in cue.lines if line)
    return Caption(start_s=start_s, end_s=end_s, text=text, words=words)


def in_order(captions: Iterable[Caption]) -> list[Caption]:
    """`captions` by start, each ending at the latest where the next begins; those with one start joined in order."""
    by_start: dict[float, list[Caption]] = {}
    for caption in sorted(captions, key=lambda c: c.start_s):
        by_start.setdefault(caption.start_s, []).append(caption)
    ordered = []
    for start_s, next_start_s in pairwise([*by_start, float("inf")]):
        same = by_start[start_s]
        end_s = min(max(start_s, *(c.end_s for c in same)), next_start_s)
        ordered.append(_join(same, start_s=start_s, end_s=end_s))
    return ordered


def _join(same: Sequence[Caption], *, start_s: float, end_s: float) -> Caption:
    """One caption of those that start together; with words, if all have them, moved into its time."""
    if len(same) == 1 and same[0].end_s == end_s:
        return same[0]
    words: tuple[Word, ...] = ()
    if all(caption.words for caption in same):
        own = [CueWord(text=w.text, start_s=w.start_s, end_s=w.end_s) for c in same for w in c.words]
        words = place_words(own, start_s=start_s, end_s=end_s)
    text = " ".join(w.text for w in words) if words else "\n".join(c.text for c in same)
    return Caption(start_s=start_s, end_s=end_s, text=text, words=words)


def place_words(
    words: Sequence[CueWord], *, start_s: float, end_s: float, shares: Sequence[float] | None = None
) -> tuple[Word, ...]:
    """`words` with times from `start_s` to `end_s`, one after the other.

    A word's own start holds where it lies within and after the word before; the others share the time between their
    neighbours by `shares` (their number of words, by default): evenly, as EmotionCLIP does. A word ends at its own
    end, but not after the next begins; without one, at the next word's start, though one with a start of its own is
    no longer than `MAX_WORD_S` for each of the words that it counts as.
    """
    if not words:
        return ()
    shares = shares or [max(1.0, words_in(word.text)) for word in words]
    starts = _own_starts(words, start_s=start_s, end_s=end_s)
    edges = [start_s, *(start_s for _ in words[1:]), end_s]
    known = [i for i, start in enumerate(starts) if start is not None and i > 0]
    for i, following in pairwise([0, *known, len(words)]):
        begin_s = start_s if (own := starts[i]) is None else own
        until_s = end_s if following == len(words) or (own := starts[following]) is None else own
        edges[i:following] = _spread(begin_s, until_s, shares[i:following], own_end_s=words[i].end_s)
    placed = []
    for word, own_start_s, share, (begin_s, next_s) in zip(words, starts, shares, pairwise(edges), strict=True):
        until_s = next_s
        if own_start_s is not None:
            latest_s = begin_s + MAX_WORD_S * max(1.0, share)
            until_s = min(next_s, latest_s if word.end_s is None or word.end_s <= begin_s else word.end_s)
        placed.append(Word(start_s=begin_s, end_s=until_s, text=word.text))
    return tuple(placed)


def _own_starts(words: Sequence[CueWord], *, start_s: float, end_s: float) -> list[float | None]:
    """Each word's own start, or None where it has none that is within the time and after the one before."""
    starts: list[float | None] = []
    last_s = start_s
    for i, word in enumerate(words):
        own_s = word.start_s
        if own_s is None or not last_s <= own_s < end_s or (i > 0 and own_s == last_s):
            starts.append(None)
        else:
            starts.append(own_s)
            last_s = own_s
    return starts


def _spread(begin_s: float, until_s: float, shares: Sequence[float], *, own_end_s: float | None) -> list[float]:
    """The starts of words that share the time; the first has it to itself up to `own_end_s`, where that is known."""
    if len(shares) > 1 and own_end_s is not None and begin_s < own_end_s < until_s:
        return [begin_s, *_spread(own_end_s, until_s, shares[1:], own_end_s=None)]
    total = sum(shares) or 1.0
    starts, before = [], 0.0
    for share in shares:
        starts.append(begin_s + (until_s - begin_s) * before / total)
        before += share
    return starts
