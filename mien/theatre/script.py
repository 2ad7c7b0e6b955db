"""The script: what the theatre's people say, drawn from a grammar of phrases or from a file of real sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from mien.theatre.settings import Split
from mien.types import EMOTIONS, MienError

MIN_WORDS, MAX_WORDS = 3, 15
_TOLD_SHARE = 0.2
_DRAWS_A_WORDING = 20  # enough to find that many different ones
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"<(\w+)>")
_PHRASES = Path(__file__).parent / "phrases.yaml"
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9 ,.!?'’-]+")


class Script:
    """Sentences for each emotion; `lines` are real ones by emotion, None to draw from the grammar."""

    def __init__(self, lines: Mapping[str, list[str]] | None = None) -> None:
        self._lines = lines

    def line(self, emotion: str, rng: np.random.Generator) -> str:
        """A sentence in which somebody tells that they feel `emotion`."""
        if self._lines is not None:
            return str(self._lines[emotion][int(rng.integers(len(self._lines[emotion])))])
        return _speak(_grammar()[emotion], rng)

    def small_talk(self, rng: np.random.Generator) -> str:
        """A sentence that could be said in any mood."""
        return _speak(_grammar()["small_talk"], rng)


def open_script(folder: Path | None, split: Split, *, wordings: int | None = None) -> Script:
    """The grammar's script, or that of the real sentences in `folder` (`train.tsv`, `test.tsv`, `labels.txt`).

    With `wordings`, each emotion has only so many different sentences, the same in every theatre.
    """
    script = Script(None if folder is None else _read_lines(folder, split))
    if wordings is None:
        return script
    rng = np.random.default_rng(wordings)
    return Script({emotion: _some_lines(script, emotion, wordings, rng) for emotion in EMOTIONS})


def _some_lines(script: Script, emotion: str, count: int, rng: np.random.Generator) -> list[str]:
    drawn = dict.fromkeys(script.line(emotion, rng) for _ in range(_DRAWS_A_WORDING * count))
    return list(drawn)[:count]


@cache
def _grammar() -> dict[str, dict[str, list[str]]]:
    data: dict[str, dict[str, list[str]]] = yaml.safe_load(_PHRASES.read_text(encoding="utf-8"))
    return data


def _speak(patterns: Mapping[str, list[str]], rng: np.random.Generator) -> str:
    told = "told" in patterns and rng.random() < _TOLD_SHARE
    pattern = _pick(patterns["told" if told else "plain"], rng)
    shared = _grammar()["shared"]
    while found := _CHOICE.search(pattern):
        pattern = pattern[: found.start()] + _pick(found[1].split("|"), rng) + pattern[found.end() :]
    while named := _NAME.search(pattern):
        pattern = pattern[: named.start()] + _pick(shared[named[1]], rng) + pattern[named.end() :]
    return pattern[0].upper() + pattern[1:]


def _pick(options: list[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _read_lines(folder: Path, split: Split) -> dict[str, list[str]]:
    table, names = folder / f"{split}.tsv", folder / "labels.txt"
    for path in (table, names):
        if not path.is_file():
            raise MienError(
                f"no {path.name} in {folder}; utterances= wants a folder of train.tsv, test.tsv, labels.txt"
            )
    labels = names.read_text(encoding="utf-8").split()
    if set(labels) != set(EMOTIONS):
        raise MienError(f"{names} names {labels}; it must name {', '.join(EMOTIONS)}, one a line")
    lines: dict[str, list[str]] = {emotion: [] for emotion in EMOTIONS}
    for number, row in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
        text, _, rest = row.partition("\t")
        label = rest.partition("\t")[0]
        if "," in label:  # more than one emotion
            continue
        if not label.isdigit() or int(label) >= len(labels):
            raise MienError(f"{table}:{number}: {label!r} is no label; rows are text, tab, a line number of labels.txt")
        if (sentence := one_sentence(text)) is not None:
            lines[labels[int(label)]].append(sentence)
    for emotion, found in lines.items():
        if not found:
            raise MienError(f"{table} has no usable sentence (3 to 15 words, one label) for {emotion}; add some")
    return lines


def one_sentence(text: str) -> str | None:
    """`text` as one sentence that can be subtitled; None if it is not plain words, too short or too long."""
    if "http" in text or not _PLAIN_TEXT.fullmatch(text.strip()):
        return None
    text = text.strip().replace("’", "'")
    words = text.split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or text.isupper():
        return None
    body, end = text.rstrip(".!? "), text[len(text.rstrip(".!? ")) :].strip()
    if not body or any(mark in body for mark in ".!?"):
        return None
    return body + (end[0] if end else ".")
