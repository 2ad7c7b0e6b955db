"""Converts CLIP's published merges to a Hugging Face tokenizer.json.

    python scripts/build_clip_tokenizer.py bpe_simple_vocab_16e6.txt.gz mien/assets/clip_bpe/tokenizer.json

The merges come with github.com/openai/CLIP and the package open_clip_torch (both MIT).
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

NUM_MERGES = 48_894
"""CLIP uses the first of the file's 262,144 merges only, so that the vocabulary has 49,408 tokens."""

WORD = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
SPECIALS = ("<|startoftext|>", "<|endoftext|>")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("merges", type=Path, help="bpe_simple_vocab_16e6.txt.gz")
    parser.add_argument("output", type=Path, help="tokenizer.json to write")
    args = parser.parse_args()
    tokenizer = build(read_merges(args.merges))
    tokenizer.save(str(args.output), pretty=False)
    print(f"{args.output}: {tokenizer.get_vocab_size()} tokens")


def read_merges(path: Path) -> list[tuple[str, str]]:
    """The merges CLIP uses, most frequent first; the file's first line is a header."""
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    pairs = [line.split() for line in lines[1 : NUM_MERGES + 1]]
    return [(left, right) for left, right in pairs]


def build(merges: list[tuple[str, str]]) -> Tokenizer:
    """The tokenizer with CLIP's ids: byte symbols, the same at a word's end, merges, start, end."""
    symbols = byte_symbols()
    words = [*symbols, *(s + "</w>" for s in symbols), *(left + right for left, right in merges), *SPECIALS]
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, end_of_word_suffix="</w>", unk_token=SPECIALS[1]))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIALS))
    start, end = SPECIALS
    tokenizer.post_processor = processors.RobertaProcessing(
        (end, vocab[end]), (start, vocab[start]), trim_offsets=False, add_prefix_space=False
    )
    return tokenizer


def byte_symbols() -> list[str]:
    """A printable character for each byte: printable bytes stand for themselves, and come first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


if __name__ == "__main__":
    main()
