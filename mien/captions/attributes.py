"""Captions of scenes from their annotated attributes: UniEmoX's sentences, in its order (arXiv 2409.18877).

Nobody looks at the picture; what is not annotated is not said. The released code ends with a sentence that tells the
emotion, so that pre-training sees the label: here only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from mien.captions.record import CaptionRecord

OF_SCENES = ("scene", "object", "brightness", "colorfulness", "facial_expression", "human_action")
"""EmoSet's attributes, by the names that its annotations have."""
APART = "; "
"""Between the values of an attribute that has several."""


def write_attribute_caption(
    attributes: Mapping[str, str], *, image: str, source: str, label: str | None = None
) -> CaptionRecord | None:
    """A caption: as a whole all sentences, one after the other, locally each; None where no attribute is known.

    label: the emotion, told in a last sentence; a result of a model that learnt from it must say so.
    """
    sentences = attribute_sentences(attributes)
    if not sentences:
        return None
    if label is not None:
        sentences = (*sentences, f"The overall emotion conveyed is {label}.")
    whole = " ".join(sentences)
    return CaptionRecord(image=image, overall=whole, local=sentences, summary=whole, source=source)


def attribute_sentences(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """The sentences, of the attributes that are there."""
    known = {name: attributes[name].split(APART) for name in OF_SCENES if attributes.get(name)}
    told = list[str]()
    if "scene" in known:
        told.append(f"The scene type of this photo is {_joined(known['scene'])}.")
    if "object" in known:
        told.append(f"The main subjects are {_joined(known['object'])}.")
    light = {"brightness": "brightness", "colorfulness": "color saturation"}
    if parts := [f"{word} of {_joined(known[name])}" for name, word in light.items() if name in known]:
        told.append(f"The image has a {' and '.join(parts)}.")
    if "facial_expression" in known:
        told.append(f"Human facial expression is {_joined(known['facial_expression'])}.")
    if "human_action" in known:
        told.append(f"The action being performed is {_joined(known['human_action'])}.")
    return tuple(told)


def _joined(values: list[str]) -> str:
    """a / a and b / a, b and c."""
    *first, last = values
    return f"{', '.join(first)} and {last}" if first else last
