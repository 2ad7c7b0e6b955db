"""Classifiers of the Hugging Face hub that read words: one for a sentence's emotion, one for punctuation.

Needs the extra `hf`. Nothing is downloaded but what a hub id names, and no code of a model's is run.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from mien.language.punctuation import MARKS, bare
from mien.types import EMOTIONS, MienError

PREFIX = "hf:"
"""Stands before a hub id, where a model is named."""

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

MARK_NAMES = {"?": ("?", "QUESTION"), "!": ("!", "EXCLAM"), ".": (".", "PERIOD", "STOP", "DOT")}
"""A token classifier's label means the first mark of which it holds a name: `?U` `QUESTION` `B-PERIOD` `.O`."""

MAX_TOKENS = 512
CONTEXT_WORDS = 32
"""A word this close to a window's edge is decided by the next window, unless the text itself ends there."""

BATCH_SIZE = 32


class HuggingFaceSentiment:
    """A sequence classifier over the seven emotions; `id` names its folder or hub id, and its revision.

    Its labels must be EMOTIONS, in any order, by the names in SYNONYMS: a label too few would make a probability up,
    one too many would leave some out.
    """

    def __init__(self, loaded: Loaded, *, order: list[int]) -> None:
        self.id = loaded.id
        self._loaded = loaded
        self._order = order

    @classmethod
    def load(cls, name: str) -> HuggingFaceSentiment:
        """The model in a folder, or of a hub id, `OWNER/NAME` or `OWNER/NAME@REVISION`.

        Raises MienError if it cannot be had, is no sequence classifier, or has other labels.
        """
        loaded = _load(name, kind="AutoModelForSequenceClassification")
        if loaded.model.config.problem_type == "multi_label_classification":
            raise MienError(f"{name} scores each label on its own; take a model whose probabilities sum to one")
        return cls(loaded, order=emotion_order(loaded.labels, source=name))

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
                encoded = self._loaded.tokenizer(
                    [texts[i] for i in chosen],
                    padding=True,
                    truncation=True,
                    max_length=self._loaded.max_tokens,
                    return_tensors="pt",
                )
                logits[chosen] = self._loaded.model(**encoded).logits[:, self._order].float().numpy()
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


class HuggingFacePunctuator:
    """A token classifier that tells what follows each word; `id` names its folder or hub id, and its revision.

    Some models are trained to answer at a word's first token, some at its last: the token counts that is surest of
    a sentence's end.
    """

    def __init__(self, loaded: Loaded, *, label_marks: list[int]) -> None:
        self.id = loaded.id
        self._loaded = loaded
        self._to_marks = torch.nn.functional.one_hot(torch.tensor(label_marks), len(MARKS)).float()

    @classmethod
    def load(cls, name: str) -> HuggingFacePunctuator:
        """The model in a folder, or of a hub id, `OWNER/NAME` or `OWNER/NAME@REVISION`.

        Raises MienError if it cannot be had, is no token classifier, or none of its labels means a sentence's end.
        """
        loaded = _load(name, kind="AutoModelForTokenClassification")
        if not loaded.tokenizer.is_fast:
            raise MienError(f"{name} has no fast tokenizer, which tells where a token stands; take another model")
        return cls(loaded, label_marks=mark_of_labels(loaded.labels, source=name))

    def marks(self, words: Sequence[str]) -> list[str]:
        """What follows each of `words`: one of MARKS, and "" after what holds no letter or digit."""
        bare_words = [bare(word) for word in words]
        spoken = [i for i, word in enumerate(bare_words) if word]
        marks = [""] * len(words)
        done = start = 0
        while done < len(spoken):
            found = self._window([bare_words[i] for i in spoken[start:]])
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
        words = words[: self._loaded.max_tokens]
        starts = list(accumulate((len(word) + 1 for word in words), initial=0))
        encoded = self._loaded.tokenizer(
            " ".join(words),
            truncation=True,
            max_length=self._loaded.max_tokens,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        spans = encoded.pop("offset_mapping")[0].tolist()
        with torch.inference_mode():
            probabilities = self._loaded.model(**encoded).logits[0].float().softmax(dim=1) @ self._to_marks
        best: dict[int, Tensor] = {}
        for (begin, end), row in zip(spans, probabilities, strict=True):
            if end > begin:  # special tokens stand nowhere; some tokens begin with the space before their word
                word = bisect_right(starts, end - 1) - 1
                if word not in best or row[0] < best[word][0]:
                    best[word] = row
        is_cut = len(spans) >= self._loaded.max_tokens
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


# ── getting a model ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A classifier with its tokenizer; `id` is NAME@REVISION, of a folder NAME@DIGEST."""

    id: str
    tokenizer: Any
    model: Any
    labels: list[str]
    max_tokens: int


def is_transformers_folder(folder: Path) -> bool:
    """Whether `folder` holds a model of the library transformers: only its config.json names a `model_type`."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, Mapping) and "model_type" in config


def _load(name: str, *, kind: str) -> Loaded:
    transformers = _transformers(name)
    folder, revision, id = _place(name)
    try:
        model, report = getattr(transformers, kind).from_pretrained(
            folder, revision=revision, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, revision=revision, trust_remote_code=False)
    except Exception as error:  # the libraries' errors have no common ancestor
        raise MienError(
            f"{name} cannot be loaded as a {kind.removeprefix('AutoModelFor')} model: {type(error).__name__}: {error}"
        ) from error
    if report["missing_keys"]:
        raise MienError(
            f"{name} has no trained {', '.join(sorted(report['missing_keys']))}: it was not trained as a "
            f"{kind.removeprefix('AutoModelFor')} model; take one that was"
        )
    config = model.config.to_dict()
    longest = int(config.get("max_position_embeddings") or MAX_TOKENS) - 2  # RoBERTa's first two stand for nothing
    return Loaded(
        id=id,
        tokenizer=tokenizer,
        model=model.eval(),
        labels=[model.config.id2label[i] for i in range(model.config.num_labels)],
        max_tokens=min(MAX_TOKENS, longest, tokenizer.model_max_length),
    )


def _transformers(name: str) -> Any:
    try:
        import transformers
    except ImportError:
        raise MienError(f"{name} needs the library transformers: pip install 'mien[hf]'") from None
    return transformers


def _place(name: str) -> tuple[str, str | None, str]:
    """The folder or hub id to load from, the revision there, and the id that names both."""
    folder = Path(name)
    if folder.is_dir():
        return str(folder), None, f"{folder.resolve().name}@{_digest(folder)}"
    hub_id, _, revision = name.partition("@")
    if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?", hub_id) is None:
        raise MienError(f"no model folder at {name}; give one, or a hub id: OWNER/NAME or OWNER/NAME@REVISION")
    from huggingface_hub import hf_hub_download

    try:
        config = hf_hub_download(hub_id, "config.json", revision=revision or None)
    except Exception as error:  # the hub client's errors have no common ancestor
        raise MienError(
            f"{name} is not a folder here, and could not be fetched from the hub: {type(error).__name__}: {error}"
        ) from error
    commit = Path(config).parent.name  # the cache keeps a folder a commit
    return hub_id, commit, f"{hub_id}@{commit}"


def _digest(folder: Path) -> str:
    """A short fingerprint of all that a model is made of."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".json", ".safetensors", ".bin", ".model", ".txt"):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()[:12]
