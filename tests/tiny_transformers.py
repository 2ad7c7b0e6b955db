"""Models of the library transformers with random weights, saved as their users would find them."""

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


def save_image_text_to_text(folder: Path, *, chat_template: bool = True) -> Path:
    """A LLaVA of two narrow layers a tower with its processor, which reads and writes letter by letter."""
    special = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
    vocab = {token: i for i, token in enumerate([*special, *map(chr, range(32, 127))])}
    letters = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    letters.decoder = tokenizers.decoders.Fuse()
    letters.add_special_tokens(special)
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    side = {"height": 32, "width": 32}
    transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessorPil(size=side, crop_size=side),
        tokenizer=transformers.PreTrainedTokenizerFast(tokenizer_object=letters, **names),
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for m in messages %}{% for c in m['content'] %}"
            "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
        )
        if chat_template
        else None,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    narrow = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**narrow, "vocab_size": len(vocab), "max_position_embeddings": 2048}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**narrow, image_size=32, patch_size=16),
        text_config=transformers.LlamaConfig(**text, pad_token_id=0, bos_token_id=1, eos_token_id=2),
        image_token_id=vocab["<image>"],
    )
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder
