"""The tokenizer: texts to the token ids a text tower reads, exactly as CLIP does it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

import ftfy
import tokenizers
import torch
from jaxtyping import Int64
from torch import Tensor

from mien.types import ASSETS, MienError

CONTEXT_LENGTH = 77
"""CLIP's longest text in tokens, start and end included."""

START_OF_TEXT = "<|startoftext|>"
END_OF_TEXT = "<|endoftext|>"


class Tokenizer:
    """Byte-pair encoding of a text between a start and an end token.

    It is stored as one Hugging Face `tokenizer.json`, which travels with a model. Texts are cleaned as the
    vocabulary's authors did (Radford et al. 2021, `simple_tokenizer.py`): repaired (ftfy), HTML unescaped twice,
    white space collapsed, lower-cased.
    """

    def __init__(self, bpe: tokenizers.Tokenizer, *, source: str) -> None:
        self._bpe = bpe
        self.sot_id = _special_id(bpe, START_OF_TEXT, source=source)
        self.eot_id = _special_id(bpe, END_OF_TEXT, source=source)

    @classmethod
    def clip(cls, *, vocab_size: int | None = None) -> Tokenizer:
        """CLIP's own: 49,408 tokens, made from the published merges by `scripts/build_clip_tokenizer.py`.

        With a smaller `vocab_size`, of its merges only the first, most frequent ones: words take more tokens, and a
        small text tower need not spend most of its weights on a table. 12,288 keep "angry" whole, and cut "furious".
        """
        path = ASSETS / "clip_bpe" / "tokenizer.json"
        if vocab_size is None:
            return cls.load(path)
        return cls(_with_fewer_merges(path, vocab_size=vocab_size), source=f"{path}, {vocab_size} tokens of it")

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """The tokenizer in the file `path`; raises MienError where that is not a `tokenizer.json`."""
        if not path.is_file():
            raise MienError(f"no tokenizer at {path}; a model folder holds one as tokenizer.json")
        try:
            bpe = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises nothing narrower than Exception
            raise MienError(f"{path} is not a Hugging Face tokenizer.json: {error}") from error
        return cls(bpe, source=str(path))

    def save(self, path: Path) -> None:
        """Writes the `tokenizer.json` that `load` reads back to an equal tokenizer."""
        path.write_text(self._bpe.to_str(), encoding="utf-8")

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id, specials included."""
        return self._bpe.get_vocab_size()

    def encode(self, texts: Sequence[str], *, context_length: int = CONTEXT_LENGTH) -> Int64[Tensor, "b l"]:
        """The token ids of `texts`, each from start to end token, padded with the end token.

        `l` is the longest text's length, at most `context_length`. A longer text loses its last tokens but keeps
        the end token; `truncated` names those. The first end token of a row is where the text ends.
        """
        rows = [ids[: context_length - 2] for ids in self._words(texts, context_length)]
        length = max((len(ids) + 2 for ids in rows), default=0)
        padded = torch.full((len(rows), length), self.eot_id, dtype=torch.int64)  # [b, l]
        for row, ids in zip(padded, rows, strict=True):
            row[: len(ids) + 1] = torch.tensor([self.sot_id, *ids])
        return padded

    def truncated(self, texts: Sequence[str], *, context_length: int = CONTEXT_LENGTH) -> list[int]:
        """The positions in `texts` of those that `encode` would shorten, to be counted and shown."""
        words = self._words(texts, context_length)
        return [i for i, ids in enumerate(words) if len(ids) > context_length - 2]

    def _words(self, texts: Sequence[str], context_length: int) -> list[list[int]]:
        """The token ids of `texts` without start and end."""
        if isinstance(texts, str):
            raise MienError(f"texts must be a list of strings, not the one string {texts!r}; pass [text]")
        if context_length < 2:
            raise MienError(f"{context_length = } leaves no room for start and end; it must be at least 2")
        encodings = self._bpe.encode_batch([clean(text) for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


def _with_fewer_merges(path: Path, *, vocab_size: int) -> tokenizers.Tokenizer:
    """CLIP's tokenizer with the merges that a vocabulary of this size has room for, the two marks at its end."""
    described = json.loads(path.read_text(encoding="utf-8"))
    model = described["model"]
    symbols = len(model["vocab"]) - len(model["merges"]) - 2
    most = len(model["vocab"])
    if not symbols + 2 < vocab_size <= most:
        raise MienError(
            f"a vocabulary of {vocab_size} tokens cannot be cut from CLIP's: choose {symbols + 3} to {most}"
        )
    model["merges"] = model["merges"][: vocab_size - symbols - 2]
    words = sorted(model["vocab"], key=model["vocab"].__getitem__)
    kept = [*words[: vocab_size - 2], START_OF_TEXT, END_OF_TEXT]
    model["vocab"] = {word: i for i, word in enumerate(kept)}
    marks = {START_OF_TEXT: vocab_size - 2, END_OF_TEXT: vocab_size - 1}
    for token in described["added_tokens"]:
        token["id"] = marks[token["content"]]
    for place in ("sep", "cls"):
        word, _ = described["post_processor"][place]
        described["post_processor"][place] = [word, marks[word]]
    return tokenizers.Tokenizer.from_str(json.dumps(described))


def clean(text: str) -> str:
    """`text` as CLIP's tokenizer sees it: repaired, unescaped, spaces collapsed, in lower case."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))  # twice: `&amp;lt;` is common in scraped text
    return re.sub(r"\s+", " ", text).strip().lower()


def _special_id(bpe: tokenizers.Tokenizer, token: str, *, source: str) -> int:
    token_id = bpe.token_to_id(token)
    if token_id is None:
        raise MienError(f"{source} has no token {token}; a text tower's tokenizer needs it")
    return int(token_id)
