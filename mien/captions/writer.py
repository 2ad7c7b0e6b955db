"""The writer: captions of faces from judges' votes or a label, for sets that have no captions.

Nobody looks at the picture: a caption says what the votes say, in varied words, and of each region what is known of
faces that show that emotion (action units of EMFACS), hedged by the share of the votes. Ours; EmoCapCLIP's captions are
by a language model that saw the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from mien.captions.lexicon import FACE_EMOTIONS, Emotion, Kind, Level, Lexicon, Sign, lexicon
from mien.captions.phrase import Options, Phrase, Uniform, draw
from mien.captions.record import CaptionRecord
from mien.types import MienError

CLEAR, MODERATE = 0.8, 0.6  # shares of the judges: eight, six of ten
MENTIONED = 0.15  # a single vote of ten is more often a slip than a second emotion
EVEN = 0.12  # two emotions a vote of ten apart are told as equals


def write_caption(
    votes: Mapping[str, float],
    *,
    image: str,
    seed: int,
    variant: int = 0,
    source: str = "labels:votes",
    graded: bool = True,
) -> CaptionRecord:
    """A caption from the votes: the same for equal arguments, another for each `variant`; in less than 100 µs.

    votes: how many judges, or what share of them, named each emotion of FACE_EMOTIONS. graded: whether they are several
    judges'; degrees are told only then. Raises MienError for another emotion, or if there are no votes.
    """
    shares = _shares(votes)
    words, uniform = lexicon(), Random(f"{seed}/{variant}/{image}").random  # text seeds are hashed alike everywhere
    mixture = _mixture(shares, graded=graded, words=words)
    slots = _slots(mixture, words)
    signs = _choose_signs(mixture, uniform)
    return CaptionRecord(
        image=image,
        overall=draw(words.overall[mixture.kind], slots, uniform),
        local=tuple(_local(sign, part, words, uniform) for part, sign in signs),
        summary=draw(words.summary[mixture.kind], {**slots, **_cues(mixture, signs)}, uniform),
        source=source,
        votes=shares,
        graded=graded,
    )


def write_label_caption(
    label: str, *, image: str, seed: int, variant: int = 0, source: str = "labels:label"
) -> CaptionRecord:
    """A caption from a bare label: as `write_caption`, without a word on how strong or sure the emotion is."""
    return write_caption({label: 1.0}, image=image, seed=seed, variant=variant, source=source, graded=False)


def rewrite_caption(record: CaptionRecord, *, seed: int, variant: int) -> CaptionRecord:
    """Another caption from the votes of a derived record, say a fresh one each epoch of training."""
    if record.votes is None or not record.is_derived:
        raise MienError(f"{record.image}: the caption by {record.source} was not written from votes; use it as it is")
    return write_caption(
        record.votes, image=record.image, seed=seed, variant=variant, source=record.source, graded=record.graded
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One emotion of a face, and how many agree on it."""

    emotion: Emotion
    level: Level


@dataclass(frozen=True, slots=True)
class _Mixture:
    kind: Kind
    parts: tuple[_Part, ...]


def _shares(votes: Mapping[str, float]) -> dict[str, float]:
    total = sum(votes.values())
    unknown = [name for name in votes if name not in FACE_EMOTIONS]
    if unknown or not total > 0 or min(votes.values()) < 0:
        raise MienError(
            f"no caption can be written of the votes {dict(votes)}; they must be positive numbers of "
            f"{', '.join(FACE_EMOTIONS)}"
        )
    return {name: count / total for name, count in votes.items() if count}


def _mixture(shares: Mapping[str, float], *, graded: bool, words: Lexicon) -> _Mixture:
    """What there is to tell, from most votes down; where it is not first, neutral is told only of a mixture of two."""
    ranked = sorted(shares, key=lambda name: (-shares[name], FACE_EMOTIONS.index(name)))
    main, *others = [name for name in ranked if shares[name] >= MENTIONED or name == ranked[0]]
    lively = [name for name in others if name != "neutral"]
    if main == "neutral":
        kind: Kind = "tinged" if lively else "single"
        told = [main, *lively[:1]]
    elif others == ["neutral"]:
        kind, told = "muted", [main, "neutral"]
    else:
        is_even = bool(lively) and shares[main] - shares[lively[0]] < EVEN
        kind = "torn" if is_even else ("single", "compound", "triple")[min(len(lively), 2)]
        told = [main, *lively[: 1 if is_even else 2]]
    return _Mixture(kind, tuple(_Part(words.emotions[n], _level(shares[n]) if graded else "plain") for n in told))


def _level(share: float) -> Level:
    if share >= CLEAR:
        return "clear"
    return "moderate" if share >= MODERATE else "slight"


def _slots(mixture: _Mixture, words: Lexicon) -> dict[str, Options]:
    """The words of the first emotion by their names, of the second and third with a 2 and a 3."""
    slots = dict[str, Options](_degrees(mixture.parts[0], words))
    for part, number in zip(mixture.parts, ("", "2", "3"), strict=False):
        slots[f"label{number}"] = (Phrase((part.emotion.name,)),)
        slots[f"noun{number}"] = part.emotion.nouns[part.level]
        slots[f"adj{number}"] = part.emotion.adjectives[part.level]
    return slots


def _degrees(part: _Part, words: Lexicon) -> dict[str, Options]:
    of = words.degrees_of_neutral if part.emotion.name == "neutral" else words.degrees
    return of[part.level]


def _choose_signs(mixture: _Mixture, uniform: Uniform) -> list[tuple[_Part, Sign]]:
    """Signs of each emotion told, none of two in one region: three to five of one alone, else fewer of each."""
    if len(mixture.parts) == 1:
        wanted = [3 + int(uniform() * 3)]
    elif mixture.kind == "torn":
        wanted = [2, 2]
    else:
        wanted = [2 + int(uniform() * 2), *[1] * (len(mixture.parts) - 1)]
    chosen, taken = list[tuple[_Part, Sign]](), set[str]()
    for part, count in zip(mixture.parts, wanted, strict=True):
        is_second = part is not mixture.parts[0]
        # a smooth nose is no sign of a second emotion: those with action units first
        for sign in sorted(part.emotion.signs, key=lambda sign: (is_second and not sign.units, uniform())):
            if count and sign.region not in taken:
                taken.add(sign.region)
                chosen.append((part, sign))
                count -= 1
    return chosen


def _local(sign: Sign, part: _Part, words: Lexicon, uniform: Uniform) -> str:
    slots = {
        **_degrees(part, words),
        **sign.slots,
        "noun": part.emotion.nouns[part.level],
        "reading": words.readings[part.level, bool(sign.units)],
    }
    return draw(words.local[part.level], slots, uniform)


def _cues(mixture: _Mixture, signs: list[tuple[_Part, Sign]]) -> dict[str, Options]:
    """Two cues that a region's sentence tells too: both of the first emotion, or the other of the second where told."""
    first = sorted((sign for part, sign in signs if part is mixture.parts[0]), key=lambda sign: not sign.units)
    second = first[1]
    if mixture.kind not in ("single", "muted"):
        second = next(sign for part, sign in signs if part is mixture.parts[1])
    return {"cue": first[0].cues, "cueb": second.cues}
