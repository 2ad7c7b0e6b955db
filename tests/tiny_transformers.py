"""Classifiers of the library transformers with random weights, saved as their users would find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

WORDS = (
    "i", "am", "so", "happy", "it", "is", "not", "the", "what", "do", "you", "mean", "stop", "now", "please",
)  # fmt: skip


def save_classifier(folder: Path, *, kind: str, labels: Sequence[str], max_positions: int = 64, **options: Any) -> Path:
    """A BERT of two narrow layers for `kind` (SequenceClassification, TokenClassification), with its tokenizer."""
    letters = [chr(c) for c in range(33, 127)]
    vocab = dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *WORDS]
    )
    tokenizer = tokenizers.BertWordPieceTokenizer({token: i for i, token in enumerate(vocab)}, lowercase=True)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocab),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=max_positions,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        initializer_range=0.5,
        **options,
    )
    getattr(transformers, f"BertFor{kind}")(config).save_pretrained(folder)
    return folder
