"""Linear probe: a linear head on frozen features, as the papers score a representation.

The objectives are scikit-learn's: `½‖W‖² + C · Σ losses` for the logistic kinds and `Σ squares + α‖W‖²` for ridge,
with an unpenalised intercept; features are taken as they come. All labels are fitted at once, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Shaped
from pydantic import Field, model_validator

from mien.config import Config
from mien.eval.finetune import Finetune
from mien.eval.logistic import minimise_multinomial, minimise_one_vs_rest
from mien.types import MienError


class OneVsRest(Config):
    """A logistic regression a label, each on its own; labels are not exclusive."""

    kind: Literal["one_vs_rest"] = "one_vs_rest"
    C: float = Field(gt=0)


class Multinomial(Config):
    """One softmax over exclusive classes."""

    kind: Literal["multinomial"] = "multinomial"
    C: float = Field(gt=0)


class Ridge(Config):
    """Least squares with a penalty on the weights, a dimension each."""

    kind: Literal["ridge"] = "ridge"
    alpha: float = Field(ge=0)


class ZeroShot(Config):
    """Labels by their names alone: nothing is fitted, the head is made of texts (see `mien.eval.zeroshot`)."""

    kind: Literal["zeroshot"] = "zeroshot"
    labels: Literal["category", "scores"] = "category"
    """Exclusive classes, or labels that go together."""
    templates: tuple[str, ...] = Field(min_length=1)
    """Prompts with `{}` where the label's words go; the scores of all are averaged."""
    words: dict[str, str] = Field(default_factory=dict)
    """Label → what it is called in a prompt; the label itself, in lower case, where it is not named here."""

    @model_validator(mode="after")
    def _templates_have_a_place(self) -> ZeroShot:
        without = [template for template in self.templates if "{}" not in template]
        if without:
            raise ValueError(f"a template needs {{}} where the label's words go, got {without}")
        return self


class Retrieval(Config):
    """No labels at all: each clip is to find its own text, and each text its clip (see `mien.eval.retrieval`)."""

    kind: Literal["retrieval"] = "retrieval"


RIDGE_ROWS = 8192
"""Rows that ridge looks at at a time."""

HeadKind = Literal["one_vs_rest", "multinomial", "ridge"]
"""The probes whose fitted head is linear."""

ProbeConfig = Annotated[OneVsRest | Multinomial | Ridge | ZeroShot | Finetune | Retrieval, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearProbe:
    """A fitted head; `classes` name its outputs (or the dimensions, for ridge)."""

    weight: Float64[np.ndarray, "c e"]
    bias: Float64[np.ndarray, "c"]
    kind: HeadKind
    classes: tuple[str, ...]

    def decision(self, x: Float[np.ndarray, "n e"]) -> Float64[np.ndarray, "n c"]:
        """Logits, or for ridge the predicted numbers."""
        return x.astype(np.float64) @ self.weight.T + self.bias

    def probabilities(self, x: Float[np.ndarray, "n e"]) -> Float64[np.ndarray, "n c"]:
        """Probability of each class (rows sum to one only for `multinomial`)."""
        if self.kind == "ridge":
            raise MienError("a ridge probe predicts numbers, not probabilities; call decision()")
        logits = torch.from_numpy(self.decision(x))
        return (logits.softmax(dim=1) if self.kind == "multinomial" else logits.sigmoid()).numpy()


def fit_probe(
    x: Float[np.ndarray, "n e"],
    labels: Shaped[np.ndarray, "n *c"],
    *,
    classes: tuple[str, ...],
    config: ProbeConfig,
) -> LinearProbe:
    """Fit the head that `config` describes; `labels` as the `fit_…` function of its kind wants them."""
    match config:
        case OneVsRest():
            return fit_one_vs_rest(x, labels, classes=classes, C=config.C)
        case Multinomial():
            return fit_multinomial(x, labels, classes=classes, C=config.C)
        case Ridge():
            return fit_ridge(x, labels, classes=classes, alpha=config.alpha)
        case ZeroShot():
            raise MienError("a zero-shot head is not fitted; mien.eval.zeroshot makes it of texts")
        case Retrieval():
            raise MienError("retrieval has no head to fit; mien.eval.retrieval compares clips with their texts")
        case Finetune():
            raise MienError("a fine-tuned head is not fitted to features; mien.train.finetune trains it with the model")


def fit_one_vs_rest(
    x: Float[np.ndarray, "n e"], positive: Bool[np.ndarray, "n c"], *, classes: tuple[str, ...], C: float
) -> LinearProbe:
    """A logistic regression for each label.

    A label that all samples have, or none, has its optimum at an infinite intercept: its head is weight 0 and bias
    ±inf, i.e. probability 1 or 0.
    """
    _check(x)
    share = positive.mean(axis=0)
    mixed = (share > 0) & (share < 1)
    weight = np.zeros((len(classes), x.shape[1]))
    bias = np.where(share > 0, np.inf, -np.inf)
    if mixed.any():
        weight[mixed], bias[mixed] = minimise_one_vs_rest(x, positive[:, mixed], C=C)
    return LinearProbe(weight=weight, bias=bias, kind="one_vs_rest", classes=classes)


def fit_multinomial(
    x: Float[np.ndarray, "n e"], category: Int[np.ndarray, "n"], *, classes: tuple[str, ...], C: float
) -> LinearProbe:
    """One softmax regression; `category` indexes `classes`. Intercepts are centred over the classes that occur.

    A class without samples gets weight 0 and bias −inf, i.e. probability 0. With two classes this is the symmetric
    two-row softmax, whose penalty is half that of scikit-learn's single row.
    """
    _check(x)
    target = category[:, None] == np.arange(len(classes))
    occurs = target.any(axis=0)
    weight = np.zeros((len(classes), x.shape[1]))
    bias = np.full(len(classes), -np.inf)
    weight[occurs], bias[occurs] = minimise_multinomial(x, target[:, occurs], C=C)
    return LinearProbe(weight=weight, bias=bias, kind="multinomial", classes=classes)


def fit_ridge(
    x: Float[np.ndarray, "n e"], target: Float[np.ndarray, "n c"], *, classes: tuple[str, ...], alpha: float
) -> LinearProbe:
    """Ridge regression in closed form, every dimension at once."""
    _check(x)
    values = torch.from_numpy(target).double()
    mean_x, mean_y = torch.from_numpy(x.mean(axis=0, dtype=np.float64)), values.mean(dim=0)
    gram = alpha * torch.eye(x.shape[1], dtype=torch.float64)
    moment = torch.zeros(x.shape[1], values.shape[1], dtype=torch.float64)  # [e, c]
    for start in range(0, len(x), RIDGE_ROWS):  # in blocks, so that a million rows need no float64 copy
        rows = slice(start, start + RIDGE_ROWS)
        centred = torch.from_numpy(x[rows]).double() - mean_x
        gram += centred.T @ centred
        moment += centred.T @ (values[rows] - mean_y)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        raise MienError(f"ridge with {alpha = } has no single solution on these features; raise alpha")
    weight = torch.cholesky_solve(moment, factor).T  # [c, e]
    return LinearProbe(
        weight=weight.numpy().copy(), bias=(mean_y - weight @ mean_x).numpy(), kind="ridge", classes=classes
    )


def _check(x: Float[np.ndarray, "n e"]) -> None:
    if not len(x):
        raise MienError("no samples to fit a probe on; are all clips of the training split skipped?")
    if not np.isfinite([x.min(), x.max()]).all():  # NaN comes through both; no copy the size of x
        raise MienError(f"features of {int((~np.isfinite(x)).any(axis=1).sum())} samples are not finite numbers")
