"""Trains the utterance model shipped in mien/assets/utterance, and writes its card.

    python scripts/train_utterance_model.py --data goemotions-ekman --out mien/assets/utterance \\
        --tokenizer mien/assets/utterance/tokenizer.json
    python scripts/train_utterance_model.py --data goemotions-ekman --out mien/assets/utterance --measure

The second only measures the model in --out again, and writes its card anew.
The data: `train.tsv`, `dev.tsv` and `test.tsv`, lines of a text, its labels (numbers into mien.types.EMOTIONS, with
commas between) and an id. Five minutes on two cores. The same seed and tokenizer give the same weights
on the same machine; without --tokenizer a new one is trained, which breaks ties differently each time.
Expect a macro F1 of about 0.60 on test. Temperature and thresholds are fitted on dev; test is only measured.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import save_file
from sklearn.metrics import average_precision_score, f1_score
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import nn

from mien.eval.calibration import NUM_BINS, calibration_error, reliability
from mien.language.sentiment import (
    PAD,
    UNKNOWN,
    MemberNetwork,
    UtteranceConfig,
    UtteranceModel,
    UtteranceNetwork,
    decide,
    pad,
    softmax,
    token_ids,
)
from mien.types import EMOTIONS, MienError

EPOCHS = 4
BATCH_SIZE = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
UNPUNCTUATED = 0.2
"""The share of the comments shown without punctuation in an epoch, since subtitles often have none."""
BARE = str.maketrans("", "", '.,;:?!…"“”()*~-–—')

MAX_NEUTRAL = 0.05
"""A sentence counts as emotional, and is trained on, up to this probability of neutral (EmotionCLIP §4)."""


CARD = Path(__file__).with_name("utterance_card.md")


@dataclass(frozen=True, slots=True)
class Comments:
    """Texts and the emotions each of them has."""

    texts: list[str]
    labels: Bool[np.ndarray, "n 7"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.tsv, dev.tsv, test.tsv")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json to use, instead of training one")
    parser.add_argument("--measure", action="store_true", help="measure the model in --out instead of training one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="part of what makes two runs equal")
    args = parser.parse_args()
    if args.measure and args.tokenizer is not None:
        parser.error("give --tokenizer to train a model, or --measure")
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    dev, test = (read_comments(args.data / f"{split}.tsv") for split in ("dev", "test"))
    if not args.measure:
        train = read_comments(args.data / "train.tsv")
        train_model(train, dev, out=args.out, tokenizer=args.tokenizer, seed=args.seed)
    model = UtteranceModel.load(args.out)
    metrics = {"dev": measure(model, dev), "test": measure(model, test)}
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    card = write_card(metrics["test"], temperature=model.config.temperature)
    (args.out / "README.md").write_text(card, encoding="utf-8")
    print(json.dumps(metrics["test"], indent=1))


def train_model(train: Comments, dev: Comments, *, out: Path, tokenizer: Path | None, seed: int) -> None:
    """Writes the model's files to `out`: weights from `train`, temperature and thresholds from `dev`."""
    out.mkdir(parents=True, exist_ok=True)
    config = UtteranceConfig()
    if tokenizer is None:
        bpe = train_tokenizer(train.texts, vocab_size=config.vocab_size)
    else:
        bpe = Tokenizer.from_file(str(tokenizer))
    bpe.save(str(out / "tokenizer.json"), pretty=False)
    network = UtteranceNetwork(config)
    for i in range(config.num_members):
        network.members[i] = train_member(config, bpe, train, seed=seed * 1000 + i)
    save_file({k: v.half() for k, v in network.state_dict().items()}, out / "model.safetensors")
    write_config(config, out)

    logits = UtteranceModel.load(out).logits(dev.texts)  # of what was written
    temperature = fit_temperature(logits, dev.labels)
    thresholds = fit_thresholds(softmax(logits / temperature), dev.labels)
    write_config(config.model_copy(update={"temperature": temperature, "thresholds": thresholds}), out)


def read_comments(path: Path) -> Comments:
    if not path.is_file():
        raise MienError(f"no {path.name} in {path.parent}; --data names the folder that holds it")
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    labels = np.zeros((len(lines), len(EMOTIONS)), dtype=bool)
    texts = []
    for row, line in zip(labels, lines, strict=True):
        text, numbers, _ = line.split("\t")
        row[[int(number) for number in numbers.split(",")]] = True
        texts.append(text)
    return Comments(texts, labels)


def train_tokenizer(texts: list[str], *, vocab_size: int) -> Tokenizer:
    """Lower-case byte-pair encoding that keeps contractions whole and punctuation apart."""
    bpe = Tokenizer(models.BPE(unk_token=UNKNOWN, end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("’", "'"), normalizers.Lowercase()])
    word = Regex(r"\[\w+\]|\w+('\w+)?|[^\w\s]")  # [name] stands in the data where a name stood
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(word, "isolated")]
    )
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            limit_alphabet=400,
            special_tokens=[PAD, UNKNOWN],
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    return bpe


def train_member(config: UtteranceConfig, bpe: Tokenizer, train: Comments, *, seed: int) -> MemberNetwork:
    """One network, trained with cross-entropy; a comment's labels share its probability evenly."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    targets = torch.tensor(train.labels / train.labels.sum(axis=1, keepdims=True), dtype=torch.float32)
    member = MemberNetwork(config)
    optimizer = torch.optim.AdamW(member.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * (len(train.texts) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.15)
    start = time.perf_counter()
    for epoch in range(EPOCHS):
        rows = varied_token_ids(bpe, train.texts, rng)
        total = 0.0
        for batch in batches_of_similar_length([len(row) for row in rows], rng):
            log_probabilities = member(pad([rows[i] for i in batch])).log_softmax(dim=1)
            loss = -(targets[batch] * log_probabilities).sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(member.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        seconds = time.perf_counter() - start
        print(f"seed {seed} epoch {epoch + 1}: loss {total / len(rows):.3f}, {seconds:.0f} s", flush=True)
    return member


def varied_token_ids(bpe: Tokenizer, texts: list[str], rng: np.random.Generator) -> list[list[int]]:
    """The texts' subwords as an epoch sees them, some without their punctuation."""
    is_bare = rng.random(len(texts)) < UNPUNCTUATED
    return token_ids(bpe, [t.translate(BARE) if bare else t for t, bare in zip(texts, is_bare, strict=True)])


def batches_of_similar_length(lengths: list[int], rng: np.random.Generator) -> list[Int[np.ndarray, "b"]]:
    """All positions once, shuffled, sorted by length within every 50 batches, in shuffled batches."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), 50 * BATCH_SIZE):
        chunk = order[start : start + 50 * BATCH_SIZE]
        chunk = chunk[np.argsort(np.array(lengths)[chunk], kind="stable")]
        batches += [chunk[i : i + BATCH_SIZE] for i in range(0, len(chunk), BATCH_SIZE)]
    full = [batch for batch in batches if len(batch) == BATCH_SIZE]
    return [full[i] for i in rng.permutation(len(full))]


def fit_temperature(logits: Float[np.ndarray, "n 7"], labels: Bool[np.ndarray, "n 7"]) -> float:
    """What to divide `logits` by for the least cross-entropy, to 1 %."""
    targets = labels / labels.sum(axis=1, keepdims=True)
    grid = np.arange(0.5, 2.0, 0.01)
    entropies = [-(targets * np.log(softmax(logits / t))).sum(axis=1).mean() for t in grid]
    return round(float(grid[np.argmin(entropies)]), 2)


def fit_thresholds(probabilities: Float[np.ndarray, "n 7"], labels: Bool[np.ndarray, "n 7"]) -> tuple[float, ...]:
    """The threshold of each emotion for the best macro F1, one after the other, three times over."""
    thresholds = np.full(len(EMOTIONS), 0.4)
    grid = np.arange(0.05, 0.9, 0.01)
    for _ in range(3):
        for i in range(len(EMOTIONS)):
            candidates = np.tile(thresholds, (len(grid), 1))
            candidates[:, i] = grid
            scores = [f1_score(labels, decide(probabilities, c), average="macro") for c in candidates]
            thresholds[i] = grid[np.argmax(scores)]
    return tuple(round(float(threshold), 2) for threshold in thresholds)


def measure(model: UtteranceModel, comments: Comments) -> dict[str, Any]:
    """What the card says of the model on one split."""
    probabilities = softmax(model.logits(comments.texts))
    labels = decide(probabilities, np.array(model.config.thresholds))
    f1 = f1_score(comments.labels, labels, average=None)
    precision = average_precision_score(comments.labels, probabilities, average=None)
    top = probabilities.argmax(axis=1)
    top_is_right = comments.labels[np.arange(len(top)), top]
    neutral = EMOTIONS.index("neutral")
    emotional = probabilities[:, neutral] <= MAX_NEUTRAL
    return {
        "macro_f1": round(float(f1.mean()), 4),
        "micro_f1": round(float(f1_score(comments.labels, labels, average="micro")), 4),
        "f1": {e: round(float(value), 4) for e, value in zip(EMOTIONS, f1, strict=True)},
        "average_precision": {e: round(float(v), 4) for e, v in zip(EMOTIONS, precision, strict=True)},
        "top_label_accuracy": round(float(top_is_right.mean()), 4),
        "ece": calibration_error(probabilities.max(axis=1), top_is_right),
        "class_ece": {e: calibration_error(probabilities[:, i], comments.labels[:, i]) for i, e in enumerate(EMOTIONS)},
        "reliability": reliability(probabilities.max(axis=1), top_is_right),
        "emotional_share": round(float(emotional.mean()), 4),
        "emotional_precision": round(float((~comments.labels[emotional, neutral]).mean()), 4),
        "num_comments": len(comments.texts),
    }


def write_config(config: UtteranceConfig, folder: Path) -> None:
    (folder / "config.json").write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")


def write_card(metrics: dict[str, Any], *, temperature: float) -> str:
    """The model card: the template beside this script, with the numbers measured on test."""
    columns = [metrics["f1"], metrics["average_precision"], metrics["class_ece"]]
    rows = [f"| {e} | " + " | ".join(f"{column[e]:.3f}" for column in columns) + " |" for e in EMOTIONS]
    bins = [
        f"| {row['from']:.3f}–{row['from'] + 1 / NUM_BINS:.3f} | {row['count']} | {row['confidence']:.3f} | "
        f"{row['accuracy']:.3f} |"
        for row in metrics["reliability"]
    ]
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        {key: value for key, value in metrics.items() if not isinstance(value, dict | list)},
        rows="\n".join(rows),
        bins="\n".join(bins),
        num_bins=NUM_BINS,
        mean_class_ece=round(float(np.mean(list(metrics["class_ece"].values()))), 4),
        temperature=temperature,
        max_neutral=MAX_NEUTRAL,
    )


if __name__ == "__main__":
    main()
