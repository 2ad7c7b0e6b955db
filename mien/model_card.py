"""Model cards: the README of a model folder, with the hub's YAML head."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from mien.model_folder import ModelFolder
from mien.types import MienError

HERE = "path/to/this/folder"
"""How a card calls the model while nobody knows where it will be."""
KNOWN_LICENCES = (
    "unknown", "apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
)  # fmt: skip
"""Of the hub's names those that weights usually have."""
UNMEASURED = "## Measured\nNothing yet: `mien evaluate` scores it on a benchmark.\n"
TASK_OF_PICTURES, TASK_OF_TEXTS = "image-feature-extraction", "zero-shot-image-classification"
"""The hub's names of what models are for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One score on a benchmark, as a card tells it; low and high are the ends of its 95 % interval."""

    benchmark: str
    split: str
    protocol: str
    task: str
    metric: str
    value: float
    low: float | None
    high: float | None
    is_generated: bool


def model_card(
    config: ModelFolder,
    *,
    num_parameters: int,
    notes: str = "",
) -> str:
    """The hub's YAML head, then what the model is, how to use it, what it scored, what it is for and not for.

    notes: what is to be said first, instead of what its kind is. `for_hub` and `with_results` add what is known later.
    """
    architecture = config.architecture
    vision, reads = architecture.vision, architecture.text is not None
    rows = {
        "pre-trained by": config.method or "not known",
        "architecture": f"ViT {vision.width} wide, {vision.layers} layers, patch {vision.patch_size} at "
        f"{vision.image_size} px{', convolutional stem' if vision.stem else ''}; subject `{architecture.subject}`; "
        f"temporal `{architecture.temporal.kind}`; texts: {_text_tower(config)}",
        "parameters": f"{num_parameters:,}",
        "embeddings": f"{architecture.embed_dim} numbers, not normalised",
        "is fed": f"{'grey' if config.preprocess.grayscale else 'RGB'} pictures of {config.preprocess.image_size} × "
        f"{config.preprocess.image_size} pixels, normalised as `{config.preprocess.normalization}`; of a clip "
        f"{config.clip.num_frames}",
        "trained on": config.trained_on,
        "weights licence": config.weights_license,
        "made with": config.made_with,
    }
    table = "\n".join(f"| {key} | {_cell(value)} |" for key, value in rows.items())
    return f"""---
{_as_yaml(_head(config))}
---
# {_title(config)}

{notes or _what_it_is(config, reads=reads)}

| | |
|---|---|
{table}

## How to use it
```python
from mien import Mien
model = Mien.from_pretrained("{HERE}")
{_example(config, reads=reads)}
```

{UNMEASURED}
## Intended use
Research on apparent emotion, and annotating one's own pictures and videos, to be looked through. Outputs are *apparent*
emotion: what an onlooker might say a person shows, not what the person feels.

**Out of scope**: decisions about people at work, in education, policing, hiring or health. The EU AI Act (Article
5(1)(f)) bans inferring emotions from biometrics in workplaces and education.

## Licence
Of the weights: {config.weights_license}. Of mien, the program: Apache-2.0.
"""


def for_hub(card: str, hub_id: str) -> str:
    """The card of a model that is found on the hub."""
    return card.replace(HERE, f"hf:{hub_id}")


def with_results(card: str, measured: Sequence[Measured], *, name: str) -> str:
    """The card with scores: as the hub reads them in its head, and as a table at the place for it or else at the end.

    Raises MienError where the card has no YAML head.
    """
    if not measured:
        return card
    opening, _, rest = card.removeprefix("---\n").partition("\n---\n")
    head = yaml.safe_load(opening) if card.startswith("---\n") and rest else None
    if not isinstance(head, dict):
        raise MienError("the model's card, its README.md, has no YAML head between two lines of ---; begin it with one")
    head["model-index"] = [{"name": name, "results": [_for_head(row, head.get("pipeline_tag")) for row in measured]}]
    section = _table(measured)
    rest = re.sub(r"## Measured\nBy `mien evaluate`.*?(?=\n## |\Z)", UNMEASURED, rest, flags=re.DOTALL)
    body = rest.replace(UNMEASURED, section) if UNMEASURED in rest else f"{rest.rstrip()}\n\n{section}"
    return f"---\n{_as_yaml(head)}\n---\n{body}"


def _as_yaml(head: dict[str, Any]) -> str:
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip()


def _for_head(row: Measured, task: str | None) -> dict[str, Any]:
    return {
        "task": {"type": task or TASK_OF_PICTURES},
        "dataset": {"name": row.benchmark, "type": row.benchmark, "split": row.split},
        "metrics": [{"type": row.metric, "value": round(row.value, 4), "name": f"{row.task}, {row.protocol}"}],
    }


def _table(measured: Sequence[Measured]) -> str:
    lines = [
        "## Measured",
        "By `mien evaluate`; in brackets 95 % bootstrap intervals.",
        "",
        "| benchmark | split | protocol | task | metric | value | interval |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.benchmark}{' (generated)' if row.is_generated else ''} | {row.split} | {_cell(row.protocol)} | "
        f"{row.task} | {row.metric} | {row.value:.4f} | {_interval(row)} |"
        for row in measured
    ]
    if any(row.is_generated for row in measured):
        lines += ["", "Generated scenes are drawn by mien; no score on them stands for one on real people."]
    return "\n".join([*lines, ""])


def _head(config: ModelFolder) -> dict[str, Any]:
    reads = config.architecture.text is not None
    tags = ["emotion-recognition", *([config.method] if config.method else []), *(["onnx"] if config.graphs else [])]
    return {
        **_licence(config.weights_license),
        "library_name": "mien",
        "pipeline_tag": TASK_OF_TEXTS if reads else TASK_OF_PICTURES,
        "tags": tags,
    }


def _licence(told: str) -> dict[str, str]:
    """As the hub names it, which has its own name for what it does not know: `other`, and an id of our own."""
    known = told.lower()
    if known in KNOWN_LICENCES:
        return {"license": known}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", known).strip("-")}


def _title(config: ModelFolder) -> str:
    return {
        "emotionclip": "A model of people in videos and what they say",
        "emocapclip": "A model of faces and what is said of them",
        "uniemox": "An encoder of scenes and the people in them",
        None: "A mien model",
    }[config.method]


def _what_it_is(config: ModelFolder, *, reads: bool) -> str:
    match config.method:
        case "emocapclip":
            return (
                "EmoCapCLIP (Sun et al. 2025), as reconstructed by mien: pictures of faces and captions of them, in "
                "one space, so that a face can be scored for any words."
            )
        case "uniemox":
            return (
                "UniEmoX (Chen et al. 2024), as reimplemented by mien: an encoder of pictures, pre-trained by masked "
                "autoencoding and a frozen teacher, for probes and fine-tuning; it reads no texts."
            )
        case "emotionclip":
            return (
                "EmotionCLIP (Zhang et al. 2023), as reimplemented by mien: clips of people and what they say, in one "
                "space, so that a video can be scored for any words."
            )
    if not reads:
        return "An encoder of pictures, for probes and fine-tuning; it reads no texts."
    return "An EmotionCLIP-style model: clips of people and what they say, in one space."


def _example(config: ModelFolder, *, reads: bool) -> str:
    if not reads:
        size = config.preprocess.image_size
        return f"embeddings = model.encode_frames(pictures)  # uint8 [n, 3, {size}, {size}]"
    if config.shown == "faces":
        return (
            "from mien.face_moments import classify_faces\n"
            'moments = classify_faces(model, "photo.jpg", ["happiness", "anger", "surprise"])  # a row a face'
        )
    return (
        'moments = model.classify("video.mp4", ["joy", "anger", "relief"])  # a probability a word, every few seconds'
    )


def _text_tower(config: ModelFolder) -> str:
    text = config.architecture.text
    return "none" if text is None else f"{text.layers} layers, {text.width} wide, {text.context_length} tokens"


def _interval(row: Measured) -> str:
    return "" if row.low is None or row.high is None else f"[{row.low:.4f}, {row.high:.4f}]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
