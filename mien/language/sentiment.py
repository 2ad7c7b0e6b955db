"""Utterance sentiment: how a spoken sentence sounds in seven emotions, from its words alone.

The embedded model is a small ensemble of convolutional networks (Kim 2014, with attention and maximum pooling) over
subwords, trained from scratch by `scripts/train_utterance_model.py`; its card is beside its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import tokenizers
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from mien.config import Config
from mien.language.model_files import one_thread, read_model_files
from mien.types import ASSETS, EMOTIONS, MienError

PAD, UNKNOWN = "<pad>", "<unk>"
"""The first two tokens of the vocabulary, so with ids 0 and 1."""

MAX_TOKENS = 64
"""What is longer is read up to here: three times as long as the subtitles' two lines allow."""

BATCH_SIZE = 256


@runtime_checkable
class SentimentModel(Protocol):
    """Anything that gives sentences emotions; `id` names the exact weights, to be stored with what they computed."""

    id: str

    def logits(self, texts: Sequence[str]) -> Float32[np.ndarray, "n 7"]:
        """Unnormalised scores over EMOTIONS; their softmax is a probability."""
        ...


def build_sentiment(name: str = "mien") -> SentimentModel:
    """The sentiment model of that name: `mien` is the embedded one; a folder; `hf:ID` or `hf:ID@REVISION`.

    A folder may hold a model of ours or a sequence classifier of the library transformers; a hub id names the latter.
    Raises MienError if there is no such model, or if its labels are not EMOTIONS.
    """
    from mien.language.hub_sentiment import HuggingFaceSentiment
    from mien.language.huggingface import PREFIX, is_transformers_folder

    if name == "mien":
        return UtteranceModel.load()
    if name.startswith(PREFIX):
        return HuggingFaceSentiment.load(name.removeprefix(PREFIX))
    folder = Path(name)
    if not folder.is_dir():
        raise MienError(f"no sentiment model {name}; give mien, a model's folder, or hf:ID with the id of a hub's")
    return HuggingFaceSentiment.load(name) if is_transformers_folder(folder) else UtteranceModel.load(folder)


class UtteranceConfig(Config):
    """The sizes of an utterance model, and what was fitted on held-out data after training.

    `thresholds` (one for each of EMOTIONS) turn probabilities into a set of labels.
    """

    name: str = "mien-utterance-7"
    vocab_size: int = 6000
    width: int = 128
    num_filters: int = 128
    kernel_sizes: tuple[int, ...] = (1, 3, 5)
    num_members: int = 3
    temperature: float = 1.0
    thresholds: tuple[float, ...] = (0.5,) * len(EMOTIONS)


class UtteranceModel:
    """Emotion logits of sentences; `id` names the exact weights, to be stored with what they computed."""

    def __init__(
        self, config: UtteranceConfig, bpe: tokenizers.Tokenizer, network: UtteranceNetwork, *, id: str
    ) -> None:
        self.config = config
        self.id = id
        self._bpe = bpe
        self._network = network.eval()

    @classmethod
    def load(cls, path: Path | None = None) -> UtteranceModel:
        """The model in the folder `path`, by default the one shipped with the package.

        Raises MienError if a file of it is missing or does not fit the others.
        """
        folder = ASSETS / "utterance" if path is None else path
        files = read_model_files(folder, UtteranceConfig, script="scripts/train_utterance_model.py")
        network = UtteranceNetwork(files.config)
        files.fill(network, {name: tensor.float() for name, tensor in files.tensors.items()})
        return cls(files.config, files.bpe, network, id=f"{files.config.name}-{files.digest}")

    def logits(self, texts: Sequence[str]) -> Float32[np.ndarray, "n 7"]:
        """Unnormalised scores over EMOTIONS; their softmax is a calibrated probability."""
        rows = token_ids(self._bpe, texts)
        by_length = sorted(range(len(rows)), key=lambda i: len(rows[i]))  # little padding in each batch
        logits = np.zeros((len(rows), len(EMOTIONS)), dtype=np.float32)
        with torch.inference_mode(), one_thread():
            for start in range(0, len(rows), BATCH_SIZE):
                chosen = by_length[start : start + BATCH_SIZE]
                logits[chosen] = self._network(pad([rows[i] for i in chosen])).numpy()
        return logits / np.float32(self.config.temperature)

    def labels(self, texts: Sequence[str]) -> Bool[np.ndarray, "n 7"]:
        """Which of EMOTIONS each sentence has; at least one."""
        return decide(softmax(self.logits(texts)), np.array(self.config.thresholds))


class UtteranceNetwork(nn.Module):
    """The mean of the log-probabilities of `num_members` networks that differ in their seed."""

    def __init__(self, config: UtteranceConfig) -> None:
        super().__init__()
        self.members = nn.ModuleList(MemberNetwork(config) for _ in range(config.num_members))

    def forward(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b 7"]:
        return torch.stack([member(token_ids).log_softmax(dim=1) for member in self.members]).mean(dim=0)


class MemberNetwork(nn.Module):
    """Subwords are embedded, convolved, pooled by attention and by maximum, and classified."""

    def __init__(self, config: UtteranceConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.width, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.width, config.num_filters, size, padding="same") for size in config.kernel_sizes
        )
        features = config.num_filters * len(config.kernel_sizes)
        self.attention = nn.Linear(features, 1)
        self.classifier = nn.Linear(2 * features, len(EMOTIONS))
        self.word_dropout, self.embedding_dropout, self.feature_dropout = 0.1, 0.3, 0.5
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, token_ids: Int64[Tensor, "b l"]) -> Float[Tensor, "b 7"]:
        is_pad = rearrange(token_ids == 0, "b l -> b l 1")
        x = self.embedding(token_ids).masked_fill(is_pad, 0.0)  # [b, l, e]
        if self.training:
            kept = torch.rand(token_ids.shape) >= self.word_dropout
            x = F.dropout(x * rearrange(kept, "b l -> b l 1"), self.embedding_dropout)
        x = rearrange(x, "b l e -> b e l")
        x = torch.cat([convolution(x) for convolution in self.convolutions], dim=1)  # [b, f, l]
        x = rearrange(x.relu(), "b f l -> b l f")
        attention = self.attention(x).masked_fill(is_pad, float("-inf")).softmax(dim=1)  # [b, l, 1]
        mean = (attention * x).sum(dim=1)  # [b, f]
        maximum = x.masked_fill(is_pad, 0.0).amax(dim=1)  # [b, f]; after a ReLU, 0 is the least
        pooled = torch.cat([mean, maximum], dim=1)  # [b, 2f]
        return self.classifier(F.dropout(pooled, self.feature_dropout, self.training))


def token_ids(bpe: tokenizers.Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The subwords of each text, at most MAX_TOKENS and at least one (unknown, for a text without words)."""
    unknown = bpe.token_to_id(UNKNOWN) or 0
    return [encoding.ids[:MAX_TOKENS] or [unknown] for encoding in bpe.encode_batch(list(texts))]


def pad(rows: Sequence[Sequence[int]]) -> Int64[Tensor, "b l"]:
    """`rows` filled up with the pad token to the longest of them."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


def softmax(logits: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """The probabilities of `logits`, in their precision."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def decide(probabilities: Float[np.ndarray, "n c"], thresholds: Float[np.ndarray, "c"]) -> Bool[np.ndarray, "n c"]:
    """The labels above their threshold; the most probable one where none is."""
    labels = probabilities > thresholds
    none = ~labels.any(axis=1)
    labels[none, probabilities[none].argmax(axis=1)] = True
    return labels
