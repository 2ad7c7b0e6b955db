"""Sentiment by a sequence classifier of the Hugging Face hub (extra `hf`) whose labels are the seven emotions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from mien.language.huggingface import Classifier, load_classifier
from mien.types import EMOTIONS, MienError

SYNONYMS = {
    "anger": ("anger", "angry"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid", "scared"),
    "joy": ("joy", "joyful", "happiness", "happy"),
    "neutral": ("neutral", "neutrality", "no emotion", "no_emotion"),
    "sadness": ("sadness", "sad"),
    "surprise": ("surprise", "surprised"),
}
"""What models call each of EMOTIONS, in lower case."""

BATCH_SIZE = 32


class HuggingFaceSentiment:
    """A sequence classifier over the seven emotions; `id` names its folder or hub id, and its revision.

    Its labels must be EMOTIONS, in any order, by the names in SYNONYMS: a label too few would make a probability up,
    one too many would leave some out.
    """

    def __init__(self, classifier: Classifier, *, order: list[int]) -> None:
        self.id = classifier.id
        self._classifier = classifier
        self._order = order

    @classmethod
    def load(cls, name: str) -> HuggingFaceSentiment:
        """The model in a folder, or of a hub id, `OWNER/NAME` or `OWNER/NAME@REVISION`.

        Raises MienError if it cannot be had, is no sequence classifier, or has other labels.
        """
        classifier = load_classifier(name, kind="AutoModelForSequenceClassification")
        if classifier.model.config.problem_type == "multi_label_classification":
            raise MienError(f"{name} scores each label on its own; take a model whose probabilities sum to one")
        return cls(classifier, order=emotion_order(classifier.labels, source=name))

    def logits(self, texts: Sequence[str]) -> Float32[np.ndarray, "n 7"]:
        """Unnormalised scores over EMOTIONS, as the model gives them; what is too long for it is read to where it is.

        Texts of similar length are read together; how they are batched does not change what comes back by more than
        rounding.
        """
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        logits = np.zeros((len(texts), len(EMOTIONS)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH_SIZE):
                chosen = by_length[start : start + BATCH_SIZE]
                encoded = self._classifier.tokenizer(
                    [texts[i] for i in chosen],
                    padding=True,
                    truncation=True,
                    max_length=self._classifier.max_tokens,
                    return_tensors="pt",
                )
                logits[chosen] = self._classifier.model(**encoded).logits[:, self._order].float().numpy()
        return logits


def emotion_order(labels: Sequence[str], *, source: str) -> list[int]:
    """Where each of EMOTIONS stands in `labels`; raises MienError, naming them, unless they are just these."""
    found: dict[str, list[int]] = {emotion: [] for emotion in EMOTIONS}
    other = []
    for i, label in enumerate(labels):
        meant = [emotion for emotion, names in SYNONYMS.items() if label.strip().lower() in names]
        if meant:
            found[meant[0]].append(i)
        else:
            other.append(label)
    missing = [emotion for emotion, places in found.items() if not places]
    twice = [emotion for emotion, places in found.items() if len(places) > 1]
    problems = [("missing", missing), ("not one of the seven", other), ("more than once", twice)]
    if any(names for _, names in problems):
        told = "; ".join(f"{problem}: {', '.join(names)}" for problem, names in problems if names)
        raise MienError(
            f"{source} has the labels {', '.join(labels)}; {told}. Take a classifier of {', '.join(EMOTIONS)}"
        )
    return [found[emotion][0] for emotion in EMOTIONS]
