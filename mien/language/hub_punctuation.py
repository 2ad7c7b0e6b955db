"""Punctuation by a token classifier of the Hugging Face hub (extra `hf`) whose labels are marks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from mien.language.huggingface import Classifier, load_classifier
from mien.language.punctuation import MARKS, bare
from mien.types import MienError

MARK_NAMES = {"?": ("?", "QUESTION"), "!": ("!", "EXCLAM"), ".": (".", "PERIOD", "STOP", "DOT")}
"""A token classifier's label means the first mark of which it holds a name: `?U` `QUESTION` `B-PERIOD` `.O`."""

CONTEXT_WORDS = 32
"""A word this close to a window's edge is decided by the next window, unless the text itself ends there."""


class HuggingFacePunctuator:
    """A token classifier that tells what follows each word; `id` names its folder or hub id, and its revision.

    Some models are trained to answer at a word's first token, some at its last: the token counts that is surest of
    a sentence's end.
    """

    def __init__(self, classifier: Classifier, *, label_marks: list[int]) -> None:
        self.id = classifier.id
        self._classifier = classifier
        self._to_marks = torch.nn.functional.one_hot(torch.tensor(label_marks), len(MARKS)).float()

    @classmethod
    def load(cls, name: str) -> HuggingFacePunctuator:
        """The model in a folder, or of a hub id, `OWNER/NAME` or `OWNER/NAME@REVISION`.

        Raises MienError if it cannot be had, is no token classifier, or none of its labels means a sentence's end.
        """
        classifier = load_classifier(name, kind="AutoModelForTokenClassification")
        if not classifier.tokenizer.is_fast:
            raise MienError(f"{name} has no fast tokenizer, which tells where a token stands; take another model")
        return cls(classifier, label_marks=mark_of_labels(classifier.labels, source=name))

    def marks(self, words: Sequence[str]) -> list[str]:
        """What follows each of `words`: one of MARKS, and "" after what holds no letter or digit."""
        bare_words = [bare(word) for word in words]
        spoken = [i for i, word in enumerate(bare_words) if word]
        marks = [""] * len(words)
        done = start = 0
        while done < len(spoken):
            seen = spoken[start : start + self._classifier.max_tokens]
            found = self._window([bare_words[i] for i in seen])
            if len(found) <= done - start:  # the words before are so long that they fill the window
                start = done
                continue
            is_end = start + len(found) == len(spoken)
            until = len(found) if is_end else max(len(found) - CONTEXT_WORDS, done - start + 1)
            for i, mark in zip(spoken[done : start + until], found[done - start : until], strict=True):
                marks[i] = mark
            done = start + until
            start = max(0, done - min(CONTEXT_WORDS, len(found) // 4))
        return marks

    def _window(self, words: list[str]) -> list[str]:
        """The marks of as many of `words`, from the first, as the model reads at once; at least of one."""
        starts = list(accumulate((len(word) + 1 for word in words), initial=0))
        encoded = self._classifier.tokenizer(
            " ".join(words),
            truncation=True,
            max_length=self._classifier.max_tokens,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        spans = encoded.pop("offset_mapping")[0].tolist()
        with torch.inference_mode():
            probabilities = self._classifier.model(**encoded).logits[0].float().softmax(dim=1) @ self._to_marks
        best: dict[int, Tensor] = {}
        for (begin, end), row in zip(spans, probabilities, strict=True):
            if end > begin:  # special tokens stand nowhere; some tokens begin with the space before their word
                word = bisect_right(starts, end - 1) - 1
                if word not in best or row[0] < best[word][0]:
                    best[word] = row
        is_cut = len(spans) >= self._classifier.max_tokens
        num_read = max(1, max(best, default=0)) if is_cut else len(words)  # the last word may be read in part
        return [MARKS[int(best[i].argmax())] if i in best else "" for i in range(num_read)]


def mark_of_labels(labels: Sequence[str], *, source: str) -> list[int]:
    """The place in MARKS of what each label means, by MARK_NAMES; raises MienError where none ends a sentence."""
    meant = [_mark_of(label) for label in labels]
    if not any(meant) or all(meant):
        raise MienError(
            f"{source} has the labels {', '.join(labels)}; a punctuation model has some that hold "
            f"{', '.join(name for names in MARK_NAMES.values() for name in names)}, and some that do not"
        )
    return [MARKS.index(mark) for mark in meant]


def _mark_of(label: str) -> str:
    return next((mark for mark, names in MARK_NAMES.items() if any(n in label.upper() for n in names)), "")
