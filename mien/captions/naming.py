"""Emotions by name: prompts such as people write, one for each emotion, for a model to choose among."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from mien.captions.lexicon import FACE_EMOTIONS, lexicon
from mien.captions.phrase import draw

FACE_TEMPLATES = (
    "{}.",
    "an expression of {}.",
    "a photo of a face with an expression of {}.",
    "the face shows {}.",
    "a look of {}.",
)
"""Prompts that a label is put into for faces; the scores of all are averaged. A result depends on them: state them."""


@lru_cache(maxsize=64)  # an epoch has a few, which every sample asks for
def name_emotions(emotions: tuple[str, ...], *, seed: int, variant: int) -> tuple[str, ...]:
    """Each emotion in one of FACE_TEMPLATES, the same for all: by its own name, or as often by another noun for it."""
    rng = Random(f"naming/{seed}/{variant}")  # text seeds are hashed alike everywhere
    template = rng.choice(FACE_TEMPLATES)
    return tuple(template.replace("{}", _noun(emotion, rng)) for emotion in emotions)


def _noun(emotion: str, rng: Random) -> str:
    if emotion not in FACE_EMOTIONS or rng.random() < 0.5:
        return emotion
    return draw(lexicon().emotions[emotion].nouns["plain"], {}, rng.random)
