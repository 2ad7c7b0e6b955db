"""Words that are scored, and the prompts they are put into."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from mien.errors import MienError


def split_words(text: str) -> list[str]:
    """`joy, "anger, hidden"` as two words: parted by commas that are not in double quotes; empty ones are left out."""
    fields = next(csv.reader([" ".join(text.split())], skipinitialspace=True), [])
    return [word for field in fields if (word := field.strip())]


def require_prompts(labels: Sequence[str], templates: Sequence[str]) -> None:
    """Raise MienError unless there are several labels, all different, which can be put into every template."""
    if not labels or isinstance(labels, str):
        raise MienError(f"labels must be a list of words, say ['joy', 'anger', 'relief']; got {labels!r}")
    if any(not label.strip() for label in labels):
        raise MienError(f"one of the labels is empty: {', '.join(map(repr, labels))}")
    if len(set(labels)) != len(labels):
        raise MienError(f"each label once, please: {', '.join(labels)}")
    if len(labels) < 2:
        raise MienError(f"a word is scored among others; name another beside {labels[0]!r}")
    if isinstance(templates, str):
        raise MienError(f"templates must be a list; write [{templates!r}]")
    without_slot = [t for t in templates if "{}" not in t]
    if without_slot or not templates:
        raise MienError(f"a template needs {{}} where the label goes, got {without_slot or list(templates)}")
