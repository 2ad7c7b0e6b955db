"""Punctuation: which mark follows each word of speech that was written down without any.

The shipped model is a small transformer that reads a stream of words, in any case, through overlapping windows; a
word sees what comes after it. `scripts/train_punctuation_model.py` makes it; its card is beside its weights.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import tokenizers
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from mien.config import Config
from mien.language.model_files import one_thread, read_model_files
from mien.types import ASSETS, MienError

MARKS = ("", ".", "?", "!")
"""What may follow a word."""

CLASSES = (*MARKS, ",")
"""What the shipped model tells apart; commas are learnt only so as not to be taken for full stops."""

MAX_SUBWORDS = 8
"""Of one word; the rest of a longer one says nothing of the sentence."""

CONTEXT = 48
"""Subwords that a window shows on either side of those it decides, but at the ends of the text."""

BATCH_SIZE = 16


@runtime_checkable
class Punctuator(Protocol):
    """Anything that restores sentence ends; `id` names the exact weights, to be stored with what they computed."""

    id: str

    def marks(self, words: Sequence[str]) -> list[str]:
        """What follows each of `words`: one of MARKS. The words may carry punctuation, which is not looked at."""
        ...


def build_punctuator(name: str = "mien") -> Punctuator:
    """The punctuation model of that name: `mien` is the shipped one; a folder; `hf:ID` or `hf:ID@REVISION`.

    A folder may hold a model of ours or a token classifier of the library transformers; a hub id names the latter.
    Raises MienError if there is no such model.
    """
    from mien.language.hub_punctuation import HuggingFacePunctuator
    from mien.language.huggingface import PREFIX, is_transformers_folder

    if name == "mien":
        return PunctuationModel.load()
    if name.startswith(PREFIX):
        return HuggingFacePunctuator.load(name.removeprefix(PREFIX))
    folder = Path(name)
    if not folder.is_dir():
        raise MienError(f"no punctuation model {name}; give mien, a model's folder, or hf:ID with the id of a hub's")
    return HuggingFacePunctuator.load(name) if is_transformers_folder(folder) else PunctuationModel.load(folder)


class PunctuationConfig(Config):
    """The sizes of a punctuation model, and what was fitted on held-out data after training.

    A sentence ends where the probabilities of a full stop, question and exclamation mark add up to more than
    `threshold`. A window of the stream is `window` subwords.
    """

    name: str = "mien-punctuation"
    vocab_size: int = 7168
    width: int = 384
    num_heads: int = 12
    num_layers: int = 4
    window: int = 192
    threshold: float = 0.5


class PunctuationModel:
    """The model of this package; `id` names the exact weights, to be stored with what they computed."""

    def __init__(
        self, config: PunctuationConfig, bpe: tokenizers.Tokenizer, network: PunctuationNetwork, *, id: str
    ) -> None:
        self.config = config
        self.id = id
        self._bpe = bpe
        self._network = network.eval()

    @classmethod
    def load(cls, path: Path | None = None) -> PunctuationModel:
        """The model in the folder `path`, by default the one shipped with the package.

        Raises MienError if a file of it is missing or does not fit the others.
        """
        folder = ASSETS / "punctuation" if path is None else path
        files = read_model_files(folder, PunctuationConfig, script="scripts/train_punctuation_model.py")
        network = PunctuationNetwork(files.config)
        files.fill(network, unpack(files.tensors))
        return cls(files.config, files.bpe, network, id=f"{files.config.name}-{files.digest}")

    def marks(self, words: Sequence[str]) -> list[str]:
        """What follows each of `words`: one of MARKS, and "" after what holds no letter or digit.

        Their case may help; their punctuation is not looked at. The text may be of any length.
        """
        ends = self.probabilities(words)[:, 1 : len(MARKS)]  # [n, 3]
        best = ends.argmax(axis=1)
        is_end = ends.sum(axis=1) > self.config.threshold
        return [MARKS[1 + i] if end else "" for i, end in zip(best, is_end, strict=True)]

    def probabilities(self, words: Sequence[str]) -> Float32[np.ndarray, "n 5"]:
        """Of each of CLASSES after each word."""
        stream = subword_stream(self._bpe, [bare(word) for word in words])
        found = np.zeros((len(words), len(CLASSES)), dtype=np.float32)
        found[:, 0] = 1.0
        if len(stream.last):
            found[stream.word] = self._read(stream)[stream.last].numpy()
        return found

    def _read(self, stream: SubwordStream) -> Float[Tensor, "n 5"]:
        """Probabilities after each subword; every window decides those in its middle."""
        size = min(len(stream.ids), self.config.window)
        step = max(1, self.config.window - 2 * CONTEXT)
        decided = range(0, len(stream.ids), step)
        offsets = [min(max(0, start - CONTEXT), len(stream.ids) - size) for start in decided]
        ids = stream.ids.unfold(0, size, 1)[offsets]  # [w, size]
        capital = stream.capital.unfold(0, size, 1)[offsets]
        pieces = []
        with torch.inference_mode(), one_thread():
            for i in range(0, len(offsets), BATCH_SIZE):
                pieces += self._network(ids[i : i + BATCH_SIZE], capital[i : i + BATCH_SIZE]).softmax(dim=2)
        kept = [p[s - o : s - o + step] for p, s, o in zip(pieces, decided, offsets, strict=True)]
        return torch.cat(kept)[: len(stream.ids)]


class PunctuationNetwork(nn.Module):
    """A transformer encoder of BERT's kind (Devlin et al. 2019), which is also told where a capital letter stands."""

    def __init__(self, config: PunctuationConfig) -> None:
        super().__init__()
        self.subwords = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.window, config.width)
        self.capital = nn.Embedding(2, config.width)
        self.norm = nn.LayerNorm(config.width, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width,
                config.num_heads,
                4 * config.width,
                dropout=0.0,
                activation="gelu",
                layer_norm_eps=1e-12,
                batch_first=True,
            )
            for _ in range(config.num_layers)
        )
        self.classifier = nn.Linear(config.width, len(CLASSES))

    def forward(self, ids: Int64[Tensor, "b l"], capital: Bool[Tensor, "b l"]) -> Float[Tensor, "b l 5"]:
        x = self.subwords(ids) + self.positions.weight[: ids.shape[1]] + self.capital(capital.long())  # [b, l, e]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x)
        return self.classifier(x)


@dataclass(frozen=True, kw_only=True, slots=True)
class SubwordStream:
    """Words as the network reads them, those without letters left out.

    `last` is where each word's last subword stands among the `ids`, and `word` which of the words it is.
    """

    ids: Int64[Tensor, "s"]
    capital: Bool[Tensor, "s"]
    last: Int64[Tensor, "w"]
    word: Int64[np.ndarray, "w"]


def subword_stream(bpe: tokenizers.Tokenizer, bare_words: Sequence[str]) -> SubwordStream:
    """The subwords of `bare_words` one after the other; each is marked if its word begins with a capital."""
    spoken = [i for i, word in enumerate(bare_words) if word]
    encodings = bpe.encode_batch([bare_words[i] for i in spoken], add_special_tokens=False)
    unknown = bpe.token_to_id("[UNK]") or 0
    rows = [encoding.ids[:MAX_SUBWORDS] or [unknown] for encoding in encodings]
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    capital = torch.tensor([is_capitalised(bare_words[i]) for i in spoken], dtype=torch.bool)
    return SubwordStream(
        ids=torch.tensor([id for row in rows for id in row], dtype=torch.int64),
        capital=capital.repeat_interleave(lengths),
        last=lengths.cumsum(dim=0) - 1,
        word=np.array(spoken, dtype=np.int64),
    )


def bare(word: str) -> str:
    """`word` without what is around its letters and digits: `"Don’t!"` is `Don't`, `--` is nothing."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", unicodedata.normalize("NFKC", word).replace("’", "'"))


def is_capitalised(bare_word: str) -> bool:
    """Whether its capital may begin a sentence: not in `I'm`, which has one anywhere, nor in `NASA` or `A`."""
    return bare_word[:1].isupper() and any(c.islower() for c in bare_word) and not bare_word.startswith("I'")


# ── weights in bytes ─────────────────────────────────────────────────────────────────────────────

SCALE = ".scale"


def pack(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are stored: matrices as signed bytes with a factor a row, the rest in float16."""
    packed = {}
    for name, tensor in state.items():
        if tensor.ndim == 2:
            scale = (tensor.abs().amax(dim=1) / 127).clamp_min(1e-6).half()
            packed[name] = (tensor / scale.float().unsqueeze(1)).round().clamp(-127, 127).to(torch.int8)
            packed[name + SCALE] = scale
        else:
            packed[name] = tensor.half()
    return packed


def unpack(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that were packed, in float32; a matrix's entries within half its row's factor."""
    return {
        name: tensor.float() * packed[name + SCALE].float().unsqueeze(1) if name + SCALE in packed else tensor.float()
        for name, tensor in packed.items()
        if not name.endswith(SCALE)
    }
