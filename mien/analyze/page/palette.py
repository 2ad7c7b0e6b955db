"""Which colour a word has on the page: the same on all drawings, apart for colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence

FAMILIAR = {
    "anger": "#D55E00",
    "contempt": "#9A6FC0",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happiness": "#E69F00",
    "joy": "#E69F00",
    "neutral": "#8C8C8C",
    "sadness": "#2A7DB8",
    "surprise": "#56B4E9",
}
"""Okabe and Ito's set as the other pages use it, with a violet for contempt."""
FREE = tuple(dict.fromkeys(colour for word, colour in FAMILIAR.items() if word != "neutral"))
REST = "#6E747A"
"""The colour of words that come after the eighth: more colours could not be told apart, names can."""


def colours_of(words: Sequence[str], *, ranked: Sequence[int]) -> list[str]:
    """A colour a word; `ranked` are the words' places, the most frequent first, who choose among what is free."""
    chosen = {index: FAMILIAR[words[index]] for index in ranked if words[index] in FAMILIAR}
    free = [colour for colour in FREE if colour not in chosen.values()]
    for index in ranked:
        if index not in chosen:
            chosen[index] = free.pop(0) if free else REST
    return [chosen[index] for index in range(len(words))]
