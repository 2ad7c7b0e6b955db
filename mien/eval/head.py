"""A saved head: a linear probe with its labels' names, and the model whose embeddings it reads.

Two files: `NAME.safetensors` holds `weight` [c, e] and `bias` [c] in float64, `NAME.json` beside it a `HeadCard`.
Nothing in them is code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as as_bytes
from torch import Tensor

from mien.config import Config, validate
from mien.eval.probe import HeadKind, LinearProbe
from mien.types import MienError
from mien.whole_file import whole_file, write_whole


class HeadInput(Config):
    """What a head reads: embeddings of one model, of whole clips or of single frames.

    model: the name it was loaded by, to be told; what counts is `weights_hash`, as `mien.hub.weights_hash` has it.
    """

    model: str
    weights_hash: str
    features: Literal["video", "frame"]
    mean_of_frames: int | None = None
    """With `frame`, the mean of so many frames' embeddings is read instead of the first one's."""
    normalization: Literal["l2"] = "l2"
    """Of embeddings, before the weights: each divided by its length."""


class HeadCard(Config):
    """The JSON beside a head's weights."""

    format: Literal[1] = 1
    kind: HeadKind
    """one_vs_rest: labels that go together, a sigmoid each. multinomial: exclusive classes, a softmax over them. ridge:
    regression, numbers on the labels' own scale."""
    classes: tuple[str, ...]
    """The rows of `weight`: labels, classes, or dimensions such as valence."""
    fitted_on: str
    reads: HeadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A fitted head, and what it is to be given."""

    probe: LinearProbe
    reads: HeadInput
    fitted_on: str

    def score(self, embeddings: Float[Tensor, "n e"] | Float[np.ndarray, "n e"]) -> dict[str, Float64[np.ndarray, "n"]]:
        """What the head says of each embedding, a column a class, in the order of `probe.classes`.

        Probabilities, which sum to one over the classes of a `multinomial` head only; of a `ridge` head, numbers on the
        labels' own scale. Embeddings come as the model gives them and are normalised here.
        """
        width = self.probe.weight.shape[1]
        if embeddings.shape[1] != width:
            raise MienError(
                f"embeddings have {embeddings.shape[1]} numbers, the head reads {width}; it was fitted on those of "
                f"{self.reads.model}"
            )
        x = F.normalize(torch.as_tensor(embeddings).detach().cpu().float(), dim=-1).numpy()
        columns = self.probe.decision(x) if self.probe.kind == "ridge" else self.probe.probabilities(x)
        return dict(zip(self.probe.classes, columns.T, strict=True))

    def require_weights(self, weights_hash: str, *, model: str) -> None:
        """Raises MienError unless the head was fitted on the embeddings of these weights."""
        if weights_hash != self.reads.weights_hash:
            raise MienError(
                f"the head reads the embeddings of {self.reads.model} (weights {self.reads.weights_hash}), "
                f"which are not those of {model} (weights {weights_hash}); take that model, or fit a head on this one: "
                "mien evaluate … --save-heads FOLDER"
            )

    def save(self, path: Path) -> None:
        """Writes `path`, a .safetensors file, and its card as JSON beside it."""
        if path.suffix != ".safetensors":
            raise MienError(f"{path}: heads are safetensors files; name it {path.with_suffix('.safetensors')}")
        card = HeadCard(kind=self.probe.kind, classes=self.probe.classes, fitted_on=self.fitted_on, reads=self.reads)
        with whole_file(path) as part:
            part.write_bytes(as_bytes({"weight": self.probe.weight, "bias": self.probe.bias}))
        write_whole(path.with_suffix(".json"), card.model_dump_json(indent=1) + "\n")


def load_head(path: Path) -> Head:
    """The head in `path`, a .safetensors file with its card beside it: `mien evaluate --save-heads` and `mien finetune`
    write such. Raises MienError where it is not one."""
    beside = path.with_suffix(".json")
    try:
        arrays = load_file(path)
        data = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _no_head(path, str(error)) from error
    if not isinstance(data, dict):
        raise _no_head(path, f"{beside.name} is no mapping")
    card = validate(HeadCard, data, source=str(beside))
    shapes = {name: array.shape for name, array in arrays.items()}
    count = len(card.classes)
    if set(shapes) != {"weight", "bias"} or shapes["bias"] != (count,) or shapes["weight"][:-1] != (count,):
        raise _no_head(path, f"{count} classes in {beside.name}, and arrays of {shapes}")
    probe = LinearProbe(
        weight=arrays["weight"].astype(np.float64),
        bias=arrays["bias"].astype(np.float64),
        kind=card.kind,
        classes=card.classes,
    )
    return Head(probe=probe, reads=card.reads, fitted_on=card.fitted_on)


def _no_head(path: Path, why: str) -> MienError:
    return MienError(f"{path} holds no saved head ({why}); mien evaluate … --save-heads FOLDER writes such")
