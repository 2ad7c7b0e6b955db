"""The lexicon: what emotions are called, what a face does to show each, and the phrasings to say it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from mien.captions.phrase import Options, parse_phrase, slots_of

FACE_EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The emotions that captions can be written of, by the names of FER+."""
REGIONS = ("brows", "eyes", "nose", "cheeks", "mouth", "jaw")

Level = Literal["clear", "moderate", "slight", "plain"]
"""How many of the judges agree; plain where that is not known."""
Kind = Literal["single", "compound", "torn", "muted", "tinged", "triple"]
"""What is mixed: one emotion; two, of which the first leads or does not; one with neutral, neutral with one; three."""

VERBS = {"are": ("is", "are"), "look": ("looks", "look"), "seem": ("seems", "seem"), "appear": ("appears", "appear")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """What one region does: the slots that tell it, its cues in a summary, and its action units, if it has any."""

    region: str
    units: tuple[str, ...]
    slots: dict[str, Options]
    cues: Options


@dataclass(frozen=True, kw_only=True, slots=True)
class Emotion:
    """One emotion's words by level, and the signs of it in a face."""

    name: str
    nouns: dict[Level, Options]
    adjectives: dict[Level, Options]
    signs: tuple[Sign, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """All words and phrasings; `readings` by level and whether the sign has action units."""

    emotions: dict[str, Emotion]
    degrees: dict[Level, dict[str, Options]]
    degrees_of_neutral: dict[Level, dict[str, Options]]
    overall: dict[Kind, Options]
    local: dict[Level, Options]
    readings: dict[tuple[Level, bool], Options]
    summary: dict[Kind, Options]


@cache
def lexicon() -> Lexicon:
    """The lexicon of `emotions.yaml` and `phrases.yaml`, which lie beside this file."""
    words, phrases = _load("emotions.yaml"), _load("phrases.yaml")
    degrees = {level: _all_options(slots) for level, slots in phrases["degrees"].items()}
    of_neutral = {level: degrees[level] | _all_options(s) for level, s in phrases["degrees_of_neutral"].items()}
    summary = _all_options(phrases["summary"])
    return Lexicon(
        emotions={name: _emotion(name, words["emotions"][name], units=words["units"]) for name in FACE_EMOTIONS},
        degrees=degrees,
        degrees_of_neutral={**degrees, **of_neutral},
        overall=_all_options(phrases["global"]),
        local=_all_options(phrases["local"]),
        readings=_readings(_all_options(phrases["readings"])),
        summary={**summary, "triple": summary["compound"]},
    )


def _load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return data


def _options(texts: Sequence[str]) -> Options:
    return tuple(parse_phrase(text) for text in texts)


def _all_options(texts: dict[Any, list[str]]) -> dict[Any, Options]:
    return {key: _options(each) for key, each in texts.items()}


def _readings(by_level: dict[Level, Options]) -> dict[tuple[Level, bool], Options]:
    """Of a sign without units, no reading can name them."""
    readings = {(level, True): options for level, options in by_level.items()}
    without = {
        (level, False): tuple(phrase for phrase in options if "units" not in slots_of(phrase))
        for level, options in by_level.items()
    }
    return {**readings, **without}


def _emotion(name: str, entry: dict[str, Any], *, units: dict[str, str]) -> Emotion:
    return Emotion(
        name=name,
        nouns=_by_level(entry["nouns"], clear=entry["intense"]["nouns"]),
        adjectives=_by_level(entry["adjectives"], clear=entry["intense"]["adjectives"]),
        signs=tuple(_sign(each, units=units) for each in entry["seen"]),
    )


def _by_level(words: list[str], *, clear: list[str]) -> dict[Level, Options]:
    return {level: _options(words + clear if level == "clear" else words) for level in get_args(Level)}


def _sign(entry: dict[str, Any], *, units: dict[str, str]) -> Sign:
    verbs = {slot: _options([forms[entry["many"]]]) for slot, forms in VERBS.items()}
    told = {"what": _options([entry["what"]]), "state": _options([entry["state"]])}
    codes = tuple(entry["units"])
    return Sign(
        region=entry["region"],
        units=codes,
        slots={**verbs, **told, "units": _options(_unit_names(codes, units)) if codes else ()},
        cues=_options([entry["cues"]]),
    )


def _unit_names(codes: Sequence[str], units: dict[str, str]) -> list[str]:
    """Ways to name action units: AU1+4 / AU1+4, inner brow raiser and brow lowerer / the other way round."""
    code = ("AU" if codes[0][0].isdigit() else "AU ") + "+".join(codes)
    *first, last = (units[each] for each in codes)
    names = f"{', '.join(first)} and {last}" if first else last
    return [code, f"{code}, {names}", f"{names}, {code}"]
