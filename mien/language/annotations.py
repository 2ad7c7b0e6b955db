"""Annotations: what is written in captions and not spoken: notes, songs, speakers. The rules: docs/words.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mien.language.scripts import has_words

CAPTION_BREAK, SILENCE_BREAK = "\x1e", "\x1d"
"""Stand between captions, the second where a long silence does."""

SPOKEN, HEARD, SHOWN = 0, 1, 2
"""What a character is: speech; part of a note or song, which takes time; a mark that takes none."""

MIN_NAMED = 3
MIN_NAMED_SHARE = 0.2
"""So many captions, and this share of all, open with `Name:` where that names a speaker, not "Remember: this"."""

MAX_NAME = 30
"""Characters."""

NOT_NAMES = frozenset({"note", "warning", "caution", "attention", "ps", "p.s.", "nb", "n.b.", "faq", "re", "fyi"})

_LINE_ENDS = f"\n{CAPTION_BREAK}{SILENCE_BREAK}"
_GONE = "\0"  # stands for a character that is annotation already
_BLANK = f"[ {_GONE}]*"
_LINE_START = rf"(?:\A|(?<=[{_LINE_ENDS}])){_BLANK}"
_AFTER_SENTENCE = rf"(?<=[.?!…。？！\"”])[ {_GONE}\n]+"

_PAIRS = (("[", "]"), ("(", ")"), ("［", "］"), ("（", "）"), ("【", "】"), ("〔", "〕"))
_NOTE_START = rf"(?<![^\s{_GONE}\"'“”‘’«»>♪♫*()\[\]-])"
_NOTES = re.compile(
    "|".join(
        rf"{_NOTE_START}{re.escape(a)}[^{re.escape(a + b)}{SILENCE_BREAK}]{{0,300}}{re.escape(b)}" for a, b in _PAIRS
    )
)
_MUSIC = "[♪♫♬♩\U0001f3b5\U0001f3b6]"
_MUSIC_RUN = re.compile(rf"{_MUSIC}(?:{_BLANK}{_MUSIC})*")
_HASH_SONG = re.compile(rf"{_LINE_START}(?P<mark>#+ [^{_LINE_ENDS}]{{1,300}}? #+)(?!\S)")
_STAR_NOTE = re.compile(rf"(?:{_LINE_START}|{_AFTER_SENTENCE})(?P<mark>\*+([^*\s][^*\n]{{0,80}})\*+)(?!\w)")
_STARS = re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])[^*\n]{0,200}(?<=[^\s*])(\*{1,3})(?![\w*])")

_ARROWS = re.compile(rf"(?<![^\s{_GONE}])(?:>>+|≫|＞＞)")
_DASH = re.compile(rf"{_LINE_START}(?P<mark>[-‐‑–—―−]+ ?)(?P<digit>\d)?")
_DASH_INSIDE = re.compile(rf"{_AFTER_SENTENCE}(?P<mark>[-–—] ?)(?=[^\W\d]|[\"'“‘¿¡{_GONE}])")
_WORD = r"[^\W\d_][\w.'’&#-]*"
_NAME = rf"(?P<name>{_WORD}(?: [\w.'’&#-]+){{0,3}}){_BLANK}[:：](?=\s|{_GONE}|\Z)"
_NAME_FIRST = re.compile(rf"{_LINE_START}(?P<mark>{_NAME})")
_NAME_HERE = re.compile(rf"{_BLANK}(?P<mark>{_NAME})")
_NAME_INSIDE = re.compile(rf"{_AFTER_SENTENCE}(?P<mark>{_NAME})")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The characters `begin` to `end` are no speech, for this reason."""

    begin: int
    end: int
    reason: str

    def without(self, begin: int, end: int) -> list[LeftOut]:
        """What of it is not from `begin` to `end`."""
        parts = [(self.begin, min(self.end, begin)), (max(self.begin, end), self.end)]
        return [LeftOut(first, last, self.reason) for first, last in parts if first < last]


@dataclass(slots=True)
class Annotations:
    """Of a text of captions: what each character is, where another speaker takes over, what was left out."""

    text: str
    kinds: bytearray
    turns: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def take_out(self, begin: int, end: int, kind: int, reason: str | None = None) -> None:
        """Makes what is spoken from `begin` to `end` of this `kind`; with a `reason`, lists it all, and once."""
        for i in range(begin, end):
            if self.text[i] not in _LINE_ENDS:
                self.kinds[i] = self.kinds[i] or kind
        if reason:
            rests = [rest for span in self.left_out for rest in span.without(begin, end)]
            self.left_out = [*rests, LeftOut(begin, end, reason)]

    @property
    def rest(self) -> str:
        """The text with `_GONE` for each character that is annotation already."""
        return "".join(_GONE if kind else letter for letter, kind in zip(self.text, self.kinds, strict=True))


def annotate(text: str) -> Annotations:
    """The annotations of `text`: captions, their lines divided by newlines, with a break after each."""
    found = Annotations(text=text, kinds=bytearray(len(text)))
    _take_out_notes(found)
    _take_out_songs(found)
    _take_out_stars(found)
    _take_out_speakers(found)
    found.turns.sort()
    found.left_out.sort(key=lambda span: (span.begin, -span.end))
    return found


# ── notes and songs ──────────────────────────────────────────────────────────────────────────────


def _take_out_notes(found: Annotations) -> None:
    """Brackets that close in the same or the next caption; the inner ones first, so that they may be nested."""
    for _ in range(3):
        rest = found.rest
        for match in _NOTES.finditer(rest):
            goes_on = rest[match.end() : match.end() + 1].islower()  # (un)happy, (s)he
            if match[0].count(CAPTION_BREAK) <= 1 and not goes_on:
                found.take_out(match.start(), match.end(), HEARD, "it is a note in brackets, not speech")


def _take_out_songs(found: Annotations) -> None:
    """From one ♪ to the next in a caption; from a lone one to the caption's end, or its start if nothing follows."""
    reason = "it is sung, not spoken"
    whole = found.rest  # captions do not overlap, so what is taken out of one changes no other
    for begin, end in _captions(found.text):
        rest = whole[begin:end]
        runs = [(begin + match.start(), begin + match.end()) for match in _MUSIC_RUN.finditer(rest)]
        if len(runs) % 2:
            last_begin, last_end = runs[-1]
            words_follow = has_words(rest[last_end - begin :])
            runs.append((end, end) if words_follow or len(runs) > 1 else (last_begin, last_end))
            if not words_follow and len(runs) == 2:
                runs[0] = (begin, last_end)
        for (first, _), (_, last) in zip(runs[::2], runs[1::2], strict=True):
            is_sung = has_words(whole[first:last])
            found.take_out(first, last, HEARD if is_sung else SHOWN, reason if is_sung else None)
    for match in _HASH_SONG.finditer(found.rest):
        found.take_out(*match.span("mark"), HEARD, reason)


def _captions(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in re.finditer(rf"[^{CAPTION_BREAK}{SILENCE_BREAK}]+", text))


def _take_out_stars(found: Annotations) -> None:
    """`*laughs*` where a sentence could begin and it is lower-case, or all of a line; else the stars are emphasis."""
    rest = found.rest
    for match in _STAR_NOTE.finditer(rest):
        begin, end = match.span("mark")
        is_line = rest[end:].lstrip(" ")[:1] in _LINE_ENDS  # so is the end of the text
        if match[2][0].islower() or (is_line and rest[match.start() - 1 : match.start()] not in list('.?!…"”')):
            found.take_out(begin, end, HEARD, "it is a note between asterisks, not speech")
    for match in _STARS.finditer(found.rest):
        found.take_out(*match.span(1), SHOWN)
        found.take_out(*match.span(2), SHOWN)


# ── speakers ─────────────────────────────────────────────────────────────────────────────────────


def _take_out_speakers(found: Annotations) -> None:
    arrows = [match.span() for match in _ARROWS.finditer(found.rest)]
    for begin, end in arrows:
        found.take_out(begin, end, SHOWN)
        found.turns.append(begin)
    _take_out_dashes(found)
    _take_out_names(found, [end for _, end in arrows])


def _take_out_dashes(found: Annotations) -> None:
    rest = found.rest
    for match in _DASH.finditer(rest):
        begin, end = match.span("mark")
        mark = match["mark"].strip()
        said_before = rest[:begin].rstrip(f" {_LINE_ENDS}{_GONE}")
        goes_on = len(mark) > 1 or mark == "—"
        if goes_on and said_before.endswith(tuple("-–—")):
            continue  # "I was going to—" "—tell you": one speaker, interrupted
        if match["digit"] and not match["mark"].endswith(" "):
            continue  # -5 degrees
        found.take_out(begin, end, SHOWN)
        found.turns.append(begin)
    for match in _DASH_INSIDE.finditer(found.rest):
        found.take_out(*match.span("mark"), SHOWN)
        found.turns.append(match.start("mark"))


def _take_out_names(found: Annotations, arrows: list[int]) -> None:
    """Names after `>>`; in capitals, unless all is; and others where captions open with such usually."""
    rest = found.rest
    num_captions = sum(1 for _ in _captions(found.text))
    first = [match for match in _NAME_FIRST.finditer(rest) if _may_name(match["name"])]
    is_usual = len(first) >= max(MIN_NAMED, MIN_NAMED_SHARE * num_captions)
    capital = [match for match in (*first, *_NAME_INSIDE.finditer(rest)) if _is_capital(match["name"])]
    after_arrow = [match for end in arrows if (match := _NAME_HERE.match(rest, end)) and _may_name(match["name"])]
    named = [*after_arrow, *(first if is_usual else ()), *(() if _is_all_capitals(rest, capital) else capital)]
    last = ""
    for begin, match in sorted({match.start("mark"): match for match in named}.items()):
        name = " ".join(match["name"].replace(_GONE, " ").split())
        found.take_out(begin, match.end("mark"), SHOWN, "it is a speaker's name, not speech")
        if name != last:
            found.turns.append(begin)
        last = name


def _may_name(name: str) -> bool:
    """Whether all of it but "of", "the" and the like begins with a capital or a digit: "Man #2", not "I said"."""
    words = name.replace(_GONE, " ").split()
    begins = [word[0] for word in words if word not in ("of", "the", "de", "von", "van", "and", "la")]
    is_title = bool(begins) and not any(letter.islower() for letter in begins) and not name[0].islower()
    return is_title and len(name) <= MAX_NAME and name.lower() not in NOT_NAMES


def _is_capital(name: str) -> bool:
    letters = [letter for letter in name if letter.isalpha()]
    return len(letters) > 1 and len(name) <= MAX_NAME and name.isupper() and name.lower() not in NOT_NAMES


def _is_all_capitals(text: str, names: list[re.Match[str]]) -> bool:
    """Whether all but `names` is in capitals, as in old broadcasts: then capitals make no name."""
    in_names = Counter("".join(match["name"] for match in names))
    letters = Counter(text) - in_names
    upper = sum(count for letter, count in letters.items() if letter.isupper())
    return upper > sum(count for letter, count in letters.items() if letter.islower())
